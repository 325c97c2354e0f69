"""A payment's timeline over HTTP: for its merchant, its banks and operators, in their language, and for nobody else."""

from datetime import datetime
from typing import get_args

import msgspec
import pytest
import pytest_asyncio

from engine.core.calendar import CycleNumber, cycle_date, cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import IdKind, id_text
from engine.core.payment_timeline import StepKind
from engine.formats import bank_file_formats
from engine.web.timeline_texts import TEXTS
from engine.web.wire_timelines import StepName, TimelineStepView
from tests.flows.statement_books import Line, line_of, statement
from tests.web.api import Api, Json, bank_number, nobodys_id
from tests.web.operators import add_operators

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Day(msgspec.Struct, frozen=True):
    """A published cycle: a payment by card 0 that its bank's statement has, and another one that it lacks."""

    cycle: CycleNumber
    path: str
    other: str
    reconciliation: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(city: Api) -> Day:
    """Bank-0 keeps card 0 and merchant-0; the funds are bank-2's."""
    await add_operators(city)
    await city.paid(card=0, amount=500)
    await city.paid(card=3, amount=700)
    paid = await city.paid(card=0, amount=100_000)  # more than is left on the personal account
    other = await city.paid(card=3, amount=100_000, order_no="A-2")
    cycle = await city.publish()
    lines = []
    listed = await city.get(f"/v1/clearing/files?cycle={cycle_text(cycle)}&form=flat", caller="bank-0")
    for manifest in listed.items:
        if manifest["kind"] in ("COLLECT", "CREDIT"):
            content = (await city.get(f"/v1/clearing/files/{manifest['name']}", caller="bank-0")).body
            items = [one for one in bank_file_formats()["flat"].decode([content]) if isinstance(one, ClearingItem)]
            lines += [_line(item, is_debit=manifest["kind"] == "COLLECT", cycle=cycle) for item in items]
    kept = [line for line in lines if line.payment_id != other.rpartition("/")[2]]
    content = statement(kept, business_date=cycle_date(cycle), cycle=cycle % 100, file_id="ST-9", sender=bank_number(0))
    reply = await city.post("/v1/clearing/statements", content, caller="bank-0")
    assert reply.status == 201, reply.body
    return Day(cycle, paid, other, str(reply["reconciliation_id"]))


def _line(item: ClearingItem, *, is_debit: bool, cycle: CycleNumber) -> Line:
    """What bank-0 books of an item."""
    line = line_of(item, booked_on=cycle_date(cycle), ref=f"REF-{item.order_no}-{item.leg}-{is_debit}")
    direction = type(line.direction)("DEBIT" if is_debit else "CREDIT")
    return msgspec.structs.replace(line, direction=direction)


async def shown(city: Api, path: str, *, caller: str = "merchant-0", language: str = "en") -> list[Json]:
    """The steps of a timeline."""
    reply = await city.get(f"{path}/timeline", caller=caller, headers={"Accept-Language": language})
    assert reply.status == 200, reply.body
    instants = [datetime.fromisoformat(str(step["at"])) for step in reply.items]
    assert instants == sorted(instants)
    return reply.items


def of_kind(steps: list[Json], kind: str) -> list[dict[str, str]]:
    """The ids of the steps of one kind."""
    return [msgspec.convert(step["ids"], dict[str, str]) for step in steps if step["kind"] == kind]


async def test_merchant_sees_its_payment_from_the_scan_to_the_statement(city: Api, day: Day) -> None:
    steps = await shown(city, day.path)
    kinds = list(dict.fromkeys(step["kind"] for step in steps))
    assert kinds == ["captured", "posted", "cycle_closed", "file_line", "published", "pulled", "statement_line"]
    assert {ids["cycle"] for ids in of_kind(steps, "posted")} == {cycle_text(day.cycle)}
    forms = [ids["form"] for ids in of_kind(steps, "file_line")]
    assert sorted(set(forms)) == sorted(bank_file_formats())
    places = {
        (ids["posting"], ids["bank"], ids["file"].split("_")[4]): ids["line"] for ids in of_kind(steps, "file_line")
    }
    assert len(places) * len(bank_file_formats()) == len(forms), "one place in both forms"
    found = of_kind(steps, "statement_line")
    assert {ids["reconciliation_id"] for ids in found} == {day.reconciliation}
    assert {ids["statement"] for ids in found} == {"ST-9"}
    assert len(found) == 3, "the card's part, and what both parts give to the merchant"


