"""Who takes part in the sample city beside its people: banks, merchants, agencies, channels and operators.

Every name says that it is a demonstration. Codes are well-formed; the branches and shops are invented.
"""

from typing import Final, Literal

import msgspec

from engine.core.scenarios import (
    EXAM_FEE,
    INPATIENT,
    MUSEUM,
    OUTPATIENT,
    PARK,
    PHARMACY,
    PREMIUM,
    SMALL_PAYMENT,
    TRAINING_FEE,
    TRANSIT,
    TRAVEL,
    UTILITIES,
    Scenario,
)
from engine.sandbox.numbers import bank_number
from engine.sandbox.regions import DISTRICTS, POOLING_AREA, PROVINCE, Region

MerchantKind = Literal[
    "hospital", "pharmacy", "metro", "utility", "park", "museum", "travel_agency", "store", "service_hall"
]
OwnerClass = Literal["hrss", "government", "national", "bank", "medical", "social"]


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """A bank that issues cards, keeps merchants' accounts, or settles."""

    slug: str
    name: str
    name_en: str
    cnaps: str
    is_settlement_bank: bool
    card_share: int  # how many of a hundred cardholders have their account here


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    """Who is paid: a designated hospital or pharmacy, or one of the city's services."""

    slug: str
    kind: MerchantKind
    code: str  # H, P or C and eleven digits, the first six the region
    name: str
    name_en: str  # fits the 25 characters of an EMV merchant name
    region: int
    cnaps: str
    mcc: str  # ISO 18245
    terminals: tuple[str, ...]
    gates: tuple[str, ...] = ()  # further terminals, which need no network
    scenarios: tuple[str, ...]
    is_suspended: bool


class Agency(msgspec.Struct, frozen=True, kw_only=True):
    """A handling institution that collects fees or pays benefits."""

    slug: str
    name: str
    name_en: str
    region: int
    item: Literal["premium", "exam_fee", "training_fee", "benefit"]
    cnaps: str


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """An app in which the card is issued and shown."""

    slug: str
    channel_no: str  # ten digits, the first six the region
    name: str
    name_en: str
    owner_class: OwnerClass
    parent: str | None  # channel_no of the tier-1 channel through which a tier-2 one connects
    user_share: int  # how many of a hundred cardholders use it

    @property
    def tier(self) -> int:
        """1 if it connects directly, 2 if through another channel."""
        return 1 if self.parent is None else 2


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """A person who runs the platform."""

    slug: str
    name: str
    role: Literal["operations", "review", "audit"]
    region: int  # the region and all below it


_BEIJING_AREA: Final = 1000  # of the bank numbering plan, not of GB/T 2260

# letter, name, class of bank in the numbering plan, share of cards
_BANK_ROWS: Final = (
    ("a", "演示银行甲", 102, 26),
    ("b", "演示银行乙", 103, 18),
    ("c", "演示银行丙", 104, 16),
    ("d", "演示银行丁", 105, 22),
    ("e", "演示银行戊", 301, 8),
    ("f", "演示银行己", 403, 10),
)
BANKS: Final = tuple(
    Bank(
        slug=f"demo-bank-{letter}",
        name=name,
        name_en=f"Demo Bank {letter.upper()}",
        cnaps=bank_number(bank_class=bank_class, area=_BEIJING_AREA, serial=9900 + number),
        is_settlement_bank=letter == "a",
        card_share=card_share,
    )
    for number, (letter, name, bank_class, card_share) in enumerate(_BANK_ROWS, start=1)
)
FUND_BANK: Final = BANKS[1].cnaps
"""The bank that holds the pooling area's funds and personal accounts."""

_SECOND_PHARMACY: Final = ("Chaoyang", "Fengtai", "Haidian", "Changping")
# district and running number within it
_HOSPITAL_PLACES: Final = tuple((district, 1) for district in DISTRICTS[:12])
_PHARMACY_PLACES: Final = tuple((district, 1) for district in DISTRICTS) + tuple(
    (district, 2) for district in DISTRICTS if district.name_en in _SECOND_PHARMACY
)
_BRANCHES: Final = {1: "", 2: "二店"}
_SUSPENDED_SLUG: Final = "pharmacy-20"


def _terminals(size: int) -> tuple[str, ...]:
    return tuple(f"T-{number:02d}" for number in range(1, size + 1))


def _merchant(kind: MerchantKind, number: int, district: Region, nth: int) -> Merchant:
    is_hospital = kind == "hospital"
    slug = f"{kind}-{number:02d}"
    short_name = district.name.removesuffix("区")
    scenarios = (OUTPATIENT, PHARMACY, INPATIENT) if is_hospital else (PHARMACY,)
    return Merchant(
        slug=slug,
        kind=kind,
        code=f"{'H' if is_hospital else 'P'}{district.code}{nth:05d}",
        name=f"{short_name}演示{'医院' if is_hospital else '药店'}{_BRANCHES[nth]}",
        name_en=f"{district.name_en} Demo {kind.capitalize()}{'' if nth == 1 else f' {nth}'}",
        region=district.code,
        cnaps=BANKS[number % len(BANKS)].cnaps,
        mcc=scenarios[0].mcc,
        terminals=_terminals(8 if is_hospital else 2),
        scenarios=tuple(scenario.name for scenario in scenarios),
        is_suspended=slug == _SUSPENDED_SLUG,
    )


