"""Examples of what is sent about orders that are shown to be paid."""

from typing import Final

import msgspec

from engine.core.ids import IdKind, id_text, make_id
from engine.web.wire_medical import BillLineRequest, MedicalBillRequest
from engine.web.wire_orders import OrderItemView, OrderPaymentRequest, OrderRequest

ORDER_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    OrderRequest(
        order_no="A-1002",
        amount=7_350,
        scenario="pharmacy",
        terminal_id="T-01",
        items=(
            OrderItemView(name="阿莫西林胶囊 0.25g×24", quantity=2, amount=3_600),
            OrderItemView(name="维生素C片 100mg×100", quantity=1, amount=3_750),
        ),
        return_url="https://pharmacy.example/orders/A-1002",
        bill=MedicalBillRequest(
            lines=(
                BillLineRequest(item="XA01", quantity="2", price="18.00", amount=3_600),
                BillLineRequest(item="XA02", quantity="1", price="37.50", amount=3_750),
            )
        ),
    ),
    OrderPaymentRequest(
        card_id=id_text(make_id(IdKind.CARD, at_ms=1_795_521_600_000, shard=7, region=110_101, entropy=2**40)),
        amount=7_350,
    ),
)