async def test_bank_refs_of_both_sides_are_told(city: Api, day: Day) -> None:
    """The bank's own reference stands beside the line of our file that it agrees with."""
    found = of_kind(await shown(city, day.path), "statement_line")
    assert {ids["bank_ref"].rpartition("-")[2] for ids in found} == {"True", "False"}
    for ids in found:
        assert ids["bank_ref"].endswith("True" if "_COLLECT_" in ids["file"] else "False")


async def test_difference_is_told(city: Api, day: Day) -> None:
    steps = await shown(city, day.other)
    (first, *_) = found = of_kind(steps, "difference")
    assert {ids["class"] for ids in found} == {"short"}
    assert first["reconciliation_id"] == day.reconciliation
    assert not of_kind(steps, "statement_line")


async def test_bank_sees_its_own_part_only(city: Api, day: Day) -> None:
    own = await shown(city, day.path, caller="bank-0")
    funds = await shown(city, day.path, caller="bank-2")
    assert {ids["bank"] for ids in of_kind(own, "file_line")} == {bank_number(0)}
    assert {ids["bank"] for ids in of_kind(funds, "file_line")} == {bank_number(2)}
    assert [step["amount"] for step in funds if step["kind"] == "posted"] == [99_500]
    assert of_kind(own, "statement_line")
    assert not of_kind(funds, "statement_line")
    assert not of_kind(own, "captured")


async def test_bank_without_a_part_finds_nothing(city: Api, day: Day) -> None:
    assert (await city.get(f"{day.path}/timeline", caller="bank-1")).refused == (404, "payment-not-found")
    unpublished = await city.paid(card=0, amount=5)
    assert (await city.get(f"{unpublished}/timeline", caller="bank-0")).refused == (404, "payment-not-found")
    assert (await city.get(f"{unpublished}/timeline")).status == 200


async def test_operator_sees_all_payments_of_its_region(city: Api, day: Day) -> None:
    assert of_kind(await shown(city, day.path, caller="alpha"), "captured")
    assert of_kind(await shown(city, day.path, caller="beijing"), "captured")
    assert (await city.get(f"{day.path}/timeline", caller="shanghai")).refused == (404, "payment-not-found")


async def test_card_is_shown_to_those_who_have_it_anyway(city: Api, day: Day) -> None:
    card = id_text(city.world.cards[0])
    assert card not in str(await shown(city, day.path))
    assert card in str(await shown(city, day.path, caller="alpha"))


async def test_nobody_elses_payment_is_found(city: Api, day: Day) -> None:
    assert (await city.get(f"{day.path}/timeline", caller="merchant-1")).refused == (404, "payment-not-found")
    for caller in ("agency", "channel"):
        assert (await city.get(f"{day.path}/timeline", caller=caller)).refused == (404, "not-found")
    path = f"/v1/payments/{nobodys_id(IdKind.PAYMENT)}"
    for caller in ("merchant-0", "bank-0", "alpha"):
        assert (await city.get(f"{path}/timeline", caller=caller)).refused == (404, "payment-not-found")
    assert (await city.get("/v1/payments/pay_1/timeline")).refused == (404, "payment-not-found")


async def test_words_are_in_the_callers_language(city: Api, day: Day) -> None:
    english, chinese = await shown(city, day.path), await shown(city, day.path, language="zh")
    assert english[0]["text"] == "Paid 1000.00 yuan"
    assert chinese[0]["text"] == "支付成功 1000.00 元"
    assert [step["ids"] for step in english] == [step["ids"] for step in chinese]
    assert not [step["text"] for step in (*english, *chinese) if "–" in str(step["text"])], "every value is there"


async def test_every_kind_of_step_has_words_and_is_in_the_contract() -> None:
    assert set(TEXTS) == set(StepKind)
    assert set(get_args(StepName)) == {kind.value for kind in StepKind}
    assert TimelineStepView.__struct_fields__ == ("at", "kind", "ids", "amount", "text")
