"""The ledger a second time: serial, naive and in plain dictionaries, to compare the engine with.

It is written from the rules and shares no code with the engine's decisions: it takes the engine's commands and answers
in words. Every number is changed in place; nothing is folded, batched or remembered but the answers.
"""

import copy
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import zip_longest
from typing import Final

from engine.core.accounts import account_text, fund_pay_type_of
from engine.core.commands import (
    AnyCommand,
    Authorize,
    Book,
    CancelOrder,
    Capture,
    Expire,
    OpenAccount,
    RefundPayment,
    Reinstate,
    ReportLoss,
    Void,
)
from engine.core.ids import id_text, region_of
from engine.core.payer import IssueLevel, TenderOrder
from tests.core.city import BANK_ALLOWANCE, CARDHOLDERS, SCENARIOS_SERVED, City

REFUND_WINDOW_S: Final = 365 * 86_400
SOURCES: Final = {
    TenderOrder.PERSONAL_ACCOUNT_FIRST: ("personal_account", "bank_card"),
    TenderOrder.BANK_CARD_ONLY: ("bank_card",),
    TenderOrder.PERSONAL_ACCOUNT_ONLY: ("personal_account",),
}

Words = dict[str, object]


class RefusedError(Exception):
    """A rule says no."""

    def __init__(self, refusal: str, about: str | None = None) -> None:
        """The rule, and the field that it is about."""
        super().__init__(refusal)
        self.words: Words = {"refusal": refusal, **({"field": about} if about else {})}


@dataclass
class Cardholder:
    """One card."""

    bank: str
    order: TenderOrder
    may_pay: bool
    status: str = "active"


@dataclass
class Part:
    """One tender."""

    kind: str
    source: str
    back_to: str
    amount: int
    captured: int = 0
    refunded: int = 0

    @property
    def held(self) -> int:
        """Fen that are neither captured nor let go of."""
        return self.amount - self.captured


@dataclass
class Sale:
    """One payment."""

    asked: Authorize
    card: str
    day: date
    ends_at: int
    state: str = "authorized"
    refusal: str | None = None
    parts: list[Part] = field(default_factory=list)
    booked: tuple[date, int] | None = None
    captured_at: int = 0

    def sum(self, what: str) -> int:
        """Fen of all parts."""
        return sum(getattr(part, what) for part in self.parts)

    def words(self) -> Words:
        """The payment as anybody sees it."""
        return {
            "order": self.asked.order_no,
            "amount": self.asked.amount,
            "state": self.state,
            "refusal": self.refusal,
            "parts": [(part.kind, part.source, part.amount, part.captured, part.refunded) for part in self.parts],
            "booked": self.booked or (self.day, None),
        }


