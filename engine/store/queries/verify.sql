-- name: create_folds
-- What the journal adds up to, kept by the session that verifies: it spills to disk, and is gone with the session.
-- Two functions say what a stretch of one lane's batches moves; they serve the folds and, for what was committed after
-- the folds, the statements that compare. The third says what each bank paid and got in a cycle,
-- the fourth which account decides the bank of another. Rows are looked up batch by batch, so one daily partition is touched at
-- a time; OFFSET 0 keeps the planner from turning that round.
CREATE TEMP TABLE account_fold (
    account         uuid,
    lane            smallint,
    debits_pending  bigint,
    debits_posted   bigint,
    credits_pending bigint,
    credits_posted  bigint,
    seq             bigint,  -- of the batch that moved it last
    PRIMARY KEY (account, lane)
) WITH (fillfactor = 70);
CREATE TEMP TABLE payment_fold (  -- one row a payment and stretch; a payment is in few
    payment            uuid,
    opened             integer,  -- events, by kind
    captures           integer,
    parts              integer,
    declined           integer,
    voided             integer,
    lapsed             integer,
    refunds            integer,
    held               bigint,
    released           bigint,
    captured           bigint,
    refunded           bigint,
    first_cycle        bigint,
    last_cycle         bigint,
    captured_on        date,
    first_refund_cycle bigint,
    last_refund_cycle  bigint,
    captured_at        timestamptz,
    first_event        bigint[]  -- kind, days since 2000, lane, seq, n of the event that shows it as authorized
);
CREATE INDEX payment_fold_payment ON payment_fold (payment);
CREATE TEMP TABLE clearing_fold (
    cycle        bigint,
    account      uuid,  -- the one that decides the bank, as `engine.core.clearing.route_account`
    debits       bigint,
    credits      bigint,
    debit_count  bigint,
    credit_count bigint,
    PRIMARY KEY (cycle, account)
) WITH (fillfactor = 70);

CREATE TEMP TABLE booked_fold (  -- what no payment's own life makes
    lane smallint,
    seq  bigint,
    n    smallint,  -- of the event
    PRIMARY KEY (lane, seq, n)
);
CREATE TEMP TABLE answer_fold (  -- the events that have answered keys of the engine's own
    lane smallint,
    seq  bigint,
    n    smallint
);
CREATE INDEX answer_fold_event ON answer_fold (lane, seq, n);

CREATE FUNCTION pg_temp.account_moves(of_lane smallint, after_seq bigint, last_seq bigint)
RETURNS TABLE (account uuid, lane smallint, debits_pending bigint, debits_posted bigint, credits_pending bigint,
               credits_posted bigint, seq bigint, cleared_debits bigint, cleared_credits bigint,
               cleared_debit_count bigint, cleared_credit_count bigint)
LANGUAGE sql STABLE AS $$
    SELECT s.account, of_lane,
           coalesce(sum(s.pending) FILTER (WHERE s.is_debit), 0)::bigint,
           coalesce(sum(s.posted) FILTER (WHERE s.is_debit), 0)::bigint,
           coalesce(sum(s.pending) FILTER (WHERE NOT s.is_debit), 0)::bigint,
           coalesce(sum(s.posted) FILTER (WHERE NOT s.is_debit), 0)::bigint,
           max(s.seq),
           coalesce(sum(s.posted) FILTER (WHERE s.is_debit AND s.is_cleared), 0)::bigint,
           coalesce(sum(s.posted) FILTER (WHERE NOT s.is_debit AND s.is_cleared), 0)::bigint,
           count(*) FILTER (WHERE s.is_debit AND s.posted > 0 AND s.is_cleared),
           count(*) FILTER (WHERE NOT s.is_debit AND s.posted > 0 AND s.is_cleared)
      FROM (SELECT x.account, x.is_debit, p.seq,
                   p.kind IN (:kind_pay, :kind_refund, :kind_return, :kind_represent, :kind_benefit) AS is_cleared,
                   CASE p.phase WHEN :phase_hold THEN p.amount WHEN :phase_release THEN -p.amount ELSE 0 END AS pending,
                   CASE p.phase WHEN :phase_post THEN p.amount ELSE 0 END AS posted
              FROM batch b,
                   LATERAL (SELECT r.seq, r.kind, r.phase, r.debit, r.credit, r.amount
                              FROM posting r
                             WHERE r.business_date = b.business_date AND r.lane = b.lane AND r.seq = b.seq
                            OFFSET 0) p,
                   LATERAL (VALUES (p.debit, true), (p.credit, false)) x(account, is_debit)
             WHERE b.lane = of_lane AND b.seq > after_seq AND b.seq <= last_seq) s
     GROUP BY s.account
