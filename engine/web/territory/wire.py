"""What goes over the wire about regions, activation figures and local platforms, and how it is made. Units: fen."""

from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.core.ids import id_text
from engine.core.local_platforms import (
    Found,
    LocalPlatform,
    PlatformDifference,
    PlatformState,
    is_equal,
)
from engine.core.participants import NAME_CHARS_MAX
from engine.core.territory import TARGET_PERCENTS, Activation, Region
from engine.flows.territory.take_balances import BalancesTaken

CARDS_MAX: Final = 2_000_000_000
BALANCE_FEN_MAX: Final = 10**17

LevelName = Literal["country", "province", "city"]
StateName = Literal["prepared", "importing", "opening", "proven", "switched_on"]
DifferenceName = Literal["card_missing", "balance_missing", "posting_differs"]


class RegionView(msgspec.Struct, frozen=True, kw_only=True):
    """A region of the tree."""

    region: str
    parent: str | None
    level: LevelName
    name_zh: str


class RegionList(msgspec.Struct, frozen=True, kw_only=True):
    """The country, its provinces, each followed by its cities; or what lies right below one of them."""

    items: tuple[RegionView, ...]
    next_cursor: None = None


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """A goal: what share of the holders is to have an electronic card."""

    percent: int
    is_reached: bool
    missing: int


class ActivationView(msgspec.Struct, frozen=True, kw_only=True):
    """How many hold a card in a region, how many of them have an electronic one, and with how many one can pay."""

    business_date: date
    region: str
    holders: int
    activated: int
    level_2: int
    share: int
    targets: tuple[TargetView, ...]


class ActivationList(msgspec.Struct, frozen=True, kw_only=True):
    """The cities of a region, and what they add up to."""

    items: tuple[ActivationView, ...]
    total: ActivationView | None
    next_cursor: None = None


class ActivationHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A region day by day, newest first."""

    items: tuple[ActivationView, ...]
    next_cursor: str | None


class LocalPlatformRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a local platform has on the day on which it stops."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
    cards: Annotated[int, Meta(ge=0, le=CARDS_MAX)]
    balance: Annotated[int, Meta(ge=0, le=BALANCE_FEN_MAX)]


class FoundView(msgspec.Struct, frozen=True, kw_only=True):
    """What of it is here."""

    cards: int
    lines: int
    balance: int
    strangers: int
    silent: int


class LocalPlatformView(msgspec.Struct, frozen=True, kw_only=True):
    """A local platform and how far it has come."""

    id: str
    region: str
    name: str
    state: StateName
    cards: int
    balance: int
    found: FoundView | None
    is_equal: bool
    sha256: str | None
    prepared_at: datetime
    opening_on: date | None
    proven_at: datetime | None
    switched_on_at: datetime | None


class BalanceLineFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a line."""

    line: int
    field: str
    reason: str


class BalancesView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file of balances."""

    sha256: str
    is_taken: bool
    lines: int
    balance: int
    faulty: int
    faults: tuple[BalanceLineFault, ...]


class PlatformDifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """In what a local platform and the engine differ."""

    kind: DifferenceName
    line: int | None
    card_id: str | None
    balance: int | None
    posted: int | None


class PlatformDifferenceList(msgspec.Struct, frozen=True, kw_only=True):
    """Lines without a card, then cards without a line; once balances are let in, lines that differ from the journal."""

    items: tuple[PlatformDifferenceView, ...]
    next_cursor: str | None


def region_view(region: Region) -> RegionView:
    """A region as the wire shows it."""
    return RegionView(
        region=f"{region.code:06d}",
        parent=f"{region.parent:06d}" if region.parent != region.code else None,
        level=region.level.value,
        name_zh=region.name_zh,
    )


def activation_view(figures: Activation) -> ActivationView:
    """Figures as the wire shows them."""
    return ActivationView(
        business_date=figures.business_date,
        region=f"{figures.region:06d}",
        holders=figures.holders,
        activated=figures.activated,
        level_2=figures.level_2,
        share=figures.share,
        targets=tuple(
            TargetView(
                percent=percent,
                is_reached=percent <= figures.reached_percent,
                missing=figures.missing_to(percent),
            )
            for percent in TARGET_PERCENTS
        ),
    )


def local_platform_view(platform: LocalPlatform, found: Found | None) -> LocalPlatformView:
    """A local platform as the wire shows it. *found* is None once its balances are let in."""
    return LocalPlatformView(
        id=id_text(platform.id),
        region=f"{platform.region:06d}",
        name=platform.name,
        state=platform.state.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        cards=platform.declared_cards,
        balance=platform.declared_balance,
        found=FoundView(**msgspec.structs.asdict(found)) if found is not None else None,
        is_equal=is_equal(platform, found) if found is not None else platform.state >= PlatformState.PROVEN,
        sha256=platform.sha256.hex() if platform.sha256 is not None else None,
        prepared_at=platform.prepared_at,
        opening_on=platform.opening_on,
        proven_at=platform.proven_at,
        switched_on_at=platform.switched_on_at,
    )


def balances_view(taken: BalancesTaken) -> BalancesView:
    """What came of a file as the wire shows it."""
    return BalancesView(
        sha256=taken.sha256,
        is_taken=taken.is_taken,
        lines=taken.lines,
        balance=taken.balance,
        faulty=taken.faulty,
        faults=tuple(
            BalanceLineFault(line=fault.line_number, field=fault.field, reason=fault.reason) for fault in taken.faults
        ),
    )


def difference_view(difference: PlatformDifference) -> PlatformDifferenceView:
    """A difference as the wire shows it."""
    return PlatformDifferenceView(
        kind=difference.kind.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        line=difference.line,
        card_id=id_text(difference.card) if difference.card is not None else None,
        balance=difference.amount,
        posted=difference.posted,
    )
