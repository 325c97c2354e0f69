"""Medical bills as requests carry them, from bills whose numbers are whole."""

from engine.core.benefits import MedicalBill
from engine.core.decimals import unscaled
from engine.web.wire_medical import BillLineRequest, MedicalBillRequest


def bill_request(bill: MedicalBill) -> MedicalBillRequest:
    """The bill with its quantities and prices as text, and what each line comes to, so that the engine compares it."""
    return MedicalBillRequest(
        lines=tuple(
            BillLineRequest(
                item=line.item,
                quantity=unscaled(line.quantity_e4, 4),
                price=unscaled(line.price_e6, 6),
                amount=line.amount,
            )
            for line in bill.lines
        ),
        visit_no=bill.visit_no,
    )
