-- name: posted_returns
-- The next items that were given back and are posted. $1 after batch uuid, $2 after n integer, $3 size bigint
SELECT r.batch, r.n, r.line, r.bank, r.item, r.direction, r.payment, r.cycle, r.leg, r.amount, r.account, r.stand_in,
       r.file, r.seq, r.reason, r.return_ref, r.original, r.kind, r.place
  FROM item_return r
 WHERE (r.batch, r.n) > ($1::uuid, $2::integer) AND r.is_posted
 ORDER BY r.batch, r.n
 LIMIT $3;

-- name: presented_items
-- The next items that were presented again. $1 after item text, $2 after direction smallint, $3 size bigint
SELECT r.item, r.direction, r.payment, r.amount, r.account, r.stand_in, r.present_count
  FROM returned_item r
 WHERE (r.item, r.direction) > ($1::text, $2::smallint) AND r.present_count > 0
 ORDER BY r.item, r.direction
 LIMIT $3;

-- name: carried_out
-- The next requests of some kinds that were carried out. $1 after id uuid, $2 kinds smallint[], $3 outcome smallint,
-- $4 size bigint
SELECT a.*
  FROM approval a
 WHERE a.id > $1 AND a.kind = ANY ($2::smallint[]) AND a.outcome = $3
 ORDER BY a.id
 LIMIT $4;

-- name: handled_differences
-- The next differences that a person has dealt with, and what they name as having settled them.
-- $1 after reconciliation uuid, $2 after n integer, $3 size bigint
SELECT d.reconciliation, d.n, d.resolution
  FROM difference d
 WHERE (d.reconciliation, d.n) > ($1::uuid, $2::integer) AND d.is_handled
 ORDER BY d.reconciliation, d.n
 LIMIT $3;

-- name: approvals_of
-- $1 ids uuid[]
SELECT a.* FROM approval a WHERE a.id = ANY ($1::uuid[]);

-- name: bookings
-- What the events that answered some keys have posted. $1 caller uuid, $2 operation smallint, $3 keys text[]
SELECT a.key, p.payment, p.phase, p.kind, p.debit, p.credit, p.amount
  FROM unnest($3::text[]) k(key),
       LATERAL (SELECT x.* FROM answer x
                 WHERE x.caller = $1::uuid AND x.operation = $2::smallint AND x.key = k.key LIMIT 1) a,
       LATERAL (SELECT r.* FROM posting r
                 WHERE r.business_date = a.business_date AND r.lane = a.lane AND r.seq = a.seq
                OFFSET 0) p
 WHERE p.event = a.n
 ORDER BY a.key, p.n;

-- name: booked_answers
-- The next answers of one caller to one operation. $1 caller uuid, $2 operation smallint, $3 after key text,
-- $4 size bigint
SELECT a.key, a.lane, a.seq, a.n
  FROM answer a
 WHERE a.caller = $1 AND a.operation = $2 AND a.key > $3
 ORDER BY a.key
 LIMIT $4;

-- name: decided_returns
-- Those of some items that were given back, and about which that is decided. $1 items text[], $2 directions smallint[]
SELECT r.item, r.direction
  FROM unnest($1::text[], $2::smallint[]) k(item, direction),
       LATERAL (SELECT x.item, x.direction FROM item_return x
                 WHERE x.item = k.item AND x.direction = k.direction AND x.kind IS NOT NULL LIMIT 1) r;

-- name: returned_items
-- What became of some items. $1 items text[], $2 directions smallint[]
SELECT r.item, r.direction, r.state, r.stand_in, r.present_count
  FROM unnest($1::text[], $2::smallint[]) k(item, direction),
       LATERAL (SELECT x.* FROM returned_item x WHERE x.item = k.item AND x.direction = k.direction LIMIT 1) r;

-- name: check_answered
-- A slice of the bookings in the folds: each is the answer to one key.
-- $1 after lane smallint, $2 after seq bigint, $3 after n smallint, $4 size bigint
WITH slice AS MATERIALIZED (
    SELECT b.*
      FROM booked_fold b
     WHERE (b.lane, b.seq, b.n) > ($1::smallint, $2::bigint, $3::smallint)
     ORDER BY b.lane, b.seq, b.n
     LIMIT $4
), wrong AS (
    SELECT s.*, a.answers
      FROM slice s,
           LATERAL (SELECT count(*) AS answers FROM answer_fold x
                     WHERE x.lane = s.lane AND x.seq = s.seq AND x.n = s.n) a
     WHERE a.answers <> 1
     ORDER BY s.lane, s.seq, s.n
     LIMIT 1
)
SELECT (SELECT count(*) FROM slice) AS count, z.lane AS last_lane, z.seq AS last_seq, z.n AS last_n,
       w.lane, w.seq, w.n, w.answers
  FROM (SELECT s.* FROM slice s ORDER BY s.lane DESC, s.seq DESC, s.n DESC LIMIT 1) z
  LEFT JOIN wrong w ON true;

-- name: check_bills
-- A slice of the bills: each that is paid is paid in full by the payment that it names, for its own cardholder, and is
-- over when all of that was given back. $1 after bill_no text, $2 refunded smallint, $3 size bigint
WITH slice AS MATERIALIZED (
    SELECT b.* FROM bill b WHERE b.bill_no > $1 ORDER BY b.bill_no LIMIT $3
), wrong AS (
    SELECT s.bill_no, s.payment
      FROM slice s
      LEFT JOIN LATERAL (SELECT p.bill_no, p.payer, p.captured, p.refunded
                           FROM payment p WHERE p.id = s.payment LIMIT 1) p ON true
     WHERE s.payment IS NOT NULL
       AND (p.bill_no IS DISTINCT FROM s.bill_no OR p.captured <> s.amount OR p.payer <> s.card
            OR (p.refunded = p.captured) <> (s.state = $2::smallint))
     ORDER BY s.bill_no
     LIMIT 1
)
SELECT (SELECT count(*) FROM slice) AS count, z.bill_no AS last_bill_no, w.bill_no, w.payment
  FROM (SELECT s.* FROM slice s ORDER BY s.bill_no DESC LIMIT 1) z
  LEFT JOIN wrong w ON true;

-- name: payments_of_bills
-- What some bills say that they are paid by. $1 bill_nos text[]
SELECT b.bill_no, b.payment
  FROM unnest($1::text[]) k(bill_no),
       LATERAL (SELECT x.bill_no, x.payment FROM bill x WHERE x.bill_no = k.bill_no LIMIT 1) b;
