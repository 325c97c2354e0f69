"""Medical bills as requests carry them, read strictly."""

from typing import Final

from engine.core.benefits import PRICE_E6_MAX, QUANTITY_E4_MAX, BillLine, MedicalBill, line_amount
from engine.core.decimals import scaled, unscaled
from engine.core.payments import TenderKind
from engine.core.refusals import Refusal
from engine.core.scenarios import Scenario
from engine.web.body import Refused, refuse_field
from engine.web.problems import FieldError
from engine.web.wire_medical import BillLineRequest, MedicalBillRequest

_QUANTITY_PLACES: Final = 4
_PRICE_PLACES: Final = 6


def bill_in(given: MedicalBillRequest) -> MedicalBill:
    """The bill of a request. A line that says what it costs has to be right about it.

    Raises:
        Refused: a number is written otherwise, or a line does not add up.
    """
    lines = []
    for n, line in enumerate(given.lines):
        quantity, price = scaled(line.quantity, _QUANTITY_PLACES), scaled(line.price, _PRICE_PLACES)
        if quantity is None or not 0 < quantity <= QUANTITY_E4_MAX:
            raise Refused(
                Refusal.BILL_INVALID, (FieldError(f"/bill/lines/{n}/quantity", "more than 0, four decimals"),)
            )
        if price is None or price > PRICE_E6_MAX:
            raise Refused(Refusal.BILL_INVALID, (FieldError(f"/bill/lines/{n}/price", "yuan, six decimals"),))
        amount = line_amount(quantity, price)
        if line.amount is not None and line.amount != amount:
            reason = f"quantity times price is {amount} fen"
            raise Refused(Refusal.AMOUNT_NOT_BALANCED, (FieldError(f"/bill/lines/{n}/amount", reason),))
        lines.append(BillLine(line.item, quantity, price, amount))
    return MedicalBill(tuple(lines), given.visit_no)


def bill_shown(bill: MedicalBill) -> MedicalBillRequest:
    """A bill as a request would carry it, with what each line comes to."""
    lines = tuple(
        BillLineRequest(
            item=line.item,
            quantity=unscaled(line.quantity_e4, _QUANTITY_PLACES),
            price=unscaled(line.price_e6, _PRICE_PLACES),
            amount=line.amount,
        )
        for line in bill.lines
    )
    return MedicalBillRequest(lines=lines, visit_no=bill.visit_no)


def refuse_wrong_bill(scenario: Scenario, *, bill_no: str | None, medical: str | None) -> None:
    """Let a request name only what its scenario is paid by: an agency's bill, a medical one, or none.

    *medical* is the pointer to the field that names a medical bill, if one does.

    Raises:
        Refused: it names another.
    """
    if bill_no is None and scenario.needs_bill_no:
        raise refuse_field("/bill_no", f"required for {scenario.name}")
    if medical is None:
        return
    if TenderKind.POOL_FUND not in scenario.tenders:
        raise refuse_field(medical, f"no insurance pays for {scenario.name}")
    if bill_no is not None:
        raise refuse_field(medical, "an agency's bill is paid by one's own means")
