"""Medical bills over the wire: what a hospital charges, and what the insurance makes of it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.benefits import LINES_MAX, VISIT_NO_CHARS_MAX
from engine.core.money import AMOUNT_FEN_MAX

CatalogueCode = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{1,40}\Z")]
Quantity = Annotated[str, Meta(pattern=r"^[0-9]{1,7}(\.[0-9]{1,4})?\Z")]
Price = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?\Z")]
LineAmount = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_MAX, description="fen")]
VisitNo = Annotated[str, Meta(pattern=rf"^[0-9A-Za-z_-]{{1,{VISIT_NO_CHARS_MAX}}}\Z")]


class BillLineRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a medical bill."""

    item: CatalogueCode
    quantity: Quantity
    price: Price
    amount: LineAmount | None = None


class MedicalBillRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A medical bill, of which the insurance pays its part."""

    lines: Annotated[tuple[BillLineRequest, ...], Meta(min_length=1, max_length=LINES_MAX)]
    visit_no: VisitNo | None = None


class SplitView(msgspec.Struct, frozen=True, kw_only=True):
    """A medical bill as the insurance sees it. Units: fen.

    `total` is `own_pay`, `over_limit`, `pre_self` and `in_scope` together.
    """

    plan: str
    total: int
    own_pay: int
    over_limit: int
    pre_self: int
    in_scope: int
    deductible: int
    fund: int


class QuoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask what the insurance would make of a medical bill."""

    pay_code: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    card_no: Annotated[str, Meta(pattern=r"^[0-9A-Z]{8,20}\Z")] | None = None
    scenario: Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")]
    terminal_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:-]{1,32}\Z")]
    bill: MedicalBillRequest


class QuoteTenderView(msgspec.Struct, frozen=True, kw_only=True):
    """What would pay a part of the bill. Units: fen."""

    kind: Literal["pool_fund", "personal_account", "family_account", "bank_card"]
    fund_pay_type: str | msgspec.UnsetType = msgspec.UNSET
    amount: int


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-settlement. Units: fen."""

    id: str
    amount: int
    currency: Literal["CNY"]
    split: SplitView
    tenders: tuple[QuoteTenderView, ...]
    created_at: datetime
    expires_at: datetime
