"""What a cleared posting, or a bank's net position, becomes in a file."""

from datetime import UTC, datetime

import msgspec
import pytest

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    bank_payable,
    bank_receivable,
    merchant_payable,
    opening,
    personal_account,
    pool_fund,
)
from engine.core.calendar import CycleNumber
from engine.core.clearing import AccountNotRouted, Movement, net_positions
from engine.core.clearing_lines import ClearingItem, ItemType, net_items
from engine.core.ids import BankId, CardId, IdKind, MerchantId, PaymentId, RefundId, id_text, make_id
from engine.core.line_columns import ClearedPostings, columns_of
from engine.core.line_maker import LineMaker

AT = datetime(2026, 11, 24, 5, 30, 0, 123_456, tzinfo=UTC)
CYCLE = CycleNumber(2026112401)


def _id(kind: IdKind, entropy: int, *, region: int = 110101) -> bytes:
    return make_id(kind, at_ms=1_700_000_000_000, shard=7, region=region, entropy=entropy)


CARD_BANK, FUND_BANK, HOSPITAL_BANK = (BankId(_id(IdKind.BANK, n)) for n in range(3))
CNAPS = {CARD_BANK: "102100000001", FUND_BANK: "102100000002", HOSPITAL_BANK: "102100000003"}
MERCHANT = MerchantId(_id(IdKind.MERCHANT, 9))
CARD = CardId(_id(IdKind.CARD, 8))
PAYMENT = PaymentId(_id(IdKind.PAYMENT, 7))
REFUND = RefundId(_id(IdKind.REFUND, 6))
POOL = pool_fund(110100, 310100)
ROUTES = {
    merchant_payable(MERCHANT): HOSPITAL_BANK,
    POOL: FUND_BANK,
    pool_fund(110100, PERSONAL_ACCOUNT_PAY_TYPE): FUND_BANK,
}


def _postings(*moved: tuple[AccountId, AccountId, RefundId | None, CardId]) -> ClearedPostings:
    """One posting each: debit, credit, refund, payer."""
    debits, credits_, refunds, payers = zip(*moved, strict=True)
    count = len(moved)
    return ClearedPostings(
        lane=1,
        seqs=[2] * count,
        ns=range(3, 3 + count),
        payments=[PAYMENT] * count,
        debits=debits,
        credits=credits_,
        amounts=[500] * count,
        order_nos=["A-1"] * count,
        payers=payers,
        instants=[AT] * count,
        refunds=refunds,
    )


def _item(debit: AccountId, credit: AccountId, *, refund: RefundId | None = None) -> ClearingItem:
    (item,) = LineMaker(ROUTES, CNAPS).lines(_postings((debit, credit, refund, CARD))).items()
    return item


def test_a_bank_cards_part_is_collected_from_the_cards_bank() -> None:
    assert ClearingItem(
        payment_id=id_text(PAYMENT),
        order_no="A-1",
        merchant_id=id_text(MERCHANT),
        type=ItemType.PAY,
        leg="BANK",
        debit_bank="102100000001",
        debit_account=id_text(CARD),
        credit_bank="102100000003",
        credit_account=id_text(MERCHANT),
        amount=500,
        occurred_at=AT,
        original_payment_id="",
        remark="",
        item_id="1.2.3",
    ) == _item(bank_receivable(CARD_BANK), merchant_payable(MERCHANT))


@pytest.mark.parametrize(
    ("source", "leg", "account"),
    [(personal_account(CARD), "310200", id_text(CARD)), (POOL, "310100", "fund:110100:310100")],
)
def test_the_insurances_part_is_collected_from_the_funds_bank(source: AccountId, leg: str, account: str) -> None:
    item = _item(source, merchant_payable(MERCHANT))
    assert (leg, "102100000002", account) == (item.leg, item.debit_bank, item.debit_account)


@pytest.mark.parametrize(
    ("given_to", "leg", "bank", "account"),
    [
        (bank_payable(CARD_BANK), "BANK", "102100000001", id_text(CARD)),
        (personal_account(CARD), "310200", "102100000002", id_text(CARD)),
        (POOL, "310100", "102100000002", "fund:110100:310100"),
    ],
)
def test_a_refund_goes_from_the_merchants_bank_to_where_the_money_came_from(
    given_to: AccountId, leg: str, bank: str, account: str
) -> None:
    item = _item(merchant_payable(MERCHANT), given_to, refund=REFUND)
    assert ("102100000003", id_text(MERCHANT)) == (item.debit_bank, item.debit_account)
    assert (leg, bank, account) == (item.leg, item.credit_bank, item.credit_account)
    assert id_text(MERCHANT) == item.merchant_id


def test_a_refunds_line_names_its_payment_twice_and_itself_in_the_remark() -> None:
    item = _item(merchant_payable(MERCHANT), bank_payable(CARD_BANK), refund=REFUND)
    assert (ItemType.REFUND, id_text(PAYMENT), id_text(PAYMENT), id_text(REFUND)) == (
        item.type,
        item.payment_id,
        item.original_payment_id,
        item.remark,
    )