$$;

CREATE FUNCTION pg_temp.payment_moves(of_lane smallint, after_seq bigint, last_seq bigint)
RETURNS SETOF pg_temp.payment_fold
LANGUAGE sql STABLE AS $$
    SELECT m.payment,
           (count(*) FILTER (WHERE m.event_kind = :event_authorized))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_captured))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_part_captured))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_declined))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_voided))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_expired))::integer,
           (count(*) FILTER (WHERE m.event_kind = :event_refunded))::integer,
           coalesce(sum(m.amount) FILTER (WHERE m.phase = :phase_hold), 0)::bigint,
           coalesce(sum(m.amount) FILTER (WHERE m.phase = :phase_release), 0)::bigint,
           coalesce(sum(m.amount) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_pay), 0)::bigint,
           coalesce(sum(m.amount) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_refund), 0)::bigint,
           min(m.cycle) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_pay),
           max(m.cycle) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_pay),
           min(m.business_date) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_pay),
           min(m.cycle) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_refund),
           max(m.cycle) FILTER (WHERE m.phase = :phase_post AND m.kind = :kind_refund),
           min(m.at) FILTER (WHERE m.event_kind IN (:event_captured, :event_part_captured)),
           min(ARRAY[m.event_kind, m.business_date - date '2000-01-01', of_lane, m.seq, m.n]::bigint[])
               FILTER (WHERE m.event_kind IN (:event_authorized, :event_captured, :event_declined))
      FROM batch b,
           LATERAL (SELECT p.payment, p.phase, p.kind, p.amount, p.cycle, p.business_date,
                           NULL::smallint AS event_kind, NULL::timestamptz AS at, p.seq, p.n
                      FROM posting p
                     WHERE p.business_date = b.business_date AND p.lane = b.lane AND p.seq = b.seq
                       AND p.kind IN (:kind_pay, :kind_refund)
                    UNION ALL
                    SELECT e.payment, NULL, NULL, NULL, NULL, e.business_date, e.kind, e.at, e.seq, e.n
                      FROM event e
                     WHERE e.business_date = b.business_date AND e.lane = b.lane AND e.seq = b.seq
                       AND e.payment <> '00000000-0000-0000-0000-000000000000' AND e.kind NOT IN (:event_booked, :event_card_reported_lost, :event_card_reinstated,
                                          :event_card_changed, :event_family_changed, :event_password_checked)
                    OFFSET 0) m
     WHERE b.lane = of_lane AND b.seq > after_seq AND b.seq <= last_seq
     GROUP BY m.payment
$$;

