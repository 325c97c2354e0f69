"""The rules that operators change while payments go on, as one version of them."""

import msgspec

from engine.core.channels import StoppedChannels
from engine.core.plan_book import PlanBook
from engine.core.rollout import Rollout


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Plans, the roll-out of scenarios, and which channels are stopped for paying. The books say which version holds; a
    batch never decides by another.
    """

    version: int = 0
    plans: PlanBook = PlanBook()
    rollout: Rollout = Rollout()
    stopped: StoppedChannels = StoppedChannels()