class Reference:
    """One city's books."""

    def __init__(self, city: City, day: date) -> None:
        """Nothing has happened yet. Units: `now` is seconds since then."""
        self.now, self.day, self.sequence = 0, day, 1
        self.served = dict(zip(city.world.merchants, SCENARIOS_SERVED, strict=True))
        self.phones = {city.world.device_no(n): id_text(card) for n, card in enumerate(city.world.cards)}
        self.cards = {
            id_text(payer.id): Cardholder(id_text(payer.bank), order, level is IssueLevel.PAYMENT)
            for payer, (order, level) in zip(city.payers, CARDHOLDERS, strict=True)
        }
        self.spent: Counter[tuple[str, date]] = Counter()
        self.accounts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.sales: dict[bytes, Sale] = {}
        self.orders: dict[tuple[bytes, str], bytes | None] = {}
        self.codes: set[tuple[int, int | None, int]] = set()
        self.refund_numbers: set[tuple[bytes, str]] = set()
        self.answers: dict[tuple[bytes, int, str], tuple[tuple[object, ...], Words]] = {}

    def ask(self, command: AnyCommand) -> Words:
        """The answer to a command; everything that follows from it is done."""
        if command.key is None:
            return self._answer(command)
        key = (bytes(command.caller), int(command.operation), command.key)
        if key not in self.answers:
            self.answers[key] = (command.facts(), copy.deepcopy(self._answer(command)))
            return self.answers[key][1]
        facts, words = self.answers[key]
        # Facts that came later are left out at the end when there is nothing to say.
        for name, was, now in zip_longest(command.facts_named, facts, command.facts()):
            if was != now:
                return {"refusal": "idempotency_key_reused", "field": name}
        return {**words, "again": True}

    def close_cycle(self, *, is_next_day: bool) -> None:
        """Go on to the next cycle."""
        self.sequence = 1 if is_next_day else self.sequence + 1
        self.day += timedelta(days=is_next_day)

    def picture(self) -> Words:
        """Everything that must be the same in the engine's books."""
        return {
            "cards": {card: (holder.status, self.spent[card, self.day]) for card, holder in self.cards.items()},
            "accounts": {name: _moved(totals) for name, totals in self.accounts.items() if _moved(totals)},
            "sales": {payment.hex(): sale.words() for payment, sale in self.sales.items()},
            "orders": {(merchant.hex(), no): paid and paid.hex() for (merchant, no), paid in self.orders.items()},
            "holds": {payment.hex() for payment, sale in self.sales.items() if sale.state == "authorized"},
            "refunds": {(payment.hex(), number) for payment, number in self.refund_numbers},
        }

    def _answer(self, command: AnyCommand) -> Words:
        try:
            match command:
                case Authorize():
                    return self._pay(command)
                case Capture():
                    return self._capture(command)
                case Void() | Expire():
                    return self._let_go(command)
                case RefundPayment():
                    return self._give_back(command)
                case CancelOrder():
                    return self._cancel(command)
                case ReportLoss() | Reinstate():
                    return self._mark(command)
                case OpenAccount():
                    return self._bring_in(command)
                case Book():
                    return self._book(command)
        except RefusedError as refused:
            return refused.words

    def _pay(self, asked: Authorize) -> Words:
        order = (bytes(asked.merchant), asked.order_no)
        if asked.terminal_id != "T-01":
            raise RefusedError("terminal_unknown")
        if asked.scenario not in self.served[asked.merchant]:
            raise RefusedError("scenario_not_enabled")
        if order in self.orders:
            earlier = self.orders[order]
            if earlier is None:
                raise RefusedError("order_cancelled", "order_no")
            paid = self.sales[earlier]
            has_lapsed = paid.state == "authorized" and self.now >= paid.ends_at
            is_paid = paid.state in ("authorized", "captured", "partially_refunded") and not has_lapsed
            raise RefusedError("order_already_paid" if is_paid else "order_number_used", "order_no")
        if asked.device_no is None:
            raise RefusedError("pay_code_wrong", "pay_code")
        sale = Sale(asked, self.phones[asked.device_no], self.day, self.now + asked.hold_s)
        self.sales[asked.payment] = sale
        sale.refusal = self._why_not(sale)
        if sale.refusal is not None:
            sale.state = "declined"
            return {"refusal": sale.refusal, "payment": sale.words()}
        self.codes.add((asked.code_step, asked.device_no, asked.code_refresh))
        self.orders[order] = asked.payment
        for part in sale.parts:
            self._move(part.source, self._till(sale), part.amount, "pending")
            self._spend(sale, part, part.amount)
        if asked.capture:
            self._take(sale, asked.amount)
            sale.state = "captured"
        return {"payment": sale.words()}

    def _why_not(self, sale: Sale) -> str | None:
        asked, card = sale.asked, self.cards[sale.card]
        if asked.code_refusal is not None:
            return asked.code_refusal.value
        if (asked.code_step, asked.device_no, asked.code_refresh) in self.codes:
            return "pay_code_used"
        if card.status == "lost":
            return "card_reported_lost"
        if not card.may_pay:
            return "payment_not_enabled"
        left = asked.amount
        for share in asked.fund_shares:
            fund = f"fund:{region_of(share.account):06d}:{fund_pay_type_of(share.account)}"
            sale.parts.append(Part("pool_fund", fund, fund, share.amount))
            left -= share.amount
        account = self._personal(sale.card)
        totals = self.accounts[account]
        has = {
            "personal_account": totals["credits_posted"] - totals["debits_posted"] - totals["debits_pending"],
            "bank_card": BANK_ALLOWANCE - self.spent[sale.card, self.day],
        }
        for kind in SOURCES[card.order]:
            if min(left, has[kind]) > 0:
                source, back_to = (account, account) if kind == "personal_account" else self._bank(card.bank)
                sale.parts.append(Part(kind, source, back_to, min(left, has[kind])))
                left -= sale.parts[-1].amount
        if left:
            sale.parts = []
            return "insufficient_funds"
        return None

    def _capture(self, asked: Capture) -> Words:
        sale = self._own(asked)
        if sale.state != "authorized" or self.now >= sale.ends_at:
            raise RefusedError("payment_state_conflict")
        amount = sale.sum("held") if asked.amount is None else asked.amount
        if amount > sale.sum("held"):
            raise RefusedError("capture_exceeds_authorization", "amount")
        self._take(sale, amount)
        if asked.final:
            self._release(sale)
            sale.state = "captured"
        return {"payment": sale.words()}

    def _let_go(self, asked: Void | Expire) -> Words:
        if isinstance(asked, Void):
            sale, is_in_time = self._own(asked), self.now < self._own(asked).ends_at
        elif asked.payment in self.sales:
            sale, is_in_time = self.sales[asked.payment], self.now >= self.sales[asked.payment].ends_at
        else:
            raise RefusedError("payment_state_conflict")
        if sale.state != "authorized" or not is_in_time:
            raise RefusedError("payment_state_conflict")
        self._release(sale)
        sale.state = "captured" if sale.sum("captured") else "voided" if isinstance(asked, Void) else "expired"
        return {"payment": sale.words()}

    def _give_back(self, asked: RefundPayment) -> Words:
        sale = self._own(asked)
        if (asked.payment, asked.refund_no) in self.refund_numbers:
            raise RefusedError("order_number_used", "refund_no")
        if sale.state not in ("captured", "partially_refunded"):
            raise RefusedError("payment_state_conflict")
        if asked.amount > sale.sum("captured") - sale.sum("refunded"):
            raise RefusedError("refund_exceeds_payment", "amount")
        if self.now >= sale.captured_at + REFUND_WINDOW_S:
            raise RefusedError("refund_window_closed")
        self._return(sale, asked.amount, asked.refund_no)
        return {"payment": sale.words(), "refund": asked.amount}

    def _cancel(self, asked: CancelOrder) -> Words:
        payment = self.orders.setdefault((bytes(asked.merchant), asked.order_no), None)
        if payment is None:
            return {"outcome": "nothing_to_cancel"}
        sale = self.sales[payment]
        words: Words = {"outcome": "nothing_to_cancel"}
        if sale.state == "authorized":
            self._release(sale)
            words["outcome"] = "voided"
            sale.state = "captured" if sale.sum("captured") else "voided"
        if sale.state in ("captured", "partially_refunded"):
            amount = sale.sum("captured") - sale.sum("refunded")
            self._return(sale, amount, "$cancel")
            words |= {"outcome": "refunded", "refund": amount}
        return words | {"payment": sale.words()}

    def _mark(self, asked: ReportLoss | Reinstate) -> Words:
        card = self.cards.get(id_text(asked.card)) if any(asked.card) else None
        if card is None:
            raise RefusedError("not_found")
        card.status = "lost" if isinstance(asked, ReportLoss) else "active"
        return {"card": card.status}

    def _bring_in(self, asked: OpenAccount) -> Words:
        area = region_of(asked.card) // 100 * 100
        self._move(f"opening:{area:06d}", self._personal(id_text(asked.card)), asked.amount, "posted")
        return {}

    def _book(self, asked: Book) -> Words:
        for entry in asked.entries:
            self._move(account_text(entry.debit), account_text(entry.credit), entry.amount, "posted")
        return {}

    def _own(self, asked: Capture | Void | RefundPayment) -> Sale:
        sale = self.sales.get(asked.payment)
        if sale is None or sale.asked.caller != asked.caller:
            raise RefusedError("payment_not_found")
        return sale

    def _take(self, sale: Sale, amount: int) -> None:
        for part in sale.parts:
            share = min(amount, part.held)
            self._move(part.source, self._till(sale), -share, "pending")
            self._move(part.source, self._till(sale), share, "posted")
            part.captured += share
            amount -= share
        if sale.booked is None:
            sale.booked = (self.day, int(f"{self.day:%Y%m%d}{self.sequence:02d}"))
            sale.captured_at = self.now

    def _release(self, sale: Sale) -> None:
        for part in sale.parts:
            self._move(part.source, self._till(sale), -part.held, "pending")
            self._spend(sale, part, -part.held)

    def _return(self, sale: Sale, amount: int, number: str) -> None:
        for part in reversed(sale.parts):
            share = min(amount, part.captured - part.refunded)
            self._move(self._till(sale), part.back_to, share, "posted")
            part.refunded += share
            amount -= share
        sale.state = "refunded" if sale.sum("refunded") == sale.sum("captured") else "partially_refunded"
        self.refund_numbers.add((sale.asked.payment, number))

    def _spend(self, sale: Sale, part: Part, amount: int) -> None:
        if part.kind == "bank_card":
            self.spent[sale.card, sale.day] += amount

    def _move(self, debit: str, credit: str, amount: int, how: str) -> None:
        self.accounts[debit][f"debits_{how}"] += amount
        self.accounts[credit][f"credits_{how}"] += amount

    @staticmethod
    def _personal(card: str) -> str:
        return f"payer:{card}:personal_account"

    @staticmethod
    def _bank(bank: str) -> tuple[str, str]:
        return f"bank:{bank}:receivable", f"bank:{bank}:payable"

    @staticmethod
    def _till(sale: Sale) -> str:
        return f"merchant:{id_text(sale.asked.merchant)}:payable"


def _moved(totals: Counter[str]) -> dict[str, int]:
    return {name: amount for name, amount in totals.items() if amount}