HOSPITALS: Final = tuple(
    _merchant("hospital", number, district, nth) for number, (district, nth) in enumerate(_HOSPITAL_PLACES, start=1)
)
PHARMACIES: Final = tuple(
    _merchant("pharmacy", number, district, nth) for number, (district, nth) in enumerate(_PHARMACY_PLACES, start=1)
)

# slug, kind, name, English name, district, terminals, what it is paid for
_SERVICE_ROWS: Final[tuple[tuple[str, MerchantKind, str, str, int, int, tuple[Scenario, ...]], ...]] = (
    ("metro-01", "metro", "演示地铁", "Demo Metro", 110_101, 12, (TRANSIT,)),
    ("utility-01", "utility", "演示水电燃气缴费中心", "Demo City Utilities", 110_102, 4, (UTILITIES,)),
    ("park-01", "park", "海淀演示公园", "Haidian Demo Park", 110_108, 4, (PARK,)),
    ("museum-01", "museum", "东城演示博物馆", "Dongcheng Demo Museum", 110_101, 3, (MUSEUM,)),
    ("travel-01", "travel_agency", "朝阳演示旅行社", "Chaoyang Demo Travel", 110_105, 2, (TRAVEL,)),
    ("store-01", "store", "朝阳演示便利店", "Chaoyang Demo Store", 110_105, 2, (SMALL_PAYMENT,)),
    ("store-02", "store", "丰台演示便利店", "Fengtai Demo Store", 110_106, 2, (SMALL_PAYMENT,)),
    (
        "service-hall-01",
        "service_hall",
        "西城演示社保服务厅",
        "Xicheng Demo Service Hall",
        110_102,
        3,
        (PREMIUM, EXAM_FEE, TRAINING_FEE),
    ),
)
_GATES: Final = {"metro-01": 4, "park-01": 1, "museum-01": 1}
SERVICES: Final = tuple(
    Merchant(
        slug=slug,
        kind=kind,
        code=f"C{district}{number:05d}",
        name=name,
        name_en=name_en,
        region=district,
        cnaps=BANKS[number % len(BANKS)].cnaps,
        mcc=scenarios[0].mcc,
        terminals=_terminals(terminals),
        gates=tuple(f"G-{gate:02d}" for gate in range(1, _GATES.get(slug, 0) + 1)),
        scenarios=tuple(scenario.name for scenario in scenarios),
        is_suspended=False,
    )
    for number, (slug, kind, name, name_en, district, terminals, scenarios) in enumerate(_SERVICE_ROWS, start=1)
)
MERCHANTS: Final = HOSPITALS + PHARMACIES + SERVICES
"""In this order for ever: their ids follow from their places."""

AGENCIES: Final = (
    Agency(
        slug="agency-premium",
        name="演示社会保险费征缴中心",
        name_en="Demo Premium Collection Centre",
        region=POOLING_AREA,
        item="premium",
        cnaps=BANKS[1].cnaps,
    ),
    Agency(
        slug="agency-exam",
        name="演示人事考试中心",
        name_en="Demo Personnel Examination Centre",
        region=POOLING_AREA,
        item="exam_fee",
        cnaps=BANKS[3].cnaps,
    ),
    Agency(
        slug="agency-training",
        name="演示职业技能培训中心",
        name_en="Demo Vocational Training Centre",
        region=POOLING_AREA,
        item="training_fee",
        cnaps=BANKS[4].cnaps,
    ),
    Agency(
        slug="agency-benefit",
        name="演示社会保险待遇发放中心",
        name_en="Demo Benefit Payment Centre",
        region=POOLING_AREA,
        item="benefit",
        cnaps=BANKS[5].cnaps,
    ),
)

# slug, name, English name, owner class, number of the tier-1 channel above it, share of users
_CHANNEL_ROWS: Final[tuple[tuple[str, str, str, OwnerClass, int | None, int], ...]] = (
    ("channel-hrss", "演示人社服务", "Demo HRSS Service", "hrss", None, 30),
    ("channel-city", "演示城市通", "Demo City Pass", "government", None, 15),
    ("channel-national", "演示全国签约应用", "Demo National App", "national", None, 20),
    ("channel-bank", "演示手机银行", "Demo Mobile Bank", "bank", None, 20),
    ("channel-hospital", "演示掌上医院", "Demo Hospital App", "medical", 1, 10),
    ("channel-social", "演示生活服务", "Demo Daily Life App", "social", 3, 5),
)


def _channel_no(number: int) -> str:
    return f"{POOLING_AREA}{number:04d}"


CHANNELS: Final = tuple(
    Channel(
        slug=slug,
        channel_no=_channel_no(number),
        name=name,
        name_en=name_en,
        owner_class=owner_class,
        parent=None if parent is None else _channel_no(parent),
        user_share=user_share,
    )
    for number, (slug, name, name_en, owner_class, parent, user_share) in enumerate(_CHANNEL_ROWS, start=1)
)

OPERATORS: Final = (
    Operator(slug="operator-1", name="演示运营员", role="operations", region=PROVINCE),
    Operator(slug="operator-2", name="演示复核员", role="review", region=PROVINCE),
    Operator(slug="operator-3", name="演示审计员", role="audit", region=PROVINCE),
)
