"""The ledger a second time: serial, naive and in plain dictionaries, to compare the engine with.

It is written from the rules and shares no code with the engine's decisions: it takes the engine's commands and answers
in words. Every number is changed in place; nothing is folded, batched or remembered but the answers.
"""

import copy
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import zip_longest

from engine.core.accounts import account_text
from engine.core.commands import (
    AnyCommand,
    Authorize,
    Book,
    CancelOrder,
    Capture,
    ChangeCard,
    ChangeFamily,
    ChangeSettings,
    CheckPassword,
    Concern,
    Confirm,
    Expire,
    OpenAccount,
    PasswordProof,
    Raise,
    RefundPayment,
    Reinstate,
    ReportLoss,
    SetPassword,
    Void,
)
from engine.core.ids import id_text, region_of
from engine.core.payer import IssueLevel
from tests.core.city import (
    ANNUAL_CAP,
    BANK_ALLOWANCE,
    CARDHOLDERS,
    LIMIT_A_DAY,
    LIMIT_UNCONFIRMED,
    SCENARIOS_SERVED,
    City,
)
from tests.insured import COVERED
from tests.invariants.reference_sales import (
    CONFIRM_S,
    HELD,
    NO_PASSWORD_UP_TO,
    PASSWORD_VERSION,
    REFUND_WINDOW_S,
    REVIEW_S,
    SOURCES,
    TRIES_MAX,
    Cardholder,
    Part,
    RefusedError,
    Sale,
    Words,
    moved,
)


