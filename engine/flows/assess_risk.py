"""Judging payments by the rules of risk, without waiting for anything, and keeping what was decided for operators.

What is counted is a hint: a process knows its own figures at once and the others' a moment late, or not at all while
Valkey is gone. Money limits are no rules here; they are exact, and on the payer's row.
"""

import enum
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
import structlog

from engine.core.ids import CallerId, IdKind, MerchantId, PaymentId
from engine.core.risk import RULES, Assessment, Counted, Override, RiskFacts, Rule, assess, rules_for
from engine.flows.clock import IdSource
from engine.hints.risk_counters import RiskCounters
from engine.store.faults import Fault
from engine.store.risk import Review, ReviewState, RiskDecision, insert_decisions, insert_review, load_overrides

WAITING_MAX: Final = 10_000
WRITTEN_AT_ONCE: Final = 500
MERCHANTS_MAX: Final = 100_000

log = structlog.get_logger("engine.risk")


class Happened(enum.Enum):
    """What became of a payment, as far as it is counted."""

    PAID = "paid"
    DECLINED = "declined"  # for whatever reason
    REFUNDED = "refunded"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  what happened, no secret
    REPLAYED = "replayed"  # the request was a repeat, so that it was no attempt


class RiskCase(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that was not just let pass: which one, who asked for it, and in which request."""

    payment: PaymentId
    caller: CallerId
    trace_id: str


class RiskDesk:
    """The rules at work in one process. Whoever opens it lets `engine.workers.risk` run beside it."""

    def __init__(
        self, pool: asyncpg.Pool, counters: RiskCounters, ids: IdSource, *, rules: tuple[Rule, ...] = RULES
    ) -> None:
        """Nothing is overridden until `refresh` has read it."""
        self.rules = rules
        self._pool = pool
        self._counters = counters
        self._ids = ids
        self._overrides: tuple[Override, ...] = ()
        self._of_merchant: dict[MerchantId, tuple[Rule, ...]] = {}
        self._waiting: deque[RiskDecision] = deque()

    @property
    def is_degraded(self) -> bool:
        """True while this process knows its own figures only."""
        return self._counters.is_degraded

    @property
    def waiting_count(self) -> int:
        """How many decisions are not written down yet."""
        return len(self._waiting)

    def assess(self, facts: RiskFacts, now_s: float) -> Assessment:
        """Count a payment that is asked for, and say what is to be done about it.

        To be told to the ledger with the command, which judges it once the key is known to be new: a request that is
        repeated gets its first answer, whatever the rules say by then.
        Units: *now_s* in unix seconds of business time. Takes microseconds.
        """
        figures = self._counters.count_attempt(facts, now_s=now_s)
        return assess(facts, figures, self._rules_of(facts.merchant, facts.region), now_s=now_s)

    def observe(self, happened: Happened, facts: RiskFacts, *, now_s: float) -> None:
        """Count what became of a payment. Of a refund, only the merchant matters."""
        note = self._counters.note
        match happened:
            case Happened.PAID:
                note(Counted.PAYMENTS, facts, now_s=now_s)
                note(Counted.TURNOVER, facts, now_s=now_s, by=facts.amount)
            case Happened.DECLINED:
                note(Counted.DECLINES, facts, now_s=now_s)
            case Happened.REFUNDED:
                note(Counted.REFUNDS, facts, now_s=now_s)
            case Happened.WRONG_PASSWORD:
                note(Counted.WRONG_PASSWORDS, facts, now_s=now_s)
            case Happened.REPLAYED:
                note(Counted.ATTEMPTS, facts, now_s=now_s, by=-1)

    def record(self, assessment: Assessment, facts: RiskFacts, case: RiskCase, *, now_s: float) -> None:
        """Keep for operators what was done about a payment; nothing, if it was let pass. Written down soon.

        What is not written when too much waits is in the log instead, whole.
        """
        if not assessment.hits:
            return
        decision = RiskDecision(
            id=self._ids.new(IdKind.RISK_DECISION, shard=0, region=facts.region),
            payment=case.payment,
            merchant=facts.merchant,
            region=facts.region,
            terminal_id=facts.terminal_id,
            action=assessment.action,
            hits=assessment.hits,
            at=datetime.fromtimestamp(now_s, UTC),
            caller=case.caller,
            trace_id=case.trace_id,
        )
        if len(self._waiting) >= WAITING_MAX:
            _tell_unwritten([decision])
        else:
            self._waiting.append(decision)

    async def open_review(self, assessment: Assessment, facts: RiskFacts, case: RiskCase, *, now_s: float) -> None:
        """A payment whose money is held waits for an operator. Opened again it stays as it is.

        To be called for repeats as well: what the first request could not write down, its repeat does.

        Raises:
            Fault: it is not known whether it is written; unless it is, the hold ends by itself.
        """
        await insert_review(
            self._pool,
            Review(
                payment=case.payment,
                merchant=facts.merchant,
                region=facts.region,
                rules=tuple(hit.rule for hit in assessment.hits),
                state=ReviewState.OPEN,
                opened_at=datetime.fromtimestamp(now_s, UTC),
            ),
        )

    async def refresh(self) -> None:
        """Judge by what operators want now.

        Raises:
            Fault: the database cannot answer; what was read before goes on to hold.
        """
        overrides = await load_overrides(self._pool)
        if overrides != self._overrides:
            self._overrides = overrides
            self._of_merchant.clear()

    async def write_waiting(self) -> int:
        """Write down every decision that waits. Returns how many.

        Raises:
            Fault: the database cannot take them; they go on waiting.
        """
        written = 0
        while self._waiting:
            some = [self._waiting[n] for n in range(min(WRITTEN_AT_ONCE, len(self._waiting)))]
            await insert_decisions(self._pool, some)
            for _ in some:
                self._waiting.popleft()
            written += len(some)
        return written

    async def close(self) -> None:
        """Write down what waits, or put it into the log; tell the other processes what was counted."""
        try:
            await self.write_waiting()
        except Fault:
            _tell_unwritten(self._waiting)
            self._waiting.clear()
        await self._counters.close()

    def _rules_of(self, merchant: MerchantId, region: int) -> tuple[Rule, ...]:
        rules = self._of_merchant.get(merchant)
        if rules is None:
            if len(self._of_merchant) >= MERCHANTS_MAX:
                self._of_merchant.clear()
            rules = self._of_merchant[merchant] = rules_for(
                self.rules, self._overrides, merchant=merchant, region=region
            )
        return rules


def _tell_unwritten(decisions: Iterable[RiskDecision]) -> None:
    for decision in decisions:
        log.error(
            "risk_decision.not_written",
            payment=decision.payment.hex(),
            action=decision.action.name,
            rules=[hit.rule for hit in decision.hits],
            at=decision.at.isoformat(),
            caller=decision.caller.hex(),
            trace_id=decision.trace_id,
        )
