"""Channels: what one may do, how it comes to its states, and what stops it."""

import enum
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from engine.core.ids import CallerId
from engine.core.participants import NAME_CHARS_MAX, NATIONAL, WrongField, covers, is_region
from engine.core.refusals import Refusal

ADDRESSES_MAX: Final = 50
CALLBACK_URLS_MAX: Final = 10
REGIONS_MAX: Final = 400  # of a channel: more than there are prefectures
CONTACT_CHARS_MAX: Final = 200
CHANNEL_NO: Final = re.compile(r"[0-9]{10}", re.ASCII)


class Product(enum.IntEnum):
    """What a channel may be granted. Stored; numbers are never re-used."""

    CARDS = 1  # issue electronic cards
    PAYMENT = 2  # let them pay: level 2, phones, orders paid in the app
    IDENTITY = 3
    LOGIN = 4
    INQUIRY = 5
    APPLICATIONS = 6


class OwnerClass(enum.IntEnum):
    """Who runs a channel. Stored."""

    HRSS = 1
    GOVERNMENT = 2
    NATIONAL = 3  # contracted for the whole country
    BANK = 4
    MEDICAL = 5
    SOCIAL = 6


class ChannelState(enum.IntEnum):
    """Where a channel stands. Stored."""

    APPLIED = 1
    FUNCTION_TESTED = 2
    SECURITY_TESTED = 3
    APPROVED = 4
    LIVE = 5
    RECTIFYING = 6
    SUSPENDED = 7
    TERMINATED = 8


class ChannelMove(enum.IntEnum):
    """What happens to a channel. Stored."""

    APPLY = 1
    PASS_FUNCTION = 2
    PASS_SECURITY = 3
    APPROVE = 4
    GO_LIVE = 5
    RECTIFY = 6
    SUSPEND = 7
    RESUME = 8
    TERMINATE = 9
    CHANGE = 10  # what it may do or be reached by; it stays where it stands


CHANNEL_TRANSITIONS: Final[Mapping[tuple[ChannelState, ChannelMove], ChannelState]] = {
    (ChannelState.APPLIED, ChannelMove.PASS_FUNCTION): ChannelState.FUNCTION_TESTED,
    (ChannelState.FUNCTION_TESTED, ChannelMove.PASS_SECURITY): ChannelState.SECURITY_TESTED,
    (ChannelState.SECURITY_TESTED, ChannelMove.APPROVE): ChannelState.APPROVED,
    (ChannelState.APPROVED, ChannelMove.GO_LIVE): ChannelState.LIVE,
    (ChannelState.LIVE, ChannelMove.RECTIFY): ChannelState.RECTIFYING,
    (ChannelState.LIVE, ChannelMove.SUSPEND): ChannelState.SUSPENDED,
    (ChannelState.RECTIFYING, ChannelMove.SUSPEND): ChannelState.SUSPENDED,
    (ChannelState.RECTIFYING, ChannelMove.RESUME): ChannelState.LIVE,
    (ChannelState.SUSPENDED, ChannelMove.RESUME): ChannelState.LIVE,
    (ChannelState.APPLIED, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.FUNCTION_TESTED, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.SECURITY_TESTED, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.APPROVED, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.LIVE, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.RECTIFYING, ChannelMove.TERMINATE): ChannelState.TERMINATED,
    (ChannelState.SUSPENDED, ChannelMove.TERMINATE): ChannelState.TERMINATED,
}
"""A pair that is not listed is not allowed."""

TESTED: Final = frozenset({ChannelState.SECURITY_TESTED, ChannelState.APPROVED})
NOT_YET_LIVE: Final = frozenset({ChannelState.APPLIED, ChannelState.FUNCTION_TESTED}) | TESTED
SERVING: Final = frozenset({ChannelState.LIVE, ChannelState.RECTIFYING})
TAKES_ON: Final = frozenset({Product.CARDS})
"""What brings a channel new cardholders. One that has to rectify goes on for those it has, and takes on nobody."""


