-- name: day_bounds
-- Between which instants of business time the postings of a date were made, as far as the ends of cycles tell; null: from
-- the beginning, or until now. And whether nothing can be added any more: every lane has passed the barrier.
-- $1 first cycle of the date bigint, $2 last cycle bigint
SELECT c.business_date AS open_date,
       (SELECT r.closed_at FROM clearing_run r WHERE r.cycle < $1 ORDER BY r.cycle DESC LIMIT 1) AS began_at,
       CASE WHEN c.cycle > $2
            THEN (SELECT r.closed_at FROM clearing_run r WHERE r.cycle <= $2 ORDER BY r.cycle DESC LIMIT 1)
       END AS ended_at,
       c.cycle > $2 AND NOT EXISTS (SELECT FROM clearing_run r
                                     WHERE r.cycle BETWEEN $1 AND $2 AND r.sealed_at IS NULL) AS is_final
  FROM control c;

-- name: settlement_dates
-- $1 first cycle bigint, $2 last cycle bigint
SELECT r.cycle, r.settlement_date FROM clearing_run r WHERE r.cycle BETWEEN $1 AND $2;

-- name: first_payment_from
-- $1 merchant uuid, $2 id uuid
SELECT p.id, p.created_at FROM payment p WHERE p.merchant = $1 AND p.id >= $2 ORDER BY p.id LIMIT 1;

-- name: captured_at_once
-- A merchant's payments that were captured with their authorization on a date, in the order of their ids, and where the
-- journal has that: the first event of that instant. The events are looked up all at once: one by one, a table that has
-- no statistics yet would be read by its date for each of them.
-- $1 merchant uuid, $2 after id uuid, $3 last id uuid, $4 business_date date, $5 count bigint
WITH y AS MATERIALIZED (
    SELECT p.id, p.order_no, p.terminal_id, p.created_at
      FROM payment p
     WHERE p.merchant = $1 AND p.id > $2 AND p.id <= $3
       AND p.business_date = $4 AND p.captured_at = p.created_at
     ORDER BY p.id
     LIMIT $5
), e AS MATERIALIZED (
    SELECT x.payment, x.at, x.lane, x.seq, x.n
      FROM event x
     WHERE x.business_date = $4 AND x.payment = ANY (ARRAY(SELECT y.id FROM y))
)
SELECT DISTINCT ON (y.id) y.id AS payment, y.order_no, y.terminal_id, y.created_at AS at, e.lane, e.seq, e.n,
       NULL::bytea AS body
  FROM y JOIN e ON e.payment = y.id AND e.at = y.created_at
 ORDER BY y.id, e.lane, e.seq, e.n;

-- name: later_moves
-- What a merchant has asked for on a date beside paying (captures, refunds, cancellations), in the order of the journal.
-- $1 merchant uuid, $2 business_date date, $3 after lane smallint, $4 after seq bigint, $5 after n smallint,
-- $6 count bigint
SELECT e.payment, y.order_no, y.terminal_id, e.at, e.lane, e.seq, e.n, e.body
  FROM (SELECT a.lane, a.seq, a.n FROM answer a
         WHERE a.caller = $1 AND a.business_date = $2 AND a.operation IN (2, 4, 5)
           AND (a.lane, a.seq, a.n) > ($3::smallint, $4::bigint, $5::smallint)
         ORDER BY a.lane, a.seq, a.n
         LIMIT $6) a,
       LATERAL (SELECT x.* FROM event x
                 WHERE x.business_date = $2 AND x.lane = a.lane AND x.seq = a.seq AND x.n = a.n
                 LIMIT 1) e
  LEFT JOIN LATERAL (SELECT x.order_no, x.terminal_id FROM payment x WHERE x.id = e.payment LIMIT 1) y ON true
 ORDER BY e.lane, e.seq, e.n;

-- name: shares_of_moves
-- The cleared postings on a merchant's account that some events have made; a batch is looked up once for all of its own.
-- $1 business_date date, $2 account uuid, $3 phase smallint, $4 kinds smallint[], $5 lanes smallint[], $6 seqs bigint[],
-- $7 n smallint[]
WITH move AS MATERIALIZED (
    SELECT m.lane, m.seq, m.n FROM unnest($5::smallint[], $6::bigint[], $7::smallint[]) m(lane, seq, n)
), batch AS MATERIALIZED (
    SELECT DISTINCT m.lane, m.seq FROM move m
), posted AS MATERIALIZED (
    SELECT b.lane, b.seq, p.event, p.n, p.cycle, p.debit, p.credit, p.amount
      FROM batch b,
           LATERAL (SELECT x.* FROM posting x
                     WHERE x.business_date = $1 AND x.lane = b.lane AND x.seq = b.seq
                       AND x.phase = $3 AND x.kind = ANY ($4::smallint[]) AND (x.debit = $2 OR x.credit = $2)
                    OFFSET 0) p
)
SELECT p.lane, p.seq, p.event, p.cycle, p.credit = $2 AS is_paid,
       CASE WHEN p.credit = $2 THEN p.debit ELSE p.credit END AS source, p.amount
  FROM posted p JOIN move m ON m.lane = p.lane AND m.seq = p.seq AND m.n = p.event
 ORDER BY p.lane, p.seq, p.n;

-- name: sums_of_moves
-- The same, added up: by cycle and direction, where an event counts once; and by source besides, one row a source.
-- $1 business_date date, $2 account uuid, $3 phase smallint, $4 kinds smallint[], $5 lanes smallint[], $6 seqs bigint[],
-- $7 n smallint[]
WITH move AS MATERIALIZED (
    SELECT m.lane, m.seq, m.n FROM unnest($5::smallint[], $6::bigint[], $7::smallint[]) m(lane, seq, n)
), batch AS MATERIALIZED (
    SELECT DISTINCT m.lane, m.seq FROM move m
), posted AS MATERIALIZED (
    SELECT b.lane, b.seq, p.event, p.cycle, p.credit = $2 AS is_paid,
           folded_account(CASE WHEN p.credit = $2 THEN p.debit ELSE p.credit END) AS source, p.amount
      FROM batch b,
           LATERAL (SELECT x.* FROM posting x
                     WHERE x.business_date = $1 AND x.lane = b.lane AND x.seq = b.seq
                       AND x.phase = $3 AND x.kind = ANY ($4::smallint[]) AND (x.debit = $2 OR x.credit = $2)
                    OFFSET 0) p
)
SELECT p.cycle, p.is_paid, p.source, count(DISTINCT (p.lane, p.seq, p.event)) AS count, sum(p.amount)::bigint AS amount
  FROM posted p JOIN move m ON m.lane = p.lane AND m.seq = p.seq AND m.n = p.event
 GROUP BY GROUPING SETS ((p.cycle, p.is_paid), (p.cycle, p.is_paid, p.source));