def test_each_card_keeps_its_own_token() -> None:
    lines = LineMaker(ROUTES, CNAPS)
    cards = [CardId(_id(IdKind.CARD, n)) for n in range(20, 40)]
    for source in (personal_account, lambda _: bank_receivable(CARD_BANK)):
        made = lines.lines(_postings(*((source(card), merchant_payable(MERCHANT), None, card) for card in cards)))
        assert [id_text(card) for card in cards] == made.debit_account


def test_personal_accounts_of_two_regions_may_have_two_banks() -> None:
    elsewhere = CardId(_id(IdKind.CARD, 5, region=120101))
    routes = {**ROUTES, pool_fund(120100, PERSONAL_ACCOUNT_PAY_TYPE): CARD_BANK}
    lines = LineMaker(routes, CNAPS)
    payers = (CARD, elsewhere)
    postings = _postings(*((personal_account(card), merchant_payable(MERCHANT), None, card) for card in payers))
    banks = lines.lines(postings).debit_bank
    assert banks == ["102100000002", "102100000001"]


def test_a_merchant_without_a_bank_has_no_line() -> None:
    with pytest.raises(AccountNotRouted):
        LineMaker({}, CNAPS).lines(_postings((bank_receivable(CARD_BANK), merchant_payable(MERCHANT), None, CARD)))


def test_balances_that_are_brought_in_are_never_a_line() -> None:
    with pytest.raises(AccountNotRouted):
        _item(opening(110100), personal_account(CARD))


def test_lines_of_payments_and_refunds_keep_their_order() -> None:
    paid = (bank_receivable(CARD_BANK), merchant_payable(MERCHANT), None, CARD)
    given_back = (merchant_payable(MERCHANT), POOL, REFUND, CARD)
    made = LineMaker(ROUTES, CNAPS).lines(_postings(paid, given_back, paid))
    items = made.items()
    assert [item.type for item in items] == [ItemType.PAY, ItemType.REFUND, ItemType.PAY]
    assert [item.item_id for item in items] == ["1.2.3", "1.2.4", "1.2.5"]
    assert items[:1] == [_item(*paid[:2])]
    assert [msgspec.structs.replace(items[1], item_id="1.2.3")] == [_item(*given_back[:2], refund=REFUND)]
    assert columns_of(items).items() == items
    assert columns_of([]).count == 0


def _net_items(*movements: Movement) -> tuple[ClearingItem, ...]:
    positions = net_positions(movements, CNAPS)
    return net_items(positions, settlement_bank=FUND_BANK, cnaps=CNAPS, cycle=CYCLE, at=AT)


def test_a_net_position_moves_between_its_bank_and_the_settlement_bank() -> None:
    pays, gets = _net_items(Movement(CARD_BANK, HOSPITAL_BANK, 1, 300), Movement(FUND_BANK, HOSPITAL_BANK, 1, 60))
    assert (pays.debit_bank, pays.credit_bank, pays.amount) == ("102100000001", "102100000002", 300)
    assert (gets.debit_bank, gets.credit_bank, gets.amount) == ("102100000002", "102100000003", 360)
    assert (
        ClearingItem(
            payment_id="",
            order_no="",
            merchant_id="",
            type=ItemType.NET,
            leg="BANK",
            debit_bank="102100000001",
            debit_account="settlement:102100000001",
            credit_bank="102100000002",
            credit_account="settlement:102100000002",
            amount=300,
            occurred_at=AT,
            original_payment_id="",
            remark="20261124-01",
        )
        == pays
    )


def test_what_moves_leaves_the_settlement_bank_with_its_own_net() -> None:
    items = _net_items(Movement(CARD_BANK, HOSPITAL_BANK, 1, 300), Movement(FUND_BANK, HOSPITAL_BANK, 1, 60))
    got = sum(item.amount for item in items if item.credit_bank == CNAPS[FUND_BANK])
    paid = sum(item.amount for item in items if item.debit_bank == CNAPS[FUND_BANK])
    assert got - paid == -60


def test_a_bank_that_nets_to_zero_moves_nothing() -> None:
    assert _net_items(Movement(CARD_BANK, HOSPITAL_BANK, 1, 300), Movement(HOSPITAL_BANK, CARD_BANK, 1, 300)) == ()


def test_every_text_of_a_line_is_a_pseudonym_or_a_name_of_ours() -> None:
    item = _item(personal_account(CARD), merchant_payable(MERCHANT))
    texts = [value for value in msgspec.structs.astuple(item) if isinstance(value, str)]
    known = {id_text(PAYMENT), id_text(MERCHANT), id_text(CARD), "A-1", "PAY", "310200", *CNAPS.values(), "", "1.2.3"}
    assert known.issuperset(texts)