class StopKind(enum.IntEnum):
    """What an order does to a channel, the mildest first. Stored."""

    RECTIFY = 1
    SUSPEND = 2
    TERMINATE = 3

    @property
    def move(self) -> ChannelMove:
        """What it is when the whole channel is meant."""
        return ChannelMove[self.name]


class Stop(msgspec.Struct, frozen=True):
    """As far as an order in force goes: a product (None: all) in a region with all below it."""

    kind: StopKind
    product: Product | None
    region: int

    @property
    def is_whole(self) -> bool:
        """True if it is the channel itself that is stopped."""
        return self.product is None and self.region == NATIONAL

    def forbids(self, product: Product, region: int) -> bool:
        """True if *product* is not to be had through the channel in *region*."""
        if self.product not in (None, product) or not covers(self.region, region):
            return False
        return self.kind is not StopKind.RECTIFY or product in TAKES_ON


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel may do, as it stands. `parent` is that of the tier-1 channel of a tier-2 one."""

    state: ChannelState
    products: frozenset[Product]
    regions: tuple[int, ...]
    stops: tuple[Stop, ...] = ()
    addresses: tuple[str, ...] = ()
    parent: "Standing | None" = None

    @property
    def is_ended(self) -> bool:
        """True if the channel, or the one that it takes part through, is terminated."""
        return self.state is ChannelState.TERMINATED or (self.parent is not None and self.parent.is_ended)

    def why_not(self, product: Product, region: int | None) -> Refusal | None:
        """The first reason for which *product* is not to be had through the channel in *region*; None: there is none.

        What is not granted comes first: whoever sees to stops himself must not let that through with them. Without a
        region only what holds for the whole country counts: where it is to be, is judged later.
        """
        if not self._is_granted(product, region):
            return Refusal.CHANNEL_NOT_AUTHORIZED
        return Refusal.CHANNEL_SUSPENDED if self.is_stopped(product, region) else None

    def is_stopped(self, product: Product, region: int | None) -> bool:
        """True if *product*, granted or not, is stopped in *region* through the channel or its tier-1 channel."""
        if self.state not in SERVING or (self.state is ChannelState.RECTIFYING and product in TAKES_ON):
            return True
        place = region if region is not None else NATIONAL
        if any(stop.forbids(product, place) for stop in self.stops):
            return True
        return self.parent is not None and self.parent.is_stopped(product, region)

    def lets_in(self, address: str | None) -> bool:
        """True if the channel may call from *address*."""
        return is_in_networks(address, self.addresses)

    def _is_granted(self, product: Product, region: int | None) -> bool:
        if self.state in NOT_YET_LIVE or product not in self.products:
            return False
        if region is not None and not any(covers(granted, region) for granted in self.regions):
            return False
        return self.parent is None or self.parent._is_granted(product, region)


class StoppedChannels:
    """Through which channels nothing is paid, and where: what every batch knows of them."""

    __slots__ = ("_regions",)

    def __init__(self, stops: Iterable[tuple[bytes, int]] = ()) -> None:
        """Pairs of a channel and a region in which it is stopped, with all below it."""
        regions: dict[bytes, list[int]] = {}
        for channel, region in stops:
            regions.setdefault(channel, []).append(region)
        self._regions: Mapping[bytes, list[int]] = regions

    def __bool__(self) -> bool:
        """True if any channel is stopped anywhere."""
        return bool(self._regions)

    def includes(self, channel: bytes | None, region: int) -> bool:
        """True if *channel* is stopped in *region*."""
        if channel is None or not self._regions:
            return False
        return any(covers(stopped, region) for stopped in self._regions.get(channel, ()))


class StopOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that stops a channel, and what became of it. `operator` None: a rule has given it."""

    id: bytes
    channel: bytes
    kind: StopKind
    product: Product | None
    region: int
    reason: str
    evidence: str
    restore_condition: str
    operator: bytes | None
    effective_at: datetime
    lifted_at: datetime | None = None
    lifted_by: bytes | None = None

    @property
    def stop(self) -> Stop:
        """As far as it goes."""
        return Stop(self.kind, self.product, self.region)


class ChannelTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel applies with, and what of it may change: who it is, what it wants, where it is reached."""

    name_zh: str
    name_en: str
    contact: str
    region: int
    products: tuple[Product, ...]
    regions: tuple[int, ...]
    addresses: tuple[str, ...]
    callback_urls: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ChannelTerms(name_en={self.name_en!r})"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as it stands; `contact` is sealed."""

    id: CallerId
    channel_no: str
    owner_class: OwnerClass
    parent: CallerId | None
    name_zh: str
    name_en: str
    contact: bytes | None
    region: int
    products: tuple[Product, ...]
    regions: tuple[int, ...]
    addresses: tuple[str, ...]
    callback_urls: tuple[str, ...]
    state: ChannelState
    version: int
    applied_at: datetime
    changed_at: datetime

    @property
    def tier(self) -> int:
        """1 if it takes part directly, 2 if through another."""
        return 1 if self.parent is None else 2

    def __repr__(self) -> str:
        return f"Channel(id={self.id.hex()}, state={self.state.name})"


def after(state: ChannelState, move: ChannelMove) -> ChannelState | Refusal:
    """Where a move leads, or why it cannot be made: without its tests no channel comes near the public."""
    if move is ChannelMove.CHANGE:
        return state if state is not ChannelState.TERMINATED else Refusal.CHANNEL_STATE_CONFLICT
    found = CHANNEL_TRANSITIONS.get((state, move))
    if found is not None:
        return found
    is_early = move in (ChannelMove.APPROVE, ChannelMove.GO_LIVE) and state in NOT_YET_LIVE - TESTED
    return Refusal.CHANNEL_TESTS_MISSING if is_early else Refusal.CHANNEL_STATE_CONFLICT


def wrong_terms(terms: ChannelTerms, parent: Channel | None) -> Iterator[WrongField]:
    """What of a channel's terms cannot be so. A tier-2 channel gets no more than its tier-1 channel has."""
    for field in ("name_zh", "name_en", "contact"):
        text: str = getattr(terms, field)
        limit = CONTACT_CHARS_MAX if field == "contact" else NAME_CHARS_MAX
        if not (0 < len(text) <= limit and text.isprintable() and text == text.strip()):
            yield WrongField(field, f"1 to {limit} printable characters")
    if not is_region(terms.region):
        yield WrongField("region", "not a region of GB/T 2260")
    if not terms.products or len(set(terms.products)) != len(terms.products):
        yield WrongField("products", "one or more, each once")
    elif parent is not None and not set(terms.products) <= set(parent.products):
        yield WrongField("products", "more than its tier-1 channel has")
    if not terms.regions or not all(is_region(region) for region in terms.regions):
        yield WrongField("regions", "one or more regions of GB/T 2260")
    elif parent is not None and not all(
        any(covers(granted, region) for granted in parent.regions) for region in terms.regions
    ):
        yield WrongField("regions", "more than its tier-1 channel has")
    if not all(_is_network(text) for text in terms.addresses):
        yield WrongField("addresses", "networks in CIDR notation, without host bits")


def wrong_parent(parent: Channel | None) -> WrongField | None:
    """Why a channel cannot take part through *parent*; None of it: there is no such channel."""
    if parent is None or parent.parent is not None:
        return WrongField("parent", "not a tier-1 channel")
    if parent.state not in SERVING:
        return WrongField("parent", "not live")
    return None


def is_in_networks(address: str | None, networks: tuple[str, ...]) -> bool:
    """True if *address* is in one of the networks, or there are none. An IPv4 address in an IPv6 one is that one."""
    if not networks:
        return True
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(network) for network in networks)


def _is_network(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text))
    except ValueError:
        return False
