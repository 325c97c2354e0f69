"""Proof, from the rows alone, that books agree with their postings and their chains."""

import asyncpg

from engine.core.accounts import AccountId, personal_account
from engine.core.calendar import CycleNumber
from engine.core.ids import CardId
from engine.core.journal import GENESIS, BatchHeader, EventRow, PostingRow, batch_hash
from engine.core.payments import HELD, State
from engine.core.postings import Phase, Posting, PostingKind, Totals, fold, is_kept_on_payer

_BALANCES = """
SELECT account, sum(debits_pending)::bigint, sum(debits_posted)::bigint,
       sum(credits_pending)::bigint, sum(credits_posted)::bigint
  FROM balance GROUP BY account
"""
_PAYERS = "SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM payer"
_PAYMENT_SUMS = """
SELECT p.id, p.state, p.amount, p.captured, p.refunded,
       coalesce(sum(g.amount) FILTER (WHERE g.phase = 3 AND g.kind = 1), 0)::bigint AS posted,
       coalesce(sum(g.amount) FILTER (WHERE g.phase = 3 AND g.kind = 2), 0)::bigint AS given_back,
       coalesce(sum(CASE g.phase WHEN 1 THEN g.amount WHEN 2 THEN -g.amount END), 0)::bigint AS held,
       (SELECT coalesce(sum(r.amount), 0)::bigint FROM refund r WHERE r.payment = p.id) AS refund_rows
  FROM payment p LEFT JOIN posting g ON g.payment = p.id
 GROUP BY p.id, p.state, p.amount, p.captured, p.refunded
"""
_STRAY_ORDERS = """
SELECT o.merchant, o.order_no FROM order_ref o LEFT JOIN payment p ON p.id = o.payment
 WHERE o.payment IS NOT NULL
   AND (p.id IS NULL OR p.state = 7 OR p.merchant <> o.merchant
        OR (p.order_no <> o.order_no AND NOT starts_with(o.order_no, '$quote/')))
UNION ALL
SELECT p.merchant, p.order_no
  FROM payment p LEFT JOIN order_ref o ON o.payment = p.id AND o.order_no = p.order_no
 WHERE p.state <> 7 AND o.payment IS NULL
"""
_STRAY_HOLDS = """
SELECT * FROM (SELECT expires_at AS due, id AS payment FROM payment WHERE state IN (1, 8)) p
  FULL JOIN hold h USING (due, payment) WHERE p.payment IS NULL OR h.payment IS NULL
"""
_STRAY_ANSWERS = """
SELECT a.key FROM answer a LEFT JOIN event e USING (business_date, lane, seq, n) WHERE e.kind IS NULL
UNION ALL
SELECT min(key) FROM answer GROUP BY business_date, lane, seq, n HAVING count(*) > 1
"""


async def prove_books(sql: asyncpg.Connection) -> None:
    """Every payer, balance, payment, order, hold and answer agrees with the postings, and every chain holds.

    A missing link or a row that was written twice, or not at all, is an AssertionError.
    """
    await _prove_totals(sql)
    await _prove_payments(sql)
    await prove_chains(sql)
    assert await sql.fetch(_STRAY_ORDERS) == []
    assert await sql.fetch(_STRAY_HOLDS) == []
    assert await sql.fetch(_STRAY_ANSWERS) == []
    live = await sql.fetchval("SELECT count(*) FROM payment WHERE state <> $1", State.DECLINED)
    assert live == await sql.fetchval("SELECT count(*) FROM code_use"), "a code pays once"


async def prove_chains(sql: asyncpg.Connection) -> None:
    """Each lane's batches are numbered without gaps, and hash to its head."""
    for lane in await sql.fetch("SELECT id, seq, head FROM lane ORDER BY id"):
        head = GENESIS
        batches = await sql.fetch("SELECT * FROM batch WHERE lane = $1 ORDER BY seq", lane["id"])
        assert list(range(1, lane["seq"] + 1)) == [batch["seq"] for batch in batches]
        for batch in batches:
            postings = await sql.fetch(
                "SELECT * FROM posting WHERE lane = $1 AND seq = $2 ORDER BY n", lane["id"], batch["seq"]
            )
            events = await sql.fetch(
                "SELECT * FROM event WHERE lane = $1 AND seq = $2 ORDER BY n", lane["id"], batch["seq"]
            )
            header = BatchHeader(
                lane["id"], batch["seq"], batch["at"], batch["business_date"], CycleNumber(batch["cycle"])
            )
            assert head == batch["prev"]
            head = batch_hash(head, header, [PostingRow(*row) for row in postings], [EventRow(*row) for row in events])
            assert head == batch["hash"]
            assert len(events) == batch["n"]
        assert head == lane["head"]


async def _prove_totals(sql: asyncpg.Connection) -> None:
    rows = await sql.fetch("SELECT payment, phase, kind, debit, credit, amount FROM posting")
    folded = fold(
        Posting(row[0], Phase(row[1]), PostingKind(row[2]), AccountId(row[3]), AccountId(row[4]), row[5])
        for row in rows
    )
    kept = {AccountId(row[0]): Totals(*row[1:]) for row in await sql.fetch(_BALANCES)}
    assert {account: totals for account, totals in folded.items() if not is_kept_on_payer(account)} == kept
    for row in await sql.fetch(_PAYERS):
        assert folded.get(personal_account(CardId(row[0])), Totals()) == Totals(*row[1:])


async def _prove_payments(sql: asyncpg.Connection) -> None:
    for row in await sql.fetch(_PAYMENT_SUMS):
        assert row["captured"] == row["posted"], "what is captured was posted"
        assert row["refunded"] == row["given_back"] == row["refund_rows"] <= row["captured"] <= row["amount"]
        held = row["amount"] - row["captured"] if row["state"] in HELD else 0
        assert held == row["held"], "what is held is held by a posting"
