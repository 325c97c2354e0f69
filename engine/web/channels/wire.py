"""What goes over the wire about channels: requests, answers, and one from the other."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.core.channels import (
    ADDRESSES_MAX,
    CALLBACK_URLS_MAX,
    CONTACT_CHARS_MAX,
    REGIONS_MAX,
    Channel,
    ChannelTerms,
    Product,
    StopKind,
    StopOrder,
)
from engine.core.ids import id_text
from engine.core.participants import NATIONAL
from engine.store.channels import ChannelStep, ListedChannel
from engine.web.wire_participants import KeyGiven, ParticipantName, Reason, RegionCode, SecretView

ProductName = Literal["cards", "payment", "identity", "login", "inquiry", "applications"]
OwnerClassName = Literal["hrss", "government", "national", "bank", "medical", "social"]
ChannelStatus = Literal[
    "applied", "function_tested", "security_tested", "approved", "live", "rectifying", "suspended", "terminated"
]
ChannelNumber = Annotated[str, Meta(pattern=r"^[0-9]{10}\Z")]
Contact = Annotated[str, Meta(min_length=1, max_length=CONTACT_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Url = Annotated[str, Meta(min_length=1, max_length=500)]
Network = Annotated[str, Meta(min_length=1, max_length=64)]
Products = Annotated[tuple[ProductName, ...], Meta(min_length=1, max_length=len(Product))]
Regions = Annotated[tuple[RegionCode, ...], Meta(min_length=1, max_length=REGIONS_MAX)]
Networks = Annotated[tuple[Network, ...], Meta(max_length=ADDRESSES_MAX)]
Urls = Annotated[tuple[Url, ...], Meta(max_length=CALLBACK_URLS_MAX)]
Text = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class ChannelTermsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel is to be from now on; another operator has to approve it."""

    name_zh: ParticipantName
    name_en: ParticipantName
    contact: Contact
    region: RegionCode
    products: Products
    regions: Regions
    addresses: Networks = ()
    callback_urls: Urls = ()
    reason: Reason


class ChannelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Apply for a channel on behalf of who runs it."""

    channel_no: ChannelNumber
    owner_class: OwnerClassName
    parent: ChannelNumber | None = None
    name_zh: ParticipantName
    name_en: ParticipantName
    contact: Contact
    region: RegionCode
    products: Products
    regions: Regions
    addresses: Networks = ()
    callback_urls: Urls = ()
    key: KeyGiven
    reason: Reason


class StopRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop a channel, or a product of it, or it in a region. What is not given is all."""

    product: ProductName | None = None
    region: RegionCode | None = None
    reason: Reason
    evidence: Text = ""
    restore_condition: Text = ""


class ResumeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a channel go on, or lift one order about a part of it; another operator has to approve it."""

    stop_order_id: str | None = None
    reason: Reason


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A channel."""

    id: str
    channel_no: str
    status: ChannelStatus
    owner_class: OwnerClassName
    tier: int
    parent_id: str | None
    name_zh: str
    name_en: str
    contact: str | None
    region: str
    products: tuple[ProductName, ...]
    regions: tuple[str, ...]
    addresses: tuple[str, ...]
    callback_urls: tuple[str, ...]
    version: int
    applied_at: datetime
    changed_at: datetime
    secret: SecretView | UnsetType = UNSET
    keyid: str | UnsetType = UNSET
    history: "tuple[ChannelMoveView, ...] | UnsetType" = UNSET


class ChannelMoveView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a channel's history."""

    version: int
    move: str
    operator_id: str | None
    at: datetime
    reason: str


class StopOrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order that stops a channel, and what became of it."""

    id: str
    kind: Literal["rectify", "suspend", "terminate"]
    product: ProductName | None
    region: str | None
    reason: str
    evidence: str
    restore_condition: str
    operator_id: str | None
    effective_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


class ChannelList(msgspec.Struct, frozen=True, kw_only=True):
    """Channels, newest first."""

    items: tuple[ChannelView, ...]
    next_cursor: str | None


class StopOrderList(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's orders, newest first."""

    items: tuple[StopOrderView, ...]
    next_cursor: str | None


class ListedChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as anybody may see it."""

    channel_no: str
    owner_class: OwnerClassName
    name_zh: str
    name_en: str
    products: tuple[ProductName, ...]
    regions: tuple[str, ...]


class ChannelDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """Channels that a person can choose from, by number."""

    items: tuple[ListedChannelView, ...]
    next_cursor: str | None


def terms_of(given: ChannelRequest | ChannelTermsRequest) -> ChannelTerms:
    """What a channel is to be, as the rules see it."""
    return ChannelTerms(
        name_zh=given.name_zh,
        name_en=given.name_en,
        contact=given.contact,
        region=int(given.region),
        products=tuple(Product[name.upper()] for name in given.products),
        regions=tuple(map(int, given.regions)),
        addresses=given.addresses,
        callback_urls=given.callback_urls,
    )


def channel_view(channel: Channel, contact: str | None, history: list[ChannelStep] | None = None) -> ChannelView:
    """A channel as the wire shows it; *contact* is None for who need not know it."""
    return ChannelView(
        id=id_text(channel.id),
        channel_no=channel.channel_no,
        status=channel.state.name.lower(),  # type: ignore[arg-type]  # the states' names are the Literal's
        owner_class=channel.owner_class.name.lower(),  # type: ignore[arg-type]  # as above, the classes'
        tier=channel.tier,
        parent_id=id_text(channel.parent) if channel.parent is not None else None,
        name_zh=channel.name_zh,
        name_en=channel.name_en,
        contact=contact,
        region=f"{channel.region:06d}",
        products=_product_names(channel.products),
        regions=_codes(channel.regions),
        addresses=channel.addresses,
        callback_urls=channel.callback_urls,
        version=channel.version,
        applied_at=channel.applied_at,
        changed_at=channel.changed_at,
        history=tuple(map(_move_view, history)) if history is not None else UNSET,
    )


def stop_order_view(order: StopOrder) -> StopOrderView:
    """An order as the wire shows it."""
    return StopOrderView(
        id=id_text(order.id),
        kind=_KINDS[order.kind],
        product=_product_names((order.product,))[0] if order.product is not None else None,
        region=f"{order.region:06d}" if order.region != NATIONAL else None,
        reason=order.reason,
        evidence=order.evidence,
        restore_condition=order.restore_condition,
        operator_id=id_text(order.operator) if order.operator is not None else None,
        effective_at=order.effective_at,
        lifted_at=order.lifted_at,
        lifted_by=id_text(order.lifted_by) if order.lifted_by is not None else None,
    )


def listed_view(channel: ListedChannel) -> ListedChannelView:
    """A channel of the directory."""
    return ListedChannelView(
        channel_no=channel.channel_no,
        owner_class=channel.owner_class.name.lower(),  # type: ignore[arg-type]  # the classes' names are the Literal's
        name_zh=channel.name_zh,
        name_en=channel.name_en,
        products=_product_names(channel.products),
        regions=_codes(channel.regions),
    )


_KINDS: dict[StopKind, Literal["rectify", "suspend", "terminate"]] = {
    StopKind.RECTIFY: "rectify",
    StopKind.SUSPEND: "suspend",
    StopKind.TERMINATE: "terminate",
}


def _move_view(step: ChannelStep) -> ChannelMoveView:
    return ChannelMoveView(
        version=step.version,
        move=step.move.name.lower(),
        operator_id=id_text(step.operator) if step.operator is not None else None,
        at=step.at,
        reason=step.reason,
    )


def _product_names(products: tuple[Product, ...]) -> tuple[ProductName, ...]:
    return tuple(product.name.lower() for product in products)  # type: ignore[misc]  # the products' names are these


def _codes(regions: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{region:06d}" for region in regions)