class Reference:
    """One city's books."""

    def __init__(self, city: City, day: date) -> None:
        """Nothing has happened yet. Units: `now` is seconds since then."""
        self.now, self.day, self.sequence = 0, day, 1
        self.served = dict(zip(city.world.merchants, SCENARIOS_SERVED, strict=True))
        self.phones = {city.world.device_no(n): id_text(card) for n, card in enumerate(city.world.cards)}
        self.cards = {
            id_text(payer.id): Cardholder(id_text(payer.bank), order, level is IssueLevel.PAYMENT, no_password_up_to)
            for payer, (order, level, no_password_up_to) in zip(city.payers, CARDHOLDERS, strict=True)
        }
        self.area = city.region // 100 * 100
        self.spent: Counter[tuple[str, date]] = Counter()
        self.spent_unconfirmed: Counter[tuple[str, date]] = Counter()
        self.fund_paid: Counter[tuple[str, int]] = Counter()
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
            "cards": {
                card: (
                    holder.status,
                    self.spent[card, self.day],
                    self.spent_unconfirmed[card, self.day],
                    self.fund_paid[card, self.day.year],
                    holder.tries,
                )
                for card, holder in self.cards.items()
            },
            "accounts": {name: moved(totals) for name, totals in self.accounts.items() if moved(totals)},
            "sales": {payment.hex(): sale.words() for payment, sale in self.sales.items()},
            "orders": {(merchant.hex(), no): paid and paid.hex() for (merchant, no), paid in self.orders.items()},
            "holds": {payment.hex() for payment, sale in self.sales.items() if sale.state in HELD},
            "refunds": {(payment.hex(), number) for payment, number in self.refund_numbers},
        }

    def _answer(self, command: AnyCommand) -> Words:
        try:
            match command:
                case Authorize():
                    return self._pay(command)
                case Confirm():
                    return self._confirm(command)
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
                case Raise() | SetPassword() | ChangeSettings() | ChangeCard() | ChangeFamily() | CheckPassword():
                    raise AssertionError("no step asks for it")
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
            has_lapsed = paid.state in HELD and self.now >= paid.ends_at
            is_paid = paid.state in (*HELD, "captured", "partially_refunded") and not has_lapsed
            raise RefusedError("order_already_paid" if is_paid else "order_number_used", "order_no")
        assert asked.code is not None
        if asked.code.device_no is None:
            raise RefusedError("pay_code_wrong", "pay_code")
        sale = Sale(asked, self.phones[asked.code.device_no], self.day, self.now + asked.hold_s)
        self.sales[asked.payment] = sale
        try:
            self._share_out(sale)
        except RefusedError as refused:
            sale.parts, sale.state, sale.refusal = [], "declined", str(refused)
            sale.is_confirmed = False
            return {**refused.words, "payment": sale.words()}
        self.codes.add((asked.code.step, asked.code.device_no, asked.code.refresh))
        self.orders[order] = asked.payment
        if asked.password is not None:
            self.cards[sale.card].tries = 0
        for part in sale.parts:
            self._move(part.source, self._till(sale), part.amount, "pending")
            self._spend(sale, part, part.amount)
        if asked.capture and sale.state == "authorized":
            self._take(sale, asked.amount)
            sale.state = "captured"
        return {"payment": sale.words()}

    def _share_out(self, sale: Sale) -> None:
        asked, card = sale.asked, self.cards[sale.card]
        assert asked.code is not None
        if asked.code.refusal is not None:
            raise RefusedError(asked.code.refusal.value)
        if (asked.code.step, asked.code.device_no, asked.code.refresh) in self.codes:
            raise RefusedError("pay_code_used")
        if card.status == "lost":
            raise RefusedError("card_reported_lost")
        if not card.may_pay:
            raise RefusedError("payment_not_enabled")
        if asked.password is not None:
            self._check(card, asked.password)
        if asked.concern is Concern.DENY:
            raise RefusedError("risk_declined")
        left = asked.amount
        if asked.bill is not None:
            covered = sum(line.amount for line in asked.bill.lines if line.item == COVERED)
            sale.fund = min(covered, ANNUAL_CAP - self.fund_paid[sale.card, self.day.year])
        if sale.fund:
            fund = f"fund:{self.area:06d}:310100"
            sale.parts.append(Part("pool_fund", fund, fund, sale.fund))
            left -= sale.fund
        own = left
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
            raise RefusedError("insufficient_funds")
        self._limit(sale, own)

    def _limit(self, sale: Sale, own: int) -> None:
        asked, card = sale.asked, self.cards[sale.card]
        banked = sum(part.amount for part in sale.parts if part.kind == "bank_card")
        left_today = LIMIT_A_DAY - self.spent[sale.card, self.day]
        if banked > left_today:
            raise RefusedError("limit_exceeded")
        must_confirm = (
            own > NO_PASSWORD_UP_TO
            or own > card.no_password_up_to
            or banked > LIMIT_UNCONFIRMED - self.spent_unconfirmed[sale.card, self.day]
            or asked.concern is Concern.CHALLENGE
        )
        sale.is_confirmed = must_confirm or asked.password is not None
        sale.is_review = asked.concern is Concern.REVIEW
        if sale.is_review or (must_confirm and asked.password is None):
            sale.state = "awaiting_user"
            sale.ends_at = self.now + (REVIEW_S if sale.is_review else CONFIRM_S)

    def _check(self, card: Cardholder, password: PasswordProof, about: str | None = None) -> None:
        if card.tries >= TRIES_MAX:
            raise RefusedError("password_locked", about, tries_left=0)
        if password.version != PASSWORD_VERSION:
            raise RefusedError("password_incorrect", about)
        if not password.is_right:
            card.tries += 1
            raise RefusedError("password_incorrect", about, tries_left=TRIES_MAX - card.tries)

    def _confirm(self, asked: Confirm) -> Words:
        sale = self.sales.get(asked.payment)
        if sale is None or asked.merchant not in (None, sale.asked.merchant):
            raise RefusedError("payment_not_found")
        is_too_late = sale.state == "awaiting_user" and self.now >= sale.ends_at
        if sale.refusal != "confirmation_timeout" and (
            sale.state != "awaiting_user" or sale.is_review != (asked.password is None)
        ):
            raise RefusedError("payment_state_conflict")
        if sale.refusal == "confirmation_timeout" or is_too_late:
            raise RefusedError("confirmation_timeout")
        card = self.cards[sale.card]
        if card.status == "lost":
            raise RefusedError("card_reported_lost")
        if asked.password is not None:
            self._check(card, asked.password, "password_block")
            card.tries = 0
        sale.state, sale.ends_at = "authorized", self.now + sale.asked.hold_s
        if sale.asked.capture:
            self._take(sale, sale.asked.amount)
            sale.state = "captured"
        sale.sequence += 1
        return {"payment": sale.words()}

    def _capture(self, asked: Capture) -> Words:
        sale = self._own(asked)
        if sale.state != "authorized" or self.now >= sale.ends_at:
            raise RefusedError("payment_state_conflict")
        amount = sale.sum("held") if asked.amount is None else asked.amount
        if amount > sale.sum("held"):
            raise RefusedError("capture_exceeds_authorization", "amount")
        if sale.asked.bill is not None and amount != sale.asked.amount:
            raise RefusedError("amount_mismatch", "amount")
        sale.sequence += 1
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
        if sale.state not in HELD or not is_in_time:
            raise RefusedError("payment_state_conflict")
        if isinstance(asked, Expire) and sale.state == "awaiting_user":
            sale.refusal = "confirmation_timeout"
        is_void = isinstance(asked, Void) or sale.state == "awaiting_user"
        self._release(sale)
        sale.state = "captured" if sale.sum("captured") else "voided" if is_void else "expired"
        sale.sequence += 1
        return {"payment": sale.words()}

    def _give_back(self, asked: RefundPayment) -> Words:
        sale = self._own(asked)
        if (asked.payment, asked.refund_no) in self.refund_numbers:
            raise RefusedError("order_number_used", "refund_no")
        if sale.state not in ("captured", "partially_refunded"):
            raise RefusedError("payment_state_conflict")
        left = sale.sum("captured") - sale.sum("refunded")
        left_without_the_fund = left - sum(part.captured - part.refunded for part in sale.parts if part.is_fund)
        if asked.amount != left and asked.amount > left_without_the_fund:
            raise RefusedError("refund_exceeds_payment", "amount")
        if self.now >= sale.captured_at + REFUND_WINDOW_S:
            raise RefusedError("refund_window_closed")
        sale.sequence += 1
        self._return(sale, asked.amount, asked.refund_no)
        return {"payment": sale.words(), "refund": asked.amount}

    def _cancel(self, asked: CancelOrder) -> Words:
        payment = self.orders.setdefault((bytes(asked.merchant), asked.order_no), None)
        if payment is None:
            return {"outcome": "nothing_to_cancel"}
        sale = self.sales[payment]
        words: Words = {"outcome": "nothing_to_cancel"}
        sale.sequence += sale.state in (*HELD, "captured", "partially_refunded")
        if sale.state in HELD:
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
            self._spend(sale, part, -part.held)  # which a bill has in one piece, or no more

    def _return(self, sale: Sale, amount: int, number: str) -> None:
        for part in reversed(sale.parts):
            share = min(amount, part.captured - part.refunded)
            self._move(self._till(sale), part.back_to, share, "posted")
            part.refunded += share
            amount -= share
            if part.is_fund:
                self.fund_paid[sale.card, sale.day.year] -= share
        sale.state = "refunded" if sale.sum("refunded") == sale.sum("captured") else "partially_refunded"
        self.refund_numbers.add((sale.asked.payment, number))

    def _spend(self, sale: Sale, part: Part, amount: int) -> None:
        if part.kind == "bank_card":
            self.spent[sale.card, sale.day] += amount
            self.spent_unconfirmed[sale.card, sale.day] += 0 if sale.is_confirmed else amount
        if part.is_fund:
            self.fund_paid[sale.card, sale.day.year] += amount

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
