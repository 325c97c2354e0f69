"""Examples of regions as a tree, activation figures, and the move of local platforms."""

from typing import Final

import msgspec

from engine.web.territory.wire import LocalPlatformRequest

TERRITORY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    LocalPlatformRequest(name="示例市社保卡平台", cards=3, balance=133_015),
)