CREATE FUNCTION pg_temp.owed(of_cycle bigint)
RETURNS TABLE (bank uuid, debits bigint, credits bigint, debit_count bigint, credit_count bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(r.bank, k.id), sum(c.debits)::bigint, sum(c.credits)::bigint, sum(c.debit_count)::bigint,
           sum(c.credit_count)::bigint
      FROM (SELECT f.* FROM clearing_fold f WHERE f.cycle = of_cycle) c
      LEFT JOIN clearing_route r ON r.cycle = c.cycle AND r.account = c.account
      LEFT JOIN bank k ON get_byte(uuid_send(c.account), 7) IN (:account_receivable, :account_payable)
                      AND k.id = encode(set_byte(uuid_send(c.account), 7, :id_bank), 'hex')::uuid
     GROUP BY 1
$$;

CREATE FUNCTION pg_temp.route_of(account uuid) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
               WHEN get_byte(uuid_send(account), 7) IN (:account_personal, :account_benefit)
               THEN (CASE get_byte(uuid_send(account), 7)
                          WHEN :account_personal THEN lpad(to_hex(:pay_type_personal), 12, '0')
                          ELSE encode(substr(uuid_send(account), 1, 6), 'hex')
                     END || '00' || to_hex(:account_fund)
                     || lpad(to_hex(((get_byte(uuid_send(account), 8) << 12)
                                     + (get_byte(uuid_send(account), 9) << 4)
                                     + (get_byte(uuid_send(account), 10) >> 4)) / 100 * 100), 5, '0')
                     || '00000000000')::uuid
               WHEN get_byte(uuid_send(account), 7) IN (:account_debt, :account_long, :account_short)
               THEN encode(set_byte(uuid_send('00000000-0000-0000-0000-000000000000'::uuid), 7, :account_debt),
                           'hex')::uuid
               ELSE account
           END
$$;

-- name: fold
-- Add a stretch of one lane, all of one cycle, to the folds.
-- $1 lane smallint, $2 after seq bigint, $3 last seq bigint, $4 cycle bigint
WITH moved AS MATERIALIZED (
    SELECT * FROM pg_temp.account_moves($1::smallint, $2::bigint, $3::bigint)
), accounts AS (
    INSERT INTO account_fold AS f
    SELECT m.account, m.lane, m.debits_pending, m.debits_posted, m.credits_pending, m.credits_posted, m.seq
      FROM moved m
    ON CONFLICT (account, lane) DO UPDATE
       SET debits_pending = f.debits_pending + excluded.debits_pending,
           debits_posted = f.debits_posted + excluded.debits_posted,
           credits_pending = f.credits_pending + excluded.credits_pending,
           credits_posted = f.credits_posted + excluded.credits_posted,
           seq = excluded.seq
), cleared AS (
    INSERT INTO clearing_fold AS f
    SELECT $4::bigint, c.account, sum(c.cleared_debits)::bigint, sum(c.cleared_credits)::bigint,
           sum(c.cleared_debit_count)::bigint, sum(c.cleared_credit_count)::bigint
      FROM (SELECT pg_temp.route_of(m.account) AS account, m.cleared_debits, m.cleared_credits,
                   m.cleared_debit_count, m.cleared_credit_count
              FROM moved m
             WHERE m.cleared_debits > 0 OR m.cleared_credits > 0) c
     GROUP BY c.account
    ON CONFLICT (cycle, account) DO UPDATE
       SET debits = f.debits + excluded.debits, credits = f.credits + excluded.credits,
           debit_count = f.debit_count + excluded.debit_count, credit_count = f.credit_count + excluded.credit_count
)
INSERT INTO payment_fold SELECT * FROM pg_temp.payment_moves($1::smallint, $2::bigint, $3::bigint);

-- name: lane_heads
-- Every lane that has a row or a batch, and its last batch, in one snapshot: a lane's batch and its row commit together.
WITH RECURSIVE chained(lane) AS (
    (SELECT b.lane FROM batch b ORDER BY b.lane LIMIT 1)
    UNION ALL
    SELECT (SELECT b.lane FROM batch b WHERE b.lane > c.lane ORDER BY b.lane LIMIT 1)
      FROM chained c
     WHERE c.lane IS NOT NULL
)
SELECT coalesce(l.id, c.lane) AS lane, coalesce(l.seq, 0) AS seq,
       coalesce(l.head, '\x0000000000000000000000000000000000000000000000000000000000000000') AS head,
       coalesce((SELECT b.seq FROM batch b WHERE b.lane = coalesce(l.id, c.lane) ORDER BY b.seq DESC LIMIT 1), 0)
           AS last_seq
  FROM lane l FULL JOIN (SELECT x.lane FROM chained x WHERE x.lane IS NOT NULL) c ON c.lane = l.id
 ORDER BY 1;

-- name: batches
-- $1 lane smallint, $2 after seq bigint, $3 last seq bigint, $4 limit bigint
SELECT b.lane, b.seq, b.at, b.business_date, b.cycle, b.n, b.prev, b.hash
  FROM batch b
 WHERE b.lane = $1 AND b.seq > $2 AND b.seq <= $3
 ORDER BY b.seq
 LIMIT $4;

-- name: postings
-- $1 lane smallint, $2 after seq bigint, $3 last seq bigint
SELECT p.business_date, p.lane, p.seq, p.n, p.event, p.cycle, p.region, p.payment, p.phase, p.kind, p.debit, p.credit,
       p.amount
  FROM batch b,
       LATERAL (SELECT r.*
                  FROM posting r
                 WHERE r.business_date = b.business_date AND r.lane = b.lane AND r.seq = b.seq
                OFFSET 0) p
 WHERE b.lane = $1::smallint AND b.seq > $2::bigint AND b.seq <= $3::bigint
 ORDER BY p.seq, p.n;

-- name: events
-- $1 lane smallint, $2 after seq bigint, $3 last seq bigint
SELECT e.business_date, e.lane, e.seq, e.n, e.kind, e.region, e.payment, e.at, e.body
  FROM batch b,
       LATERAL (SELECT r.*
                  FROM event r
                 WHERE r.business_date = b.business_date AND r.lane = b.lane AND r.seq = b.seq
                OFFSET 0) e
 WHERE b.lane = $1::smallint AND b.seq > $2::bigint AND b.seq <= $3::bigint
 ORDER BY e.seq, e.n;

-- name: next_posting_date
-- $1 after date
SELECT p.business_date FROM posting p WHERE p.business_date > $1 ORDER BY p.business_date LIMIT 1;

-- name: next_event_date
-- $1 after date
SELECT e.business_date FROM event e WHERE e.business_date > $1 ORDER BY e.business_date LIMIT 1;

-- name: stray_posting
-- The first or last posting of a lane on a date, if its batch is not of that date. The dates of a chain only grow, so
-- when both ends have their batch, everything between them has. $1 business_date date
WITH RECURSIVE found(lane) AS (
    (SELECT p.lane FROM posting p WHERE p.business_date = $1::date ORDER BY p.lane LIMIT 1)
    UNION ALL
    SELECT (SELECT p.lane FROM posting p WHERE p.business_date = $1::date AND p.lane > f.lane ORDER BY p.lane LIMIT 1)
      FROM found f
     WHERE f.lane IS NOT NULL
)
SELECT r.lane, r.seq, r.n
  FROM found f,
       LATERAL ((SELECT p.lane, p.seq, p.n FROM posting p WHERE p.business_date = $1::date AND p.lane = f.lane
                  ORDER BY p.seq, p.n LIMIT 1)
                UNION ALL
                (SELECT p.lane, p.seq, p.n FROM posting p WHERE p.business_date = $1::date AND p.lane = f.lane
                  ORDER BY p.seq DESC, p.n DESC LIMIT 1)) r
 WHERE NOT EXISTS (SELECT FROM batch b WHERE b.lane = r.lane AND b.seq = r.seq AND b.business_date = $1::date)
 ORDER BY r.lane, r.seq
 LIMIT 1;

-- name: stray_event
-- As for postings. $1 business_date date
WITH RECURSIVE found(lane) AS (
    (SELECT e.lane FROM event e WHERE e.business_date = $1::date ORDER BY e.lane LIMIT 1)
    UNION ALL
    SELECT (SELECT e.lane FROM event e WHERE e.business_date = $1::date AND e.lane > f.lane ORDER BY e.lane LIMIT 1)
      FROM found f
     WHERE f.lane IS NOT NULL
)
SELECT r.lane, r.seq, r.n
  FROM found f,
       LATERAL ((SELECT e.lane, e.seq, e.n FROM event e WHERE e.business_date = $1::date AND e.lane = f.lane
                  ORDER BY e.seq, e.n LIMIT 1)
                UNION ALL
                (SELECT e.lane, e.seq, e.n FROM event e WHERE e.business_date = $1::date AND e.lane = f.lane
                  ORDER BY e.seq DESC, e.n DESC LIMIT 1)) r
 WHERE NOT EXISTS (SELECT FROM batch b WHERE b.lane = r.lane AND b.seq = r.seq AND b.business_date = $1::date)
 ORDER BY r.lane, r.seq
 LIMIT 1;

-- name: next_balance
-- Where a slice of balances ends. $1 after uuid, $2 size bigint
SELECT b.account FROM balance b WHERE b.account > $1 ORDER BY b.account OFFSET $2 LIMIT 1;

-- name: next_payer
-- $1 after uuid, $2 size bigint
SELECT y.id FROM payer y WHERE y.id > $1 ORDER BY y.id OFFSET $2 LIMIT 1;

-- name: next_payment
-- $1 after uuid, $2 size bigint
SELECT p.id FROM payment p WHERE p.id > $1 ORDER BY p.id OFFSET $2 LIMIT 1;

-- name: check_balances
-- Compare a slice of the balances with the folds. Lanes go on committing: what they committed after the folds is added
-- from the journal as this statement sees it. One statement has one snapshot, and a batch commits its postings and its
-- totals together, so nothing can be on one side only.
-- $1 after uuid, $2 last uuid, $3 lanes smallint[], $4 the seq up to which each is folded bigint[]
WITH tail AS MATERIALIZED (
    SELECT m.*
      FROM lane l
      LEFT JOIN unnest($3::smallint[], $4::bigint[]) k(lane, seq) ON k.lane = l.id,
           LATERAL pg_temp.account_moves(l.id, coalesce(k.seq, 0), 9223372036854775807) m
), moved AS (
    SELECT m.account, m.lane, sum(m.debits_pending)::bigint AS debits_pending,
           sum(m.debits_posted)::bigint AS debits_posted, sum(m.credits_pending)::bigint AS credits_pending,
           sum(m.credits_posted)::bigint AS credits_posted, max(m.seq) AS seq
      FROM (SELECT f.account, f.lane, f.debits_pending, f.debits_posted, f.credits_pending, f.credits_posted, f.seq
              FROM account_fold f
             WHERE f.account > $1::uuid AND f.account <= $2::uuid
            UNION ALL
            SELECT t.account, t.lane, t.debits_pending, t.debits_posted, t.credits_pending, t.credits_posted, t.seq
              FROM tail t
             WHERE t.account > $1::uuid AND t.account <= $2::uuid) m
     WHERE get_byte(uuid_send(m.account), 7) <> :account_personal
     GROUP BY m.account, m.lane
), compared AS MATERIALIZED (
    SELECT coalesce(b.account, m.account) AS account, coalesce(b.lane, m.lane) AS lane,
           ARRAY[m.debits_pending, m.debits_posted, m.credits_pending, m.credits_posted, m.seq] AS expected,
           ARRAY[b.debits_pending, b.debits_posted, b.credits_pending, b.credits_posted, b.seq] AS actual
      FROM (SELECT x.* FROM balance x WHERE x.account > $1::uuid AND x.account <= $2::uuid) b
      FULL JOIN moved m ON m.account = b.account AND m.lane = b.lane
)
SELECT (SELECT count(*) FROM compared) AS count, w.account, w.lane, w.expected, w.actual
  FROM (VALUES (1)) one(row)
  LEFT JOIN (SELECT c.* FROM compared c WHERE c.expected <> c.actual ORDER BY c.account, c.lane LIMIT 1) w ON true;

-- name: check_payers
-- The same for the personal accounts: their totals are on the payers' rows, whichever lanes moved them.
-- $1 after uuid, $2 last uuid, $3 lanes smallint[], $4 seqs bigint[], $5 after account uuid, $6 last account uuid
WITH tail AS MATERIALIZED (
    SELECT m.*
      FROM lane l
      LEFT JOIN unnest($3::smallint[], $4::bigint[]) k(lane, seq) ON k.lane = l.id,
           LATERAL pg_temp.account_moves(l.id, coalesce(k.seq, 0), 9223372036854775807) m
), moved AS (
    SELECT m.account, sum(m.debits_pending)::bigint AS debits_pending, sum(m.debits_posted)::bigint AS debits_posted,
           sum(m.credits_pending)::bigint AS credits_pending, sum(m.credits_posted)::bigint AS credits_posted
      FROM (SELECT f.account, f.debits_pending, f.debits_posted, f.credits_pending, f.credits_posted
              FROM account_fold f
             WHERE f.account > $5::uuid AND f.account <= $6::uuid
            UNION ALL
            SELECT t.account, t.debits_pending, t.debits_posted, t.credits_pending, t.credits_posted
              FROM tail t
             WHERE t.account > $5::uuid AND t.account <= $6::uuid) m
     WHERE get_byte(uuid_send(m.account), 7) = :account_personal
     GROUP BY m.account
), compared AS MATERIALIZED (
    SELECT coalesce(y.account, m.account) AS account,
           ARRAY[coalesce(m.debits_pending, 0), coalesce(m.debits_posted, 0), coalesce(m.credits_pending, 0),
                 coalesce(m.credits_posted, 0)] AS expected,
           ARRAY[y.debits_pending, y.debits_posted, y.credits_pending, y.credits_posted] AS actual
      FROM (SELECT encode(set_byte(uuid_send(x.id), 7, :account_personal), 'hex')::uuid AS account, x.debits_pending,
                   x.debits_posted, x.credits_pending, x.credits_posted
              FROM payer x
             WHERE x.id > $1::uuid AND x.id <= $2::uuid) y
      FULL JOIN moved m ON m.account = y.account
)
SELECT (SELECT count(*) FROM compared) AS count, w.account, w.expected, w.actual
  FROM (VALUES (1)) one(row)
  LEFT JOIN (SELECT c.* FROM compared c WHERE c.expected <> c.actual ORDER BY c.account LIMIT 1) w ON true;

-- name: payments
-- A slice of the payments with everything that must agree with them, in one snapshot, as for balances.
-- $1 after uuid, $2 last uuid, $3 lanes smallint[], $4 the seq up to which each is folded bigint[]
WITH tail AS MATERIALIZED (
    SELECT m.*
      FROM lane l
      LEFT JOIN unnest($3::smallint[], $4::bigint[]) k(lane, seq) ON k.lane = l.id,
           LATERAL pg_temp.payment_moves(l.id, coalesce(k.seq, 0), 9223372036854775807) m
), moved AS (
    SELECT m.payment, sum(m.opened) AS opened, sum(m.captures) AS captures, sum(m.parts) AS parts,
           sum(m.declined) AS declined, sum(m.voided) AS voided, sum(m.lapsed) AS lapsed, sum(m.refunds) AS refunds,
           sum(m.held)::bigint AS held, sum(m.released)::bigint AS released, sum(m.captured)::bigint AS captured,
           sum(m.refunded)::bigint AS refunded, min(m.first_cycle) AS first_cycle, max(m.last_cycle) AS last_cycle,
           min(m.captured_on) AS captured_on, min(m.first_refund_cycle) AS first_refund_cycle,
           max(m.last_refund_cycle) AS last_refund_cycle, min(m.captured_at) AS captured_at,
           min(m.first_event) AS first_event
      FROM (SELECT f.* FROM payment_fold f WHERE f.payment > $1::uuid AND f.payment <= $2::uuid
            UNION ALL
            SELECT t.* FROM tail t WHERE t.payment > $1::uuid AND t.payment <= $2::uuid) m
     GROUP BY m.payment
), given AS (
    SELECT r.payment, count(*) AS count, sum(r.amount)::bigint AS amount, min(r.cycle) AS first_cycle,
           max(r.cycle) AS last_cycle
      FROM refund r
     WHERE r.payment > $1::uuid AND r.payment <= $2::uuid
     GROUP BY r.payment
)
SELECT coalesce(p.id, m.payment) AS id, p.found AS payment, m.opened, m.captures, m.parts, m.declined, m.voided,
       m.lapsed, m.refunds, m.held, m.released, m.captured, m.refunded, m.first_cycle, m.last_cycle, m.captured_on,
       m.first_refund_cycle, m.last_refund_cycle, m.captured_at,
       date '2000-01-01' + m.first_event[2]::integer AS opened_on,
       coalesce(g.count, 0) AS given_count, coalesce(g.amount, 0) AS given_amount, g.first_cycle AS given_first,
       g.last_cycle AS given_last, a.body AS original, h.due AS hold_due, o.payment AS order_payment
  FROM (SELECT x.id, x AS found, x.merchant, x.order_no, x.expires_at
          FROM payment x
         WHERE x.id > $1::uuid AND x.id <= $2::uuid) p
  FULL JOIN moved m ON m.payment = p.id
  LEFT JOIN given g ON g.payment = p.id
  LEFT JOIN LATERAL (SELECT e.body
                       FROM event e
                      WHERE e.business_date = date '2000-01-01' + m.first_event[2]::integer
                        AND e.lane = m.first_event[3]::smallint AND e.seq = m.first_event[4]
                        AND e.n = m.first_event[5]::smallint
                      LIMIT 1) a ON true
  LEFT JOIN LATERAL (SELECT x.due FROM hold x WHERE x.due = p.expires_at AND x.payment = p.id LIMIT 1) h ON true
  LEFT JOIN LATERAL (SELECT x.payment
                       FROM order_ref x
                      WHERE x.merchant = p.merchant AND x.order_no = p.order_no
                      LIMIT 1) o ON true
 ORDER BY 1;

-- name: check_answers
-- A slice of the answers: each points to an event.
-- $1 after caller uuid, $2 after operation smallint, $3 after key text, $4 size bigint
WITH slice AS MATERIALIZED (
    SELECT a.*
      FROM answer a
     WHERE (a.caller, a.operation, a.key) > ($1::uuid, $2::smallint, $3::text)
     ORDER BY a.caller, a.operation, a.key
     LIMIT $4
), wrong AS (
    SELECT s.*
      FROM slice s
      LEFT JOIN LATERAL (SELECT true AS found
                           FROM event e
                          WHERE e.business_date = s.business_date AND e.lane = s.lane AND e.seq = s.seq AND e.n = s.n
                          LIMIT 1) e ON true
     WHERE e.found IS NULL
     ORDER BY s.caller, s.operation, s.key
     LIMIT 1
)
SELECT (SELECT count(*) FROM slice) AS count, z.caller AS last_caller, z.operation AS last_operation, z.key AS last_key,
       w.caller, w.operation, w.key, w.lane, w.seq, w.n
  FROM (SELECT s.* FROM slice s ORDER BY s.caller DESC, s.operation DESC, s.key DESC LIMIT 1) z
  LEFT JOIN wrong w ON true;

-- name: check_orders
-- A slice of the order numbers: each that is claimed is claimed by a payment of that order, and a pre-settlement by one
-- that remembers it. That declined payments claim none is seen from the payments.
-- $1 after merchant uuid, $2 after order_no text, $3 size bigint
WITH slice AS MATERIALIZED (
    SELECT o.*
      FROM order_ref o
     WHERE (o.merchant, o.order_no) > ($1::uuid, $2::text)
     ORDER BY o.merchant, o.order_no
     LIMIT $3
), wrong AS (
    SELECT s.*
      FROM slice s
      LEFT JOIN LATERAL (SELECT p.merchant, p.order_no, p.details FROM payment p WHERE p.id = s.payment LIMIT 1) p ON true
     WHERE s.payment IS NOT NULL
       AND (p.merchant IS NULL OR p.merchant <> s.merchant
            OR NOT CASE WHEN s.order_no ~ '^\$quote/[0-9a-f]{32}$'
                        THEN position(decode(substr(s.order_no, 8), 'hex') IN coalesce(p.details, '')) > 0
                        ELSE p.order_no = s.order_no END)
     ORDER BY s.merchant, s.order_no
     LIMIT 1
)
SELECT (SELECT count(*) FROM slice) AS count, z.merchant AS last_merchant, z.order_no AS last_order_no,
       w.merchant, w.order_no, w.payment
  FROM (SELECT s.* FROM slice s ORDER BY s.merchant DESC, s.order_no DESC LIMIT 1) z
  LEFT JOIN wrong w ON true;

-- name: check_holds
-- A slice of the holds: each is that of an authorized payment. $1 after due timestamptz, $2 after payment uuid,
-- $3 size bigint
WITH slice AS MATERIALIZED (
    SELECT h.* FROM hold h WHERE (h.due, h.payment) > ($1::timestamptz, $2::uuid) ORDER BY h.due, h.payment LIMIT $3
), wrong AS (
    SELECT s.*
      FROM slice s
      LEFT JOIN LATERAL (SELECT p.state, p.expires_at FROM payment p WHERE p.id = s.payment LIMIT 1) p ON true
     WHERE p.state IS NULL OR p.state NOT IN (:state_authorized, :state_awaiting_user) OR p.expires_at IS DISTINCT FROM s.due
     ORDER BY s.due, s.payment
     LIMIT 1
)
SELECT (SELECT count(*) FROM slice) AS count, z.due AS last_due, z.payment AS last_payment, w.due, w.payment
  FROM (SELECT s.* FROM slice s ORDER BY s.due DESC, s.payment DESC LIMIT 1) z
  LEFT JOIN wrong w ON true;

-- name: refunds
-- $1 after payment uuid, $2 after refund_no text, $3 size bigint
SELECT r AS found
  FROM refund r
 WHERE (r.payment, r.refund_no) > ($1::uuid, $2::text)
 ORDER BY r.payment, r.refund_no
 LIMIT $3;

-- name: next_seal
-- The next cycle that was sealed, and its seal if there is one. $1 after cycle bigint
SELECT c.cycle, s.lanes, s.root, s.key_id, s.signature
  FROM (SELECT min(x.cycle) AS cycle
          FROM ((SELECT r.cycle FROM clearing_run r
                  WHERE r.cycle > $1 AND r.sealed_at IS NOT NULL ORDER BY r.cycle LIMIT 1)
                UNION ALL
                (SELECT z.cycle FROM seal z WHERE z.cycle > $1 ORDER BY z.cycle LIMIT 1)) x) c
  LEFT JOIN seal s ON s.cycle = c.cycle
 WHERE c.cycle IS NOT NULL;

-- name: sealed_lanes
-- What the chains have where a seal says that they ended, and the cycle of the batch behind it.
-- $1 lanes smallint[], $2 seqs bigint[]
SELECT coalesce(v.lane, l.id) AS lane, coalesce(v.seq, 0) AS seq, b.hash, n.cycle AS next_cycle
  FROM unnest($1::smallint[], $2::bigint[]) v(lane, seq)
  FULL JOIN lane l ON l.id = v.lane
  LEFT JOIN batch b ON b.lane = v.lane AND b.seq = v.seq
  LEFT JOIN batch n ON n.lane = coalesce(v.lane, l.id) AND n.seq = coalesce(v.seq, 0) + 1
 ORDER BY 1;

-- name: next_file
-- $1 after name text
SELECT f.name, f.cycle, f.size, f.sha256, f.root, f.key_id, f.signature, s.root AS sealed_root
  FROM clearing_file f
  LEFT JOIN seal s ON s.cycle = f.cycle
 WHERE f.name > $1 AND f.published_at IS NOT NULL
 ORDER BY f.name
 LIMIT 1;

-- name: next_chunk
-- $1 name text, $2 after part integer
SELECT c.part, c.bytes FROM clearing_chunk c WHERE c.name = $1 AND c.part > $2 ORDER BY c.part LIMIT 1;

-- name: next_netted
-- A netted cycle and what its net positions sum to. $1 after cycle bigint
SELECT c.cycle, n.debits, n.credits
  FROM (SELECT x.cycle FROM clearing_run x WHERE x.cycle > $1 AND x.netted_at IS NOT NULL ORDER BY x.cycle LIMIT 1) c,
       LATERAL (SELECT coalesce(sum(x.debits), 0)::bigint AS debits, coalesce(sum(x.credits), 0)::bigint AS credits
                  FROM net_position x
                 WHERE x.cycle = c.cycle) n;

-- name: wrong_net
-- A bank whose net position in a cycle is not what the cycle's postings give: an account's debits are paid by the bank
-- that it cleared through, its credits are paid to that bank. $1 cycle bigint
SELECT w.*
  FROM (SELECT coalesce(o.bank, n.bank) AS bank,
               ARRAY[coalesce(o.debits, 0), coalesce(o.debit_count, 0), coalesce(o.credits, 0),
                     coalesce(o.credit_count, 0)] AS expected,
               ARRAY[coalesce(n.debits, 0), coalesce(n.debit_count, 0), coalesce(n.credits, 0),
                     coalesce(n.credit_count, 0)] AS actual
          FROM pg_temp.owed($1::bigint) o
          FULL JOIN (SELECT x.* FROM net_position x WHERE x.cycle = $1::bigint) n ON n.bank = o.bank) w
 WHERE w.expected <> w.actual
 ORDER BY w.bank
 LIMIT 1;

-- name: wrong_file
-- A file in force whose total or number of items is not what the postings of the cycles that it covers give its bank,
-- or a bank that has none though the cycle is published. $1 cycle bigint, $2 kind of files of what banks pay text,
-- $3 kind of files of what they get text
WITH owed AS MATERIALIZED (
    SELECT c.cycle, o.bank, o.debits, o.credits, o.debit_count, o.credit_count
      FROM (SELECT DISTINCT m.cycle FROM net_position m
             WHERE m.cycle <= $1::bigint
               AND m.cycle >= (SELECT min(x.delivers_from) FROM net_position x WHERE x.cycle = $1::bigint)) c,
           LATERAL pg_temp.owed(c.cycle) o
)
SELECT w.*
  FROM (SELECT n.bank, k.kind, f.name,
               CASE k.kind WHEN $2::text THEN ARRAY[coalesce(o.debits, 0), coalesce(o.debit_count, 0)]
                           ELSE ARRAY[coalesce(o.credits, 0), coalesce(o.credit_count, 0)] END AS expected,
               CASE k.kind WHEN $2::text THEN ARRAY[f.debit_total, f.item_count]
                           ELSE ARRAY[f.credit_total, f.item_count] END AS actual
          FROM clearing_run c
          JOIN net_position n ON n.cycle = c.cycle AND n.delivers_from IS NOT NULL
          JOIN (VALUES ($2::text), ($3::text)) k(kind) ON true
          LEFT JOIN clearing_file f ON f.cycle = n.cycle AND f.bank = n.bank AND f.kind = k.kind
                                   AND f.published_at IS NOT NULL
                                   AND NOT EXISTS (SELECT FROM clearing_file r WHERE r.replaces = f.name)
          LEFT JOIN LATERAL (SELECT sum(w.debits)::bigint AS debits, sum(w.debit_count)::bigint AS debit_count,
                                    sum(w.credits)::bigint AS credits, sum(w.credit_count)::bigint AS credit_count
                               FROM owed w
                              WHERE w.bank = n.bank AND w.cycle BETWEEN n.delivers_from AND n.cycle) o ON true
         WHERE c.cycle = $1::bigint AND c.published_at IS NOT NULL) w
 WHERE w.expected <> w.actual
 ORDER BY w.bank, w.kind, w.name
 LIMIT 1;

-- name: sizes
-- About how many rows there are, for showing how far it is.
SELECT c.relname AS name,
       (greatest(c.reltuples, 0) + (SELECT coalesce(sum(greatest(p.reltuples, 0)), 0)
                                      FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
                                     WHERE i.inhparent = c.oid))::bigint AS rows
  FROM pg_class c
 WHERE c.oid = ANY (ARRAY['payer', 'balance', 'answer', 'order_ref', 'hold', 'payment', 'refund']::regclass[]);
