"""Double entry: what postings change, folded to one change an account."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.accounts import AccountId, merchant_payable, opening, personal_account, pool_fund
from engine.core.postings import Phase, Posting, PostingKind, Totals, fold, is_kept_on_payer
from tests.core.books_builders import BANK, CARD, FUND, MERCHANT, OTHER_MERCHANT, UNKNOWN_PAYMENT

A, B, C = FUND, merchant_payable(MERCHANT), merchant_payable(OTHER_MERCHANT)
ACCOUNTS = (A, B, C)


def posting(phase: Phase, debit: AccountId, credit: AccountId, amount: int) -> Posting:
    return Posting(UNKNOWN_PAYMENT, phase, PostingKind.PAY, debit, credit, amount)


@st.composite
def postings(draw: st.DrawFn) -> list[Posting]:
    pair = st.permutations(ACCOUNTS).map(lambda order: order[:2])
    drawn = draw(st.lists(st.tuples(st.sampled_from(Phase), pair, st.integers(1, 10_000)), max_size=12))
    return [posting(phase, debit, credit, amount) for phase, (debit, credit), amount in drawn]


@pytest.mark.parametrize(
    ("phase", "debited", "credited"),
    [
        (Phase.HOLD, Totals(debits_pending=7), Totals(credits_pending=7)),
        (Phase.RELEASE, Totals(debits_pending=-7), Totals(credits_pending=-7)),
        (Phase.POST, Totals(debits_posted=7), Totals(credits_posted=7)),
    ],
)
def test_posting_moves_one_total_of_each_account(phase: Phase, debited: Totals, credited: Totals) -> None:
    assert fold([posting(phase, A, B, 7)]) == {A: debited, B: credited}


def test_each_account_is_changed_once() -> None:
    changes = fold(
        [
            posting(Phase.HOLD, A, B, 10),
            posting(Phase.RELEASE, A, B, 10),
            posting(Phase.POST, A, B, 6),
            posting(Phase.POST, B, A, 2),
            posting(Phase.POST, A, C, 1),
        ]
    )
    assert {
        A: Totals(debits_posted=7, credits_posted=2),
        B: Totals(debits_posted=2, credits_posted=6),
        C: Totals(credits_posted=1),
    } == changes


def test_no_posting_changes_nothing() -> None:
    assert fold([]) == {}


@given(moved=postings())
def test_debits_equal_credits(moved: list[Posting]) -> None:
    sums: Counter[str] = Counter()
    for totals in fold(moved).values():
        sums.update(msgspec.structs.asdict(totals))
    assert sums["credits_pending"] == sums["debits_pending"]
    assert sums["credits_posted"] == sums["debits_posted"]


@given(moved=postings())
def test_posted_totals_only_grow(moved: list[Posting]) -> None:
    before: dict[AccountId, Totals] = {}
    for length in range(len(moved) + 1):
        after = fold(moved[:length])
        for account, totals in before.items():
            assert after[account].debits_posted >= totals.debits_posted >= 0
            assert after[account].credits_posted >= totals.credits_posted >= 0
        before = after


@given(moved=postings(), at=st.integers(0, 12))
def test_two_batches_change_what_one_would(moved: list[Posting], at: int) -> None:
    together = fold(moved)
    first, second = fold(moved[:at]), fold(moved[at:])
    for account, totals in together.items():
        for name in totals.__struct_fields__:
            parts = [getattr(part[account], name) for part in (first, second) if account in part]
            assert sum(parts) == getattr(totals, name)


@pytest.mark.parametrize(
    ("account", "is_kept"),
    [
        (personal_account(CARD), True),
        (pool_fund(110100, 310200), False),
        (merchant_payable(MERCHANT), False),
        (opening(110100), False),
        (AccountId(BANK), False),
    ],
)
def test_only_the_personal_account_is_kept_on_its_payer(account: AccountId, is_kept: bool) -> None:
    assert is_kept_on_payer(account) == is_kept
