"""Risk control's own tables: how operators want the rules, what was decided, what waits for an operator."""

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.ids import CallerId, MerchantId, PaymentId
from engine.core.risk import Action, Hit, Override
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import Row
from engine.store.sql import load_queries

_QUERIES: Final = load_queries("risk")


class ReviewState(enum.IntEnum):
    """Where a review stands. Stored; numbers are never re-used."""

    OPEN = 1
    RELEASED = 2
    REJECTED = 3


class SetRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as operators want it for a scope, and who has said so. `wish` None: as without this scope."""

    rule: str
    region: int
    merchant: MerchantId | None
    wish: Override | None
    set_by: bytes
    set_at: datetime


class RiskDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What risk control has done about a payment, and why. `at` is business time."""

    id: bytes
    payment: PaymentId
    merchant: MerchantId
    region: int
    terminal_id: str
    action: Action
    hits: tuple[Hit, ...]
    at: datetime
    caller: CallerId
    trace_id: str


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that an operator has to look at. Times are business time.

    `done_at` None: it is not decided, or what was decided is still to be done; `refusal` is why it could not be done.
    """

    payment: PaymentId
    merchant: MerchantId
    region: int
    rules: tuple[str, ...]
    state: ReviewState
    opened_at: datetime
    decided_by: bytes | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    done_at: datetime | None = None
    refusal: str | None = None


class DecisionsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of decisions; what is None does not matter."""

    regions: tuple[int, int]
    before: bytes | None
    action: Action | None
    payment: PaymentId | None
    count: int


class ReviewsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of reviews; what is None does not matter."""

    regions: tuple[int, int]
    before: bytes | None
    state: ReviewState | None
    count: int


async def load_set_rules(source: Source) -> list[SetRule]:
    """The last word on each rule and scope."""
    with translated():
        rows = await source.fetch(_QUERIES["overrides"])
    return [
        SetRule(
            rule=row["rule"],
            region=row["region"],
            merchant=row["merchant"],
            wish=_override_of(row) if row["threshold"] is not None else None,
            set_by=row["set_by"],
            set_at=row["set_at"],
        )
        for row in rows
    ]


async def load_overrides(source: Source) -> tuple[Override, ...]:
    """How operators want the rules now."""
    return tuple(rule.wish for rule in await load_set_rules(source) if rule.wish is not None)


async def load_rule_version(source: Source, rule: str, *, region: int, merchant: MerchantId | None) -> int:
    """What tells one state of a rule's scope from the next; 0 if nothing was ever said of it."""
    with translated():
        version: int = await source.fetchval(_QUERIES["version_of_rule"], rule, region, merchant)
    return version


async def lock_rules(connection: AnyConnection) -> None:
    """Nobody else changes a rule until the transaction ends."""
    with translated():
        await connection.execute(_QUERIES["lock_rules"])


async def insert_override(connection: AnyConnection, rule: SetRule, *, reason: str) -> None:
    """The rule is from now on as it is wanted for the scope."""
    with translated():
        await connection.execute(
            _QUERIES["insert_override"],
            rule.rule,
            rule.region,
            rule.merchant,
            rule.wish.threshold if rule.wish is not None else None,
            rule.wish.action if rule.wish is not None else None,
            rule.set_by,
            rule.set_at,
            reason,
        )


async def insert_decisions(source: Source, decisions: Iterable[RiskDecision]) -> None:
    """Keep decisions, all or none; those that are kept already stay as they are."""
    rows: list[Row] = [
        (
            one.id,
            one.payment,
            one.merchant,
            one.region,
            one.terminal_id,
            one.action,
            [hit.rule for hit in one.hits],
            [hit.found for hit in one.hits],
            [hit.threshold for hit in one.hits],
            [hit.action for hit in one.hits],
            one.at,
            one.caller,
            one.trace_id,
        )
        for one in decisions
    ]
    with translated():
        await source.executemany(_QUERIES["insert_decision"], rows)


async def load_decisions(source: Source, wanted: DecisionsWanted) -> list[RiskDecision]:
    """Decisions, newest first."""
    with translated():
        rows = await source.fetch(
            _QUERIES["decisions"], *wanted.regions, wanted.before, wanted.action, wanted.payment, wanted.count
        )
    return [_decision_of(row) for row in rows]


async def insert_review(source: Source, review: Review) -> None:
    """The payment waits for an operator; opening its review again changes nothing."""
    with translated():
        await source.execute(
            _QUERIES["open_review"],
            review.payment,
            review.merchant,
            review.region,
            list(review.rules),
            review.opened_at,
        )


async def load_review(source: Source, payment: PaymentId) -> Review | None:
    """The review of a payment."""
    with translated():
        row = await source.fetchrow(_QUERIES["review"], payment)
    return _review_of(row) if row is not None else None


async def lock_review(connection: AnyConnection, payment: PaymentId) -> Review | None:
    """The review of a payment, which nobody else decides until the transaction ends."""
    with translated():
        row = await connection.fetchrow(_QUERIES["lock_review"], payment)
    return _review_of(row) if row is not None else None


async def load_reviews(source: Source, wanted: ReviewsWanted) -> list[Review]:
    """Reviews, newest payment first."""
    with translated():
        rows = await source.fetch(_QUERIES["reviews"], *wanted.regions, wanted.before, wanted.state, wanted.count)
    return [_review_of(row) for row in rows]


async def decide_review(connection: AnyConnection, review: Review) -> Review:
    """An open review, locked before, is decided as *review* says."""
    with translated():
        row = await connection.fetchrow(
            _QUERIES["decide_review"],
            review.payment,
            review.state,
            review.decided_by,
            review.decided_at,
            review.reason,
        )
    assert row is not None, "it was locked while it was open"
    return _review_of(row)


async def finish_review(source: Source, payment: PaymentId, *, refusal: str | None, now: datetime) -> Review | None:
    """What was decided is done, or can never be. None if that is known already."""
    with translated():
        row = await source.fetchrow(_QUERIES["finish_review"], payment, now, refusal)
    return _review_of(row) if row is not None else None


async def load_reviews_under_way(source: Source, *, count: int) -> list[Review]:
    """Reviews that are decided, and of which that is still to be done."""
    with translated():
        rows = await source.fetch(_QUERIES["reviews_under_way"], count)
    return [_review_of(row) for row in rows]


def _override_of(row: asyncpg.Record) -> Override:
    return Override(
        rule=row["rule"],
        region=row["region"],
        merchant=row["merchant"],
        threshold=row["threshold"],
        action=Action(row["action"]),
    )


def _decision_of(row: asyncpg.Record) -> RiskDecision:
    hits = zip(row["rules"], row["found"], row["thresholds"], row["actions"], strict=True)
    return RiskDecision(
        id=row["id"],
        payment=PaymentId(row["payment"]),
        merchant=MerchantId(row["merchant"]),
        region=row["region"],
        terminal_id=row["terminal_id"],
        action=Action(row["action"]),
        hits=tuple(Hit(rule, found, threshold, Action(action)) for rule, found, threshold, action in hits),
        at=row["decided_at"],
        caller=CallerId(row["caller"]),
        trace_id=row["trace_id"],
    )


def _review_of(row: asyncpg.Record) -> Review:
    return Review(
        payment=PaymentId(row["payment"]),
        merchant=MerchantId(row["merchant"]),
        region=row["region"],
        rules=tuple(row["rules"]),
        state=ReviewState(row["state"]),
        opened_at=row["opened_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        reason=row["reason"],
        done_at=row["done_at"],
        refusal=row["refusal"],
    )
