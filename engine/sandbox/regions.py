"""Regions of the sample city and birthplaces of its people, by their codes in GB/T 2260."""

from datetime import date
from typing import Final

import msgspec

POOLING_AREA: Final = 110_100
"""The prefecture-level code under which the city's funds are pooled."""

PROVINCE: Final = 110_000


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A region that issues cards and holds merchants."""

    code: int  # GB/T 2260
    name: str  # in Chinese
    name_en: str
    parent: int | None
    residents: int  # thousands, census of 2020; only the proportions matter


def _district(code: int, name: str, name_en: str, residents: int) -> Region:
    return Region(code=code, name=name, name_en=name_en, parent=POOLING_AREA, residents=residents)


DISTRICTS: Final = (
    _district(110_101, "东城区", "Dongcheng", 709),
    _district(110_102, "西城区", "Xicheng", 1_106),
    _district(110_105, "朝阳区", "Chaoyang", 3_452),
    _district(110_106, "丰台区", "Fengtai", 2_020),
    _district(110_107, "石景山区", "Shijingshan", 568),
    _district(110_108, "海淀区", "Haidian", 3_133),
    _district(110_109, "门头沟区", "Mentougou", 393),
    _district(110_111, "房山区", "Fangshan", 1_313),
    _district(110_112, "通州区", "Tongzhou", 1_840),
    _district(110_113, "顺义区", "Shunyi", 1_324),
    _district(110_114, "昌平区", "Changping", 2_270),
    _district(110_115, "大兴区", "Daxing", 1_994),
    _district(110_116, "怀柔区", "Huairou", 441),
    _district(110_117, "平谷区", "Pinggu", 457),
    _district(110_118, "密云区", "Miyun", 528),
    _district(110_119, "延庆区", "Yanqing", 346),
)
RESIDENTS: Final = sum(district.residents for district in DISTRICTS)

REGIONS: Final = (
    Region(code=PROVINCE, name="北京市", name_en="Beijing", parent=None, residents=RESIDENTS),
    Region(code=POOLING_AREA, name="市辖区", name_en="Beijing districts", parent=PROVINCE, residents=RESIDENTS),
    *DISTRICTS,
)

# One row a place: the codes it has had, each with the first year in which it is used here. An ID number
# keeps the code that its place had at birth, so a place that was re-coded needs all of them.
BIRTHPLACES: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    ((0, 110_101),),
    ((0, 110_102),),
    ((0, 110_103),),  # Chongwen, merged into Dongcheng in 2010
    ((0, 110_104),),  # Xuanwu, merged into Xicheng in 2010
    ((0, 110_105),),
    ((0, 110_106),),
    ((0, 110_107),),
    ((0, 110_108),),
    ((0, 110_109),),
    ((0, 110_205), (1982, 110_225), (1986, 110_111)),  # Fangshan
    ((0, 110_203), (1982, 110_223), (1997, 110_112)),  # Tongzhou
    ((0, 110_202), (1982, 110_222), (1998, 110_113)),  # Shunyi
    ((0, 110_201), (1982, 110_221), (1999, 110_114)),  # Changping
    ((0, 110_204), (1982, 110_224), (2001, 110_115)),  # Daxing
    ((0, 110_207), (1982, 110_227), (2001, 110_116)),  # Huairou
    ((0, 110_206), (1982, 110_226), (2001, 110_117)),  # Pinggu
    ((0, 110_208), (1982, 110_228), (2015, 110_118)),  # Miyun
    ((0, 110_209), (1982, 110_229), (2015, 110_119)),  # Yanqing
    ((0, 120_103),),  # people who moved to the city: Tianjin,
    ((0, 140_121),),  # Shanxi,
    ((0, 210_224),),  # Liaoning,
    ((0, 310_105),),  # Shanghai,
    ((0, 340_121),),  # Anhui,
    ((0, 360_121),),  # Jiangxi,
    ((0, 430_121),),  # Hunan,
    ((0, 510_121),),  # Sichuan
)
BORN_FIRST_ON: Final = date(1936, 1, 1)
BORN_LAST_ON: Final = date(2009, 12, 31)  # ahead of the end of Chongwen and Xuanwu


def birthplace_code(place: int, born_on: date) -> int:
    """The code that the place of `BIRTHPLACES` had on that day."""
    return max(row for row in BIRTHPLACES[place] if row[0] <= born_on.year)[1]
