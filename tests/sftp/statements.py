"""What banks send over SFTP."""

from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing_lines import ClearingItem
from engine.formats import bank_file_formats
from tests.flows.statement_books import Line, statement
from tests.sftp.harbour import told
from tests.web.api import Api, bank_number


async def a_statement(api: Api, cycle: CycleNumber, *, bank: int, file_id: str) -> bytes:
    """A true statement of a cycle."""
    lines = []
    for kind, direction in (("COLLECT", Direction.DEBIT), ("CREDIT", Direction.CREDIT)):
        file = await told(api, cycle, bank=bank, kind=kind)
        items = [item for item in bank_file_formats()["flat"].decode([file.content]) if isinstance(item, ClearingItem)]
        lines += [
            Line(f"{kind}{n}", item.payment_id, direction, item.amount, cycle_date(cycle))
            for n, item in enumerate(items)
        ]
    return statement(
        lines, business_date=cycle_date(cycle), cycle=cycle % 100, file_id=file_id, sender=bank_number(bank)
    )
