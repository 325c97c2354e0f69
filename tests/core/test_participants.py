"""What of a participant can be true: codes, regions, what each kind has, and who may do what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ids import REGION_MAX, IdKind, MalformedId, id_text, make_id
from engine.core.participants import (
    ID_KINDS,
    RIGHTS,
    AgencyItem,
    Change,
    Operator,
    OperatorRole,
    Participant,
    ParticipantKind,
    Registration,
    Right,
    changed,
    covers,
    is_bank_number,
    is_region,
    parse_participant_id,
    regions_of,
    wrong_fields,
)
from engine.sandbox.numbers import bank_number

BANK = "102100099996"
MERCHANT = Registration(
    kind=ParticipantKind.MERCHANT,
    code="H11010100007",
    name_zh="示例医院",
    name_en="Example Hospital",
    region=110101,
    bank=BANK,
    scenarios=("outpatient",),
)


def test_every_role_has_its_rights_and_only_one_may_ask() -> None:
    assert set(RIGHTS) == set(OperatorRole)
    assert all(Right.READ in rights for rights in RIGHTS.values())
    assert {role for role, rights in RIGHTS.items() if Right.REQUEST in rights} == {OperatorRole.OPERATIONS}
    assert {role for role, rights in RIGHTS.items() if Right.DECIDE in rights} == {
        OperatorRole.OPERATIONS,
        OperatorRole.REVIEW,
    }


@pytest.mark.parametrize(
    ("scope", "region", "is_covered"),
    [
        (0, 0, True),
        (0, 659006, True),
        (110000, 110101, True),
        (110000, 110000, True),
        (110000, 120101, False),
        (110000, 0, False),
        (110100, 110101, True),
        (110100, 110201, False),
        (110100, 110000, False),
        (110101, 110101, True),
        (110101, 110102, False),
    ],
)
def test_region_lies_in_a_scope(scope: int, region: int, is_covered: bool) -> None:
    assert covers(scope, region) == is_covered


@given(scope=st.integers(0, REGION_MAX), region=st.integers(0, REGION_MAX))
def test_what_a_scope_covers_is_what_its_text_begins_with(scope: int, region: int) -> None:
    text = f"{scope:06d}"
    while text.endswith("00"):
        text = text[:-2]
    if is_region(scope):
        assert covers(scope, region) == f"{region:06d}".startswith(text)
        assert regions_of(scope)[0] == scope


@pytest.mark.parametrize(
    ("region", "is_one"),
    [
        (0, True),
        (110000, True),
        (110100, True),
        (429004, True),
        (110001, False),
        (100, False),
        (1, False),
        (-1, False),
        (1_000_000, False),
    ],
)
def test_region_is_written_like_one(region: int, is_one: bool) -> None:
    assert is_region(region) == is_one


@given(bank_class=st.integers(100, 999), serial=st.integers(0, 9999), digit=st.integers(1, 9))
def test_bank_number_has_its_check_digit_and_no_other(bank_class: int, serial: int, digit: int) -> None:
    number = bank_number(bank_class=bank_class, area=1000, serial=serial)
    assert is_bank_number(number)
    assert not is_bank_number(number[:-1] + str((int(number[-1]) + digit) % 10))


@pytest.mark.parametrize("text", ["", BANK[:-1], BANK + "0", "１０２100099996", " " + BANK[:-1], BANK[:-1] + "\n"])
def test_what_is_no_bank_number(text: str) -> None:
    assert not is_bank_number(text)


@pytest.mark.parametrize(
    "registration",
    [
        MERCHANT,
        Registration(kind=ParticipantKind.BANK, code=BANK, name_zh="银行", name_en="Bank", region=0, delivery=(1, 3)),
        Registration(
            kind=ParticipantKind.AGENCY,
            code="exam-1",
            name_zh="考试中心",
            name_en="Exams",
            region=110100,
            bank=BANK,
            item="exam_fee",
        ),
        Registration(
            kind=ParticipantKind.OPERATOR, code="li-wei", name_zh="李伟", name_en="Li Wei", region=0, role="audit"
        ),
    ],
    ids=lambda registration: registration.kind,
)
def test_each_kind_may_be_asked_for(registration: Registration) -> None:
    assert list(wrong_fields(registration)) == []


def wrong(**changes: object) -> list[str]:
    """The fields of a merchant's registration that are wrong with these changes."""
    values = {name: getattr(MERCHANT, name) for name in MERCHANT.__struct_fields__} | changes
    return [found.field for found in wrong_fields(Registration(**values))]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"region": 110102}, ["region"]),
        ({"region": 110001, "code": "H11000100007"}, ["region"]),
        ({"name_zh": "", "name_en": " x"}, ["name_zh", "name_en"]),
        ({"name_zh": "名\n字"}, ["name_zh"]),
        ({"name_en": "x" * 101}, ["name_en"]),
        ({"code": "X11010100007"}, ["code"]),
        ({"bank": ""}, ["bank"]),
        ({"scenarios": ()}, ["scenarios"]),
        ({"scenarios": ("teleport",)}, ["scenarios"]),
        ({"terminals": ("T 1",)}, ["terminals"]),
        ({"terminals": ("T", "T")}, ["terminals"]),
        ({"terminals": tuple(f"T{n}" for n in range(501))}, ["terminals"]),
        ({"level": 4}, ["level"]),
        ({"level": -1}, ["level"]),
        ({"item": "premium"}, ["item"]),
        ({"role": "audit"}, ["role"]),
        ({"is_settlement_bank": True}, ["is_settlement_bank"]),
        ({"delivery": (1,)}, ["delivery"]),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], fields: list[str]) -> None:
    assert wrong(**changes) == fields


