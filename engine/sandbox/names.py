"""Chinese names for people who do not exist: common surnames and given names, put together at random."""

from typing import Final, Literal

from engine.sandbox.draws import Draws

Sex = Literal["male", "female"]

# The commonest surnames; the share is roughly the number of bearers in hundred thousands.
SURNAMES: Final = (
    ("王", 1015), ("李", 1009), ("张", 954), ("刘", 720), ("陈", 633), ("杨", 462), ("黄", 337), ("赵", 286),
    ("吴", 278), ("周", 268), ("徐", 202), ("孙", 194), ("马", 191), ("朱", 181), ("胡", 165), ("郭", 158),
    ("何", 148), ("林", 142), ("高", 141), ("罗", 140), ("郑", 127), ("梁", 118), ("谢", 103), ("宋", 100),
    ("唐", 97), ("许", 94), ("韩", 93), ("邓", 92), ("冯", 91), ("曹", 89), ("彭", 84), ("曾", 81),
    ("肖", 80), ("田", 79), ("董", 78), ("潘", 74), ("袁", 73), ("蔡", 70), ("蒋", 69), ("余", 68),
    ("欧阳", 11), ("上官", 1),
)  # fmt: skip

GIVEN_CHARACTERS: Final[dict[Sex, str]] = {
    "male": "伟强磊军洋勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林宏志建国海博文子轩泽睿",
    "female": "芳娜敏静丽艳娟霞燕玲桂英秀梅红雪琳洁倩莹慧婷颖佳欣怡雅涵梦琪思雨诗语晨萱悦妍",
}
_GIVEN_LENGTHS: Final = ((1, 25), (2, 75))


def full_name(draws: Draws, sex: Sex) -> str:
    """A surname and one or two given characters that suit the sex."""
    surname = draws.by_share(SURNAMES)
    length = draws.by_share(_GIVEN_LENGTHS)
    return surname + "".join(draws.one_of(GIVEN_CHARACTERS[sex]) for _ in range(length))
