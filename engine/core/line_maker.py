"""Making the lines of the banks' files out of cleared postings."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    AccountKind,
    account_text,
    fund_pay_type_of,
    owner_of,
)
from engine.core.clearing import STOOD_IN_FOR, bank_of
from engine.core.clearing_lines import BANK_LEG, REPRESENTED, ItemType
from engine.core.id_texts import id_texts
from engine.core.ids import BankId, IdKind, id_text, kind_number, region_of
from engine.core.line_columns import ClearedPostings, LineColumns
from engine.core.postings import PostingKind


class _End(msgspec.Struct, frozen=True):
    """One end of a line; the token of an end that is a cardholder's is empty."""

    bank: str
    token: str
    leg: str
    type: ItemType = ItemType.PAY  # of a line that pays to it


class LineMaker:
    """Makes the lines of one cycle's postings; what comes again and again is worked out once."""

    def __init__(self, routes: Mapping[AccountId, BankId], cnaps: Mapping[BankId, str]) -> None:
        """*routes* as in `bank_of`; *cnaps* of every bank."""
        self._routes = routes
        self._cnaps = cnaps
        self._ends: dict[AccountId | int, _End] = {}

    def lines(self, postings: ClearedPostings) -> LineColumns:
        """The lines of some postings, in their order.

        Raises:
            AccountNotRouted: the bank of one of their accounts is not known.
        """
        refunds = postings.refunds
        payment_ids = id_texts(postings.payments, IdKind.PAYMENT)
        card_ids = id_texts(postings.payers, IdKind.CARD)
        debits, credits_ = self._ends_of(postings.debits), self._ends_of(postings.credits)
        sources, payees = debits, credits_
        if any(refunds):  # few pages have one
            ends = list(zip(debits, credits_, refunds, strict=True))
            sources = [debit if refund is None else credit for debit, credit, refund in ends]
            payees = [credit if refund is None else debit for debit, credit, refund in ends]
        lines = LineColumns(
            payment_id=payment_ids,
            order_no=postings.order_nos,
            merchant_id=[end.token for end in payees],
            type=[end.type if refund is None else ItemType.REFUND for end, refund in zip(payees, refunds, strict=True)],
            leg=[end.leg for end in sources],
            debit_bank=[end.bank for end in debits],
            debit_account=[end.token or card for end, card in zip(debits, card_ids, strict=True)],
            credit_bank=[end.bank for end in credits_],
            credit_account=[end.token or card for end, card in zip(credits_, card_ids, strict=True)],
            amount=postings.amounts,
            occurred_at=postings.instants,
            original_payment_id=[
                "" if refund is None else payment for payment, refund in zip(payment_ids, refunds, strict=True)
            ],
            remark=["" if refund is None else id_text(refund) for refund in refunds],
            item_id=[f"{postings.lane}.{seq}.{n}" for seq, n in zip(postings.seqs, postings.ns, strict=True)],
        )
        return _with_others(lines, postings, debits, credits_) if postings.others else lines

    def _ends_of(self, accounts: Sequence[AccountId]) -> list[_End]:
        known = self._ends.get
        return [known(account) or self._end(account) for account in accounts]

    def _end(self, account: AccountId) -> _End:
        """The end that an account makes. Those of cardholders are kept by region, or once: few, however many cards."""
        key: AccountId | int = account
        match kind_number(account):
            case AccountKind.PERSONAL_ACCOUNT:
                key = region_of(account)
            case AccountKind.CARD_RECEIVABLE:
                key = STOOD_IN_FOR
        end = self._ends.get(key)
        if end is None:
            end = self._ends[key] = self._new_end(account)
        return end

    def _new_end(self, account: AccountId) -> _End:
        bank = self._cnaps[bank_of(account, self._routes)]
        match AccountKind(kind_number(account)):
            case AccountKind.BANK_RECEIVABLE | AccountKind.BANK_PAYABLE:
                return _End(bank, "", BANK_LEG)
            case AccountKind.PERSONAL_ACCOUNT:
                return _End(bank, "", str(PERSONAL_ACCOUNT_PAY_TYPE))
            case AccountKind.POOL_FUND:
                return _End(bank, account_text(account), str(fund_pay_type_of(account)))
            case AccountKind.BENEFIT_PAYABLE:
                return _End(bank, account_text(account), str(fund_pay_type_of(account)))
            case AccountKind.CARD_RECEIVABLE:
                return _End(bank, "", "")
            case AccountKind.SUSPENSE_LONG | AccountKind.SUSPENSE_SHORT:
                return _End(bank, f"suspense:{self._cnaps[BankId(owner_of(account))]}", "")
            case AccountKind.AGENCY_PAYABLE:
                return _End(bank, id_text(owner_of(account)), "", ItemType.FEE)
            case kind:
                assert kind is AccountKind.MERCHANT_PAYABLE, f"{kind.name} is not cleared"
                return _End(bank, id_text(owner_of(account)), "")


_TYPES: Final = {
    PostingKind.RETURN: ItemType.REVERSAL,
    PostingKind.REPRESENT: ItemType.PAY,
    PostingKind.BENEFIT: ItemType.BENEFIT,
}


def _with_others(
    lines: LineColumns, postings: ClearedPostings, debits: Sequence[_End], credits_: Sequence[_End]
) -> LineColumns:
    """The same lines, in which returns, what is presented again, and benefits are as they should be: they have no
    merchant, and need not be about a payment.
    """
    columns = {name: list(column) for name, column in msgspec.structs.asdict(lines).items()}
    for place, kind in postings.others.items():
        about = postings.payments[place]
        if kind_number(about) != IdKind.PAYMENT:
            columns["payment_id"][place] = id_text(about) if any(about) else lines.item_id[place]
        is_reversal = kind is PostingKind.RETURN
        own_leg = credits_[place].leg if is_reversal else ""
        columns["merchant_id"][place] = ""
        columns["type"][place] = _TYPES[kind]
        columns["leg"][place] = own_leg or debits[place].leg or BANK_LEG
        columns["original_payment_id"][place] = columns["payment_id"][place] if is_reversal else ""
        columns["remark"][place] = REPRESENTED if kind is PostingKind.REPRESENT else ""
    return LineColumns(**columns)