@pytest.mark.parametrize("delivery", [(2, 1), (1, 1), (0,), (100,)])
def test_delivery_that_cannot_be(delivery: tuple[int, ...]) -> None:
    bank = Registration(
        kind=ParticipantKind.BANK, code=BANK, name_zh="银行", name_en="Bank", region=0, delivery=delivery
    )
    assert [found.field for found in wrong_fields(bank)] == ["delivery"]


def test_an_operator_never_shares_a_secret() -> None:
    operator = Registration(
        kind=ParticipantKind.OPERATOR,
        code="li-wei",
        name_zh="李伟",
        name_en="Li Wei",
        region=0,
        role="audit",
        alg="hmac-sha256",
    )
    assert [found.field for found in wrong_fields(operator)] == ["key"]


@pytest.mark.parametrize("kind", ParticipantKind)
def test_id_says_its_kind(kind: ParticipantKind) -> None:
    identifier = make_id(ID_KINDS[kind], at_ms=1, shard=0, region=110101, entropy=7)
    assert parse_participant_id(id_text(identifier)) == identifier


@pytest.mark.parametrize("kind", [IdKind.PAYMENT, IdKind.CARD, IdKind.CHANNEL, IdKind.APPROVAL])
def test_what_takes_no_part_has_no_such_id(kind: IdKind) -> None:
    with pytest.raises(MalformedId):
        parse_participant_id(id_text(make_id(kind, at_ms=1, shard=0, region=110101, entropy=7)))


def test_change_leaves_what_it_does_not_name() -> None:
    agency = Participant(
        id=bytes(16),
        kind=ParticipantKind.AGENCY,
        code="exam-1",
        name_zh="考试中心",
        name_en="Exams",
        region=110100,
        bank=BANK,
        scenarios=(),
        level=None,
        item=AgencyItem.EXAM_FEE,
        role=None,
        is_settlement_bank=False,
        delivery=(),
        is_suspended=False,
        suspended_reason=None,
        version=3,
        registered_at=None,
        changed_at=None,
    )
    wanted = changed(agency, Change(id="", version=3, name_en="Examinations"))
    assert (wanted.name_en, wanted.name_zh, wanted.bank, wanted.item) == ("Examinations", "考试中心", BANK, "exam_fee")


@pytest.mark.parametrize("level", range(4))
def test_merchant_may_have_a_grade_and_nobody_else(level: int) -> None:
    assert wrong(level=level) == []
    bank = Registration(kind=ParticipantKind.BANK, code=BANK, name_zh="银行", name_en="Bank", region=0, level=level)
    assert [found.field for found in wrong_fields(bank)] == (["level"] if level else [])


def test_change_of_the_grade_leaves_the_rest_and_the_rest_leaves_the_grade() -> None:
    hospital = Participant(
        id=bytes(16),
        kind=ParticipantKind.MERCHANT,
        code=MERCHANT.code,
        name_zh=MERCHANT.name_zh,
        name_en=MERCHANT.name_en,
        region=MERCHANT.region,
        bank=BANK,
        scenarios=(1,),
        level=3,
        item=None,
        role=None,
        is_settlement_bank=False,
        delivery=(),
        is_suspended=False,
        suspended_reason=None,
        version=1,
        registered_at=None,
        changed_at=None,
    )
    assert changed(hospital, Change(id="", version=1, level=0)) == MERCHANT
    assert changed(hospital, Change(id="", version=1, bank=BANK)).level == 3


def test_suspended_operator_may_nothing() -> None:
    operator = Operator(bytes(16), OperatorRole.OPERATIONS, 0, True)
    assert not any(operator.may(right, 0) for right in Right)
