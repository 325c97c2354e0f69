"""What goes over the wire about orders that are shown to be paid: requests, answers, and one from the other."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.codes.merchant_qr import (
    CITY_CHARS_MAX,
    NAME_CHARS_MAX,
    REFERENCE_CHARS_MAX,
    OrderQr,
    latin_name,
    merchant_qr_text,
)
from engine.codes.order_code import token_text
from engine.core.ids import id_text
from engine.core.money import CURRENCY
from engine.core.orders import ITEMS_MAX, LIVES_S_DEFAULT, LIVES_S_MAX, OrderItem, OrderStatus, ShownOrder
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER
from engine.store.orders import OrderMerchant
from engine.web.medical_bill import bill_shown
from engine.web.wire import Amount, BillNo, OrderNo, PaymentView, ScenarioName, TenderView, TerminalId, Text
from engine.web.wire_medical import MedicalBillRequest, SplitView

ItemName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
LifeSeconds = Annotated[int, Meta(ge=1, le=LIVES_S_MAX)]
ReturnUrl = Annotated[str, Meta(min_length=1, max_length=500)]
CardIdText = Annotated[str, Meta(min_length=1, max_length=31)]
PasswordBlockText = Annotated[str, Meta(min_length=1, max_length=2_048)]
StatusName = Literal["open", "paid", "cancelled", "expired"]


class OrderItemView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line that whoever pays is shown. Units: fen, for all pieces."""

    name: ItemName
    quantity: Quantity = 1
    amount: Amount


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Show an order to be paid, or show it anew. Units: fen, seconds."""

    order_no: OrderNo
    amount: Amount
    scenario: ScenarioName
    terminal_id: TerminalId
    description: Text | None = None
    items: Annotated[tuple[OrderItemView, ...], Meta(max_length=ITEMS_MAX)] = ()
    expires_in_s: LifeSeconds = LIVES_S_DEFAULT
    return_url: ReturnUrl | None = None
    bill_no: BillNo | None = None
    bill: MedicalBillRequest | None = None


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as its merchant sees it. Units: fen."""

    id: str
    order_no: str
    version: int
    status: StatusName
    amount: int
    currency: Literal["CNY"]
    scenario: str
    terminal_id: str
    merchant_id: str
    description: str | None
    items: tuple[OrderItemView, ...]
    qr_text: str
    qr_svg: str
    cashier_url: str
    return_url: str | None
    expires_at: datetime
    created_at: datetime
    bill_no: str | UnsetType = UNSET
    bill: MedicalBillRequest | UnsetType = UNSET
    payment: PaymentView | UnsetType = UNSET


class OrderList(msgspec.Struct, frozen=True, kw_only=True):
    """Orders, newest first."""

    items: tuple[OrderView, ...]
    next_cursor: str | None


class CardPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What paying an order by a card would come to now. Nothing is held or used for it. Units: fen."""

    would_be_refused: bool
    code: str | None
    must_confirm: bool
    tenders: tuple[TenderView, ...]
    medical: SplitView | UnsetType = UNSET


class OrderPreview(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as the cardholder's app shows it before it is paid. Units: fen."""

    token: str
    version: int
    status: StatusName
    amount: int
    currency: Literal["CNY"]
    scenario: str
    merchant_id: str
    name_zh: str
    name_en: str
    region: str
    order_no: str
    description: str | None
    items: tuple[OrderItemView, ...]
    expires_at: datetime
    bill_no: str | UnsetType = UNSET
    by_card: CardPreview | UnsetType = UNSET


class OrderPaymentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pay an order with a card, as its holder has agreed to in the caller's app. Units: fen."""

    card_id: CardIdText
    amount: Amount
    password_block: PasswordBlockText | None = None


def items_given(items: tuple[OrderItemView, ...]) -> tuple[OrderItem, ...]:
    """The lines of a request, as the books keep them."""
    return tuple(OrderItem(item.name, item.quantity, item.amount) for item in items)


def order_view(
    order: ShownOrder,
    merchant: OrderMerchant,
    status: OrderStatus,
    *,
    origin: str,
    payment: PaymentView | None = None,
) -> OrderView:
    """An order as its merchant sees it. *origin* is where the engine was reached, such as ``https://pay.example``."""
    identifier = id_text(order.id)
    return OrderView(
        id=identifier,
        order_no=order.order_no,
        version=order.version,
        status=status.value,
        amount=order.amount,
        currency=CURRENCY,
        scenario=BY_NUMBER[order.scenario].name,
        terminal_id=order.terminal_id,
        merchant_id=id_text(order.merchant),
        description=order.description,
        items=_item_views(order),
        qr_text=qr_text(order, merchant),
        qr_svg=f"{origin}/v1/orders/{identifier}/qr.svg",
        cashier_url=f"{origin}/q/o/{token_text(order.token)}",
        return_url=order.return_url,
        expires_at=order.expires_at,
        created_at=order.created_at,
        bill_no=order.bill_no if order.bill_no is not None else UNSET,
        bill=bill_shown(order.bill) if order.bill is not None else UNSET,
        payment=payment if payment is not None else UNSET,
    )


def order_preview(
    order: ShownOrder, merchant: OrderMerchant, status: OrderStatus, *, by_card: CardPreview | None = None
) -> OrderPreview:
    """An order as the cardholder's app shows it."""
    return OrderPreview(
        token=token_text(order.token),
        version=order.version,
        status=status.value,
        amount=order.amount,
        currency=CURRENCY,
        scenario=BY_NUMBER[order.scenario].name,
        merchant_id=id_text(order.merchant),
        name_zh=merchant.name_zh,
        name_en=merchant.name_en,
        region=f"{merchant.region:06d}",
        order_no=order.order_no,
        description=order.description,
        items=_item_views(order),
        expires_at=order.expires_at,
        bill_no=order.bill_no if order.bill_no is not None else UNSET,
        by_card=by_card if by_card is not None else UNSET,
    )


def card_preview(refusal: Refusal | None, payment: PaymentView | None) -> CardPreview:
    """What became of paying by a card, had it been asked for. *payment* is as it would have been stored."""
    return CardPreview(
        would_be_refused=refusal is not None,
        code=refusal.slug if refusal is not None else None,
        must_confirm=payment is not None and payment.status == "awaiting_user",
        tenders=payment.tenders if payment is not None else (),
        medical=payment.medical if payment is not None else UNSET,
    )


def qr_text(order: ShownOrder, merchant: OrderMerchant) -> str:
    """The text of the order's QR code. Names are cut to what such a code holds; numbers that are too long left out."""
    name_zh = "".join(character for character in merchant.name_zh if character.isprintable())[:NAME_CHARS_MAX]
    return merchant_qr_text(
        OrderQr(
            order=token_text(order.token),
            merchant_code=merchant.code,
            merchant_name=latin_name(merchant.name_en, NAME_CHARS_MAX, otherwise=merchant.code),
            city=f"{merchant.region:06d}"[:CITY_CHARS_MAX],
            mcc=BY_NUMBER[order.scenario].mcc,
            amount=order.amount,
            bill_no=order.order_no if len(order.order_no) <= REFERENCE_CHARS_MAX else None,
            terminal_id=order.terminal_id if len(order.terminal_id) <= REFERENCE_CHARS_MAX else None,
            merchant_name_zh=name_zh or None,
        )
    )


def _item_views(order: ShownOrder) -> tuple[OrderItemView, ...]:
    return tuple(OrderItemView(name=item.name, quantity=item.quantity, amount=item.amount) for item in order.items)
