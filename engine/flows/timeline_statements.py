"""What banks' statements say of a payment, for its timeline: lines that agree, and differences."""

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg

from engine.core.ids import BankId, id_text
from engine.core.payment_timeline import Step, StepKind
from engine.formats.statement_search import RECORD_BYTES_MAX, references
from engine.store.reconciliation import DifferenceRecord, MatchedLine, Reconciliation, Reconciliations
from engine.store.uploads import Uploads


async def statement_steps(
    pool: asyncpg.Pool,
    payment_id: str,
    dates: Sequence[date],
    *,
    bank: BankId | None,
) -> list[Step]:
    """What standing statements say of a payment: of one bank, or of all.

    Shape: *dates* are the business dates on which banks were told of the payment.

    Raises:
        Fault: the database cannot answer.
    """
    reads = Reconciliations(pool)
    matches = [one for one in await reads.matches_of_payment(payment_id, dates=dates) if bank in (None, one.bank)]
    differences = [one for one in await reads.differences_of_payment(payment_id) if bank in (None, one.bank)]
    statements: dict[bytes, Reconciliation] = {}
    named = {match.reconciliation for match in matches} | {one.reconciliation for one in differences}
    for reconciliation in named:
        loaded = await reads.load(reconciliation)
        assert loaded is not None, "reconciliations are never deleted"
        statements[reconciliation] = loaded
    steps = []
    for reconciliation in {match.reconciliation for match in matches}:
        own = [match for match in matches if match.reconciliation == reconciliation]
        lines = {match.line for match in own} | {
            one.line for one in differences if one.reconciliation == reconciliation and one.line is not None
        }
        statement = statements[reconciliation]
        called = await _references(pool, statement, payment_id, sorted(lines))
        steps += [_match_step(match, statement, called) for match in own]
    for difference in differences:
        steps += _difference_steps(difference, statements[difference.reconciliation])
    return steps


async def _references(
    pool: asyncpg.Pool, statement: Reconciliation, payment_id: str, lines: Sequence[int]
) -> Mapping[int, str]:
    """What the bank calls a payment in the lines of its statement that are known to be the payment's.

    A match keeps no reference, so the statement is searched as it was sent. Of lines that do not name the payment
    itself it is not known which they are: then none is told.
    """
    uploads = Uploads(pool)
    found: dict[int, str] = {}  # by their places
    window, offset, part = b"", 0, 0
    while len(found) < len(lines) and (parts := await uploads.load_parts(statement.upload, first_part=part)):
        part += len(parts)
        kept = window[-RECORD_BYTES_MAX:]
        offset += len(window) - len(kept)
        window = b"".join((kept, *parts))
        found |= {offset + at: called for at, called in references(statement.form, window, payment_id)}
    in_order = [found[at] for at in sorted(found)]
    return dict(zip(lines, in_order, strict=True)) if len(in_order) == len(lines) else {}


def _match_step(match: MatchedLine, statement: Reconciliation, called: Mapping[int, str]) -> Step:
    bank_ref = {"bank_ref": called[match.line]} if match.line in called else {}
    ids = _statement_ids(statement) | {
        "statement_line": str(match.line),
        "file": match.file,
        "line": str(match.seq),
        **bank_ref,
    }
    return Step(at=statement.reconciled_at or statement.created_at, kind=StepKind.STATEMENT_LINE, ids=ids)


def _difference_steps(difference: DifferenceRecord, statement: Reconciliation) -> list[Step]:
    ids = _statement_ids(statement) | {"difference": str(difference.n), "class": difference.kind.name.lower()}
    if difference.bank_ref:
        ids["bank_ref"] = difference.bank_ref
    if difference.line is not None:
        ids["statement_line"] = str(difference.line)
    if difference.our_file is not None:
        ids |= {"file": difference.our_file, "line": str(difference.our_seq)}
    amount = difference.our_amount if difference.our_amount is not None else difference.amount
    steps = [Step(at=difference.first_seen_at, kind=StepKind.DIFFERENCE, ids=ids, amount=amount)]
    if difference.settled_at is not None:
        settled = ids | {"state": difference.state.name.lower()}
        if difference.resolution:
            settled["resolution"] = difference.resolution
        steps.append(Step(at=difference.settled_at, kind=StepKind.DIFFERENCE_SETTLED, ids=settled, amount=amount))
    return steps


def _statement_ids(statement: Reconciliation) -> dict[str, str]:
    return {"reconciliation_id": id_text(statement.id), "statement": statement.file_id, "bank": statement.cnaps}
