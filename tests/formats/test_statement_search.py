"""What a bank calls a payment is found in its statement, in every form, as its reader reads it."""

import msgspec
import pytest

from engine.core.bank_lines import StatementLine
from engine.formats.statement_search import references
from engine.formats.upload_readers import upload_reader
from tests.formats.uploads import (
    PAYMENT,
    REFUND,
    SETTLED_ON,
    a_camt053,
    a_flat_statement,
    a_line,
    a_zm_line,
    an_entry,
    lines_of,
)

OTHER = PAYMENT[:-1] + "0"
LINES = tuple(
    msgspec.structs.replace(a_line(), payment_id=payment, bank_ref=ref)
    for payment, ref in ((OTHER, "B-1"), (PAYMENT, "B-2"), ("", "B-3"), (PAYMENT, "B&amp;4"), (OTHER, "B-5"))
)
STATEMENTS = {
    "flat": a_flat_statement(*LINES),
    "camt.053.001.08": a_camt053(*LINES),
    "unionpay_zm": b"".join(
        a_zm_line({10: line.bank_ref.replace("&amp;", "")[:21], 12: line.payment_id or "nobody"}) for line in LINES
    ),
}


@pytest.mark.parametrize("form", STATEMENTS)
def test_references_are_what_the_reader_reads(form: str) -> None:
    content = STATEMENTS[form]
    reader = upload_reader(content, settled_on=SETTLED_ON)
    assert reader is not None
    assert reader.name == form
    read = [
        line.bank_ref
        for line in lines_of(reader.read([content]))
        if isinstance(line, StatementLine) and line.payment_id == PAYMENT
    ]
    assert len(read) == 2
    assert [reference for _, reference in references(form, content, PAYMENT)] == read


@pytest.mark.parametrize("form", STATEMENTS)
def test_record_that_is_cut_off_is_not_taken(form: str) -> None:
    """The rest of it comes with the next stretch, which has the whole of it."""
    content = STATEMENTS[form]
    place, reference = references(form, content, PAYMENT)[-1]
    end = content.index(PAYMENT.encode(), place) + len(PAYMENT)
    assert references(form, content[:end], PAYMENT) == references(form, content, PAYMENT)[:-1]
    again = references(form, content[max(0, place - 700) :], PAYMENT)
    assert again[-1][1] == reference


def test_reference_of_one_detail_among_several_is_its_own() -> None:
    details = "".join(
        f"<TxDtls><Refs><AcctSvcrRef>{ref}</AcctSvcrRef><EndToEndId>{payment}</EndToEndId></Refs></TxDtls>"
        for ref, payment in (("D-1", OTHER), ("D-2", PAYMENT), ("D-3", OTHER))
    )
    content = a_camt053(entries=[an_entry(a_line(), details=details)])
    assert [found for _, found in references("camt.053.001.08", content, PAYMENT)] == ["D-2"]


def test_entry_of_another_prefix_is_found() -> None:
    content = a_camt053(*LINES).decode()
    for name in ("Ntry", "TxDtls", "NtryDtls", "AcctSvcrRef", "EndToEndId"):
        content = content.replace(f"<{name}>", f"<p:{name}>").replace(f"</{name}>", f"</p:{name}>")
    assert len(references("camt.053.001.08", content.encode(), PAYMENT)) == 2


def test_what_is_not_there_is_not_found() -> None:
    for form, content in STATEMENTS.items():
        assert references(form, content, REFUND) == []
    assert references("csv", STATEMENTS["flat"], PAYMENT) == []
