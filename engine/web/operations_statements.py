"""What the contract says of merchants' daily statements and of payments' timelines."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag
from engine.web.wire_statements import MerchantStatementView
from engine.web.wire_timelines import TimelineView

STATEMENT_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/statements/{business_date}"): Operation(
        tag=Tag.PAYMENTS,
        summary="A merchant's daily statement",
        text="For merchants, and for operators. It is made of the very postings that the banks' files are made of."
        " `totals` are on the first page only, where no `cursor` is given. With `Accept: text/csv` all lines come as"
        " one CSV file (RFC 4180, UTF-8, with a header row; `limit` and `cursor` are not known then). A cell that a"
        " spreadsheet would take for a formula, because it begins with `=`, `+`, `-`, `@`, a tab or a line end, has an"
        " apostrophe in front. A date that is open has what there is so far, and lines are added until `is_final`.",
        parameters=(
            Parameter(
                name="business_date",
                text="The business date; one that has not begun is not found.",
                schema={"type": "string", "format": "date"},
                place="path",
            ),
            Parameter(
                name="merchant",
                text="Whose statement; for operators, who have to say it.",
                schema={"type": "string", "pattern": id_pattern(IdKind.MERCHANT)},
            ),
            *PAGE,
        ),
        response=MerchantStatementView,
        media_types=("application/json", "text/csv"),
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("GET", "/v1/payments/{id}/timeline"): Operation(
        tag=Tag.PAYMENTS,
        summary="A payment's timeline",
        text="For its merchant, for operators, and for the banks that have a part in it: a bank sees its own part, once"
        " a clearing file has told it. `ids` names things on our side (postings as `lane.seq.n`, cycles, clearing files"
        " and their lines) and on the banks' (returns, statements and their lines). A merchant is not shown the"
        " cardholder's id.",
        parameters=(
            Parameter(
                name="id",
                text="The payment.",
                schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
                place="path",
            ),
        ),
        response=TimelineView,
        refusals=(Refusal.NOT_FOUND, Refusal.PAYMENT_NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
}
