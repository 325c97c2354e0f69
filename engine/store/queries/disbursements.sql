-- name: begin_batch
-- $1 id uuid, $2 agency uuid, $3 region integer, $4 state smallint, $5 created_at timestamptz
INSERT INTO disbursement (id, agency, region, state, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: stage_lines
-- Keep some lines of a batch that is being read, in the order of their unique keys: of two batches at once neither waits
-- for the other in a circle. What comes back are the lines that cannot be kept or paid, and why.
-- $1 batch uuid, $2 lines staged_line[], $3 state smallint
WITH given AS MATERIALIZED (
    SELECT v.*,
           (SELECT y.bank FROM payer y WHERE y.id = v.card LIMIT 1) AS bank,
           EXISTS (SELECT FROM fund f WHERE f.region = v.region AND f.pay_type = v.pay_type) AS has_fund
      FROM unnest($2::staged_line[]) v
), kept AS (
    INSERT INTO disbursement_line (id, batch, n, line_ref, card, benefit_code, period, region, pay_type, amount, bank,
                                   state)
    SELECT g.id, $1, g.n, g.line_ref, g.card, g.benefit_code, g.period, g.region, g.pay_type, g.amount, g.bank, $3
      FROM given g
     ORDER BY g.card, g.period, g.benefit_code, g.pay_type, g.region, g.n
    ON CONFLICT DO NOTHING
    RETURNING n
)
SELECT g.line, g.bank IS NOT NULL AS has_card, g.has_fund, k.n IS NOT NULL AS is_kept, g.card, g.period,
       g.benefit_code, g.pay_type, g.region
  FROM given g LEFT JOIN kept k ON k.n = g.n
 WHERE g.bank IS NULL OR NOT g.has_fund OR k.n IS NULL
 ORDER BY g.line;

-- name: other_line
-- Whether the same benefit is in a batch already, of whatever agency. $1 card uuid, $2 period integer,
-- $3 benefit_code text, $4 pay_type integer, $5 region integer
SELECT EXISTS (SELECT FROM disbursement_line l
                WHERE l.card = $1 AND l.period = $2 AND l.benefit_code = $3 AND l.pay_type = $4 AND l.region = $5
                  AND l.replaces IS NULL);

-- name: accept_batch
-- $1 id uuid, $2 upload uuid, $3 batch_no text, $4 line_count bigint, $5 amount bigint, $6 draft smallint,
-- $7 being read smallint, $8 created_at timestamptz
UPDATE disbursement
   SET state = $6, upload = $2, batch_no = $3, line_count = $4, pending_count = $4, amount = $5, created_at = $8
 WHERE id = $1 AND state = $7
RETURNING id;

-- name: insert_funds
-- $1 funds disbursement_fund[]
INSERT INTO disbursement_fund SELECT * FROM unnest($1::disbursement_fund[]);

-- name: give_up_batch
-- $1 id uuid, $2 given up smallint, $3 being read smallint
UPDATE disbursement SET state = $2 WHERE id = $1 AND state = $3;

-- name: withdraw_batch
-- $1 id uuid, $2 agency uuid, $3 withdrawn smallint, $4 draft smallint
UPDATE disbursement SET state = $3, pending_count = 0 WHERE id = $1 AND agency = $2 AND state = $4;

-- name: unwanted_batches
-- What was given up or withdrawn, and what has been read for so long that its upload was cut short.
-- $1 given up smallint, $2 being read smallint, $3 withdrawn smallint, $4 before timestamptz
SELECT d.id
  FROM disbursement d
 WHERE d.state IN (1, 2, 4)
   AND (d.state = $1 OR (d.state = $2 AND d.created_at < $4)
        OR (d.state = $3 AND EXISTS (SELECT FROM disbursement_line l WHERE l.batch = d.id)));

-- name: drop_lines
-- Some lines of a batch that nobody will pay. $1 batch uuid, $2 count bigint
WITH page AS MATERIALIZED (
    SELECT l.id FROM disbursement_line l WHERE l.batch = $1 ORDER BY l.n LIMIT $2
), dropped AS (
    DELETE FROM disbursement_line l USING page p WHERE l.id = p.id RETURNING 1
)
SELECT count(*) FROM dropped;

-- name: drop_batch
-- $1 id uuid, $2 given up smallint
DELETE FROM disbursement WHERE id = $1 AND state = $2;

-- name: batch
-- $1 id uuid
SELECT d.*,
       (SELECT coalesce(sum(c.sent_count), 0)::bigint FROM disbursement_cycle c WHERE c.batch = d.id) AS sent_count,
       (SELECT coalesce(sum(c.sent_count - c.returned_count), 0)::bigint
          FROM disbursement_cycle c JOIN clearing_run r ON r.cycle = c.cycle
         WHERE c.batch = d.id AND r.settled_at IS NOT NULL) AS paid_count
  FROM disbursement d
 WHERE d.id = $1 AND d.state NOT IN (1, 2);

-- name: batch_of_upload
-- $1 upload uuid
SELECT id FROM disbursement WHERE upload = $1;

-- name: batches
-- Newest first, below a cursor. $1 agency uuid, $2 lowest region integer, $3 highest region integer, $4 before uuid,
-- $5 count bigint
SELECT d.*,
       (SELECT coalesce(sum(c.sent_count), 0)::bigint FROM disbursement_cycle c WHERE c.batch = d.id) AS sent_count,
       (SELECT coalesce(sum(c.sent_count - c.returned_count), 0)::bigint
          FROM disbursement_cycle c JOIN clearing_run r ON r.cycle = c.cycle
         WHERE c.batch = d.id AND r.settled_at IS NOT NULL) AS paid_count
  FROM disbursement d
 WHERE ($1::uuid IS NULL OR d.agency = $1) AND d.region BETWEEN $2 AND $3 AND ($4::uuid IS NULL OR d.id < $4)
   AND d.state NOT IN (1, 2)
 ORDER BY d.id DESC
 LIMIT $5;

-- name: funds_of_batches
-- $1 batches uuid[]
SELECT batch, region, pay_type, line_count, amount
  FROM disbursement_fund
 WHERE batch = ANY ($1::uuid[])
 ORDER BY batch, region, pay_type;

-- name: lines
-- In their order, from a place on. $1 batch uuid, $2 after integer, $3 states smallint[], $4 is_settled bool,
-- $5 count bigint
SELECT l.*, s.is_settled
  FROM disbursement_line l,
       LATERAL (SELECT EXISTS (SELECT FROM clearing_run r
                                WHERE r.cycle = l.cycle AND r.settled_at IS NOT NULL) AS is_settled) s
 WHERE l.batch = $1 AND l.n > $2 AND ($3::smallint[] IS NULL OR l.state = ANY ($3))
   AND ($4::boolean IS NULL OR s.is_settled = $4)
 ORDER BY l.n
 LIMIT $5;

-- name: line
-- $1 id uuid
SELECT l.*, EXISTS (SELECT FROM clearing_run r WHERE r.cycle = l.cycle AND r.settled_at IS NOT NULL) AS is_settled
  FROM disbursement_line l
 WHERE l.id = $1;

-- name: lock_batch
-- $1 id uuid
SELECT d.agency, d.region, d.state, d.approval, d.approved_at FROM disbursement d WHERE d.id = $1 FOR UPDATE;

-- name: set_approval
-- $1 id uuid, $2 approval uuid
UPDATE disbursement SET approval = $2 WHERE id = $1;

-- name: set_state
-- $1 id uuid, $2 state smallint
UPDATE disbursement SET state = $2 WHERE id = $1;

-- name: totals_of_lines
-- What the lines of a batch add up to, fund by fund. $1 batch uuid
SELECT l.region, l.pay_type, count(*) AS line_count, sum(l.amount)::bigint AS amount
  FROM disbursement_line l
 WHERE l.batch = $1 AND l.replaces IS NULL
 GROUP BY l.region, l.pay_type
 ORDER BY l.region, l.pay_type;

-- name: start_sending
-- $1 id uuid, $2 approved_at timestamptz
UPDATE disbursement SET approved_at = $2 WHERE id = $1 AND approved_at IS NULL;

-- name: payouts
-- $1 batch uuid, $2 after integer, $3 state smallint, $4 count bigint
SELECT l.id, l.n, l.card, l.benefit_code, l.period, l.region, l.pay_type, l.amount, l.bank
  FROM disbursement_line l
 WHERE l.batch = $1 AND l.n > $2 AND l.state = $3
 ORDER BY l.n
 LIMIT $4;

-- name: hold_lines
-- $1 batch uuid, $2 lines uuid[], $3 reason text, $4 held smallint, $5 pending smallint
WITH held AS (
    UPDATE disbursement_line l SET state = $4, reason = $3 WHERE l.id = ANY ($2::uuid[]) AND l.state = $5 RETURNING 1
)
UPDATE disbursement d
   SET held_count = d.held_count + (SELECT count(*) FROM held),
       pending_count = d.pending_count - (SELECT count(*) FROM held)
 WHERE d.id = $1;

-- name: release_lines
-- $1 batch uuid, $2 lines uuid[], $3 held smallint, $4 pending smallint
WITH free AS (
    UPDATE disbursement_line l SET state = $4, reason = NULL WHERE l.id = ANY ($2::uuid[]) AND l.state = $3 RETURNING 1
)
UPDATE disbursement d
   SET held_count = d.held_count - (SELECT count(*) FROM free),
       pending_count = d.pending_count + (SELECT count(*) FROM free)
 WHERE d.id = $1;

-- name: due_batches
-- What has lines to be sent, and what has held ones that were not looked at in this cycle. $1 open cycle bigint
SELECT d.id
  FROM disbursement d
 WHERE d.approved_at IS NOT NULL AND (d.pending_count > 0 OR d.held_count > 0)
   AND (d.pending_count > 0 OR d.asked_cycle < $1)
 ORDER BY d.id;

-- name: claim_batch
-- The batch for one page, unless another process is at it. $1 id uuid
SELECT d.asked_cycle FROM disbursement d WHERE d.id = $1 AND d.approved_at IS NOT NULL FOR UPDATE SKIP LOCKED;

-- name: set_asked_cycle
-- $1 id uuid, $2 cycle bigint
UPDATE disbursement SET asked_cycle = $2 WHERE id = $1;

-- name: mark_sent
-- Lines that are booked, each in its cycle. Told twice, it counts once. $1 batch uuid, $2 lines sent_line[],
-- $3 sent smallint, $4 pending smallint
WITH sent AS (
    UPDATE disbursement_line l
       SET state = $3, cycle = v.cycle
      FROM unnest($2::sent_line[]) v
     WHERE l.id = v.id AND l.state = $4 AND l.id = ANY (ARRAY(SELECT w.id FROM unnest($2::sent_line[]) w))
    RETURNING l.cycle, l.amount
), cycles AS (
    INSERT INTO disbursement_cycle AS c (batch, cycle, sent_count, sent_amount, returned_count, returned_amount)
    SELECT $1, s.cycle, count(*), sum(s.amount)::bigint, 0, 0 FROM sent s GROUP BY s.cycle
    ON CONFLICT (batch, cycle) DO UPDATE
       SET sent_count = c.sent_count + excluded.sent_count, sent_amount = c.sent_amount + excluded.sent_amount
)
UPDATE disbursement d SET pending_count = d.pending_count - (SELECT count(*) FROM sent) WHERE d.id = $1;

-- name: mark_returned
-- Lines that their banks have given back. Told twice, it counts once. $1 lines returned_line[], $2 returned smallint,
-- $3 sent smallint
WITH returned AS (
    UPDATE disbursement_line l
       SET state = $2, reason = v.reason
      FROM unnest($1::returned_line[]) v
     WHERE l.id = v.id AND l.state = $3 AND l.id = ANY (ARRAY(SELECT w.id FROM unnest($1::returned_line[]) w))
    RETURNING l.batch, l.cycle, l.amount
), cycles AS (
    UPDATE disbursement_cycle c
       SET returned_count = c.returned_count + r.count, returned_amount = c.returned_amount + r.amount
      FROM (SELECT x.batch, x.cycle, count(*) AS count, sum(x.amount)::bigint AS amount
              FROM returned x GROUP BY x.batch, x.cycle) r
     WHERE c.batch = r.batch AND c.cycle = r.cycle
)
UPDATE disbursement d
   SET returned_count = d.returned_count + r.count
  FROM (SELECT x.batch, count(*) AS count FROM returned x GROUP BY x.batch) r
 WHERE d.id = r.batch;

-- name: reissue_line
-- A new line in the place of a returned one, at the bank that keeps the payee's account by now. Nothing happens if there
-- is one already. $1 new id uuid, $2 returned line uuid, $3 reissued smallint, $4 returned smallint, $5 pending smallint
WITH old AS (
    UPDATE disbursement_line l SET state = $3 WHERE l.id = $2 AND l.state = $4 RETURNING l.*
), fresh AS (
    INSERT INTO disbursement_line (id, batch, n, line_ref, card, benefit_code, period, region, pay_type, amount, bank,
                                   state, replaces)
    SELECT $1, o.batch, (SELECT max(x.n) + 1 FROM disbursement_line x WHERE x.batch = o.batch), o.line_ref, o.card,
           o.benefit_code, o.period, o.region, o.pay_type, o.amount,
           (SELECT y.bank FROM payer y WHERE y.id = o.card LIMIT 1), $5, o.id
      FROM old o
    RETURNING batch
)
UPDATE disbursement d
   SET returned_count = d.returned_count - 1, reissued_count = d.reissued_count + 1, pending_count = d.pending_count + 1
  FROM fresh f
 WHERE d.id = f.batch;

-- name: replacement_of
-- $1 line uuid
SELECT id FROM disbursement_line WHERE replaces = $1;
