-- name: lock_spooling
-- One spooler at a time, until its transaction ends; the others leave it to that one. $1 lock bigint
SELECT pg_try_advisory_xact_lock($1);

-- name: lanes_ahead
-- Lanes with batches that nobody has looked at.
SELECT l.id AS lane, l.seq
  FROM lane l
  LEFT JOIN webhook_cursor c ON c.lane = l.id
 WHERE l.seq > coalesce(c.seq, 0)
 ORDER BY l.id;

-- name: next_batches
-- What comes next, of all lanes in order of time: one snapshot shows no event without those that led to it. Where a lane
-- has more than is read of it, nothing of the others is given out that is later. Batches without an event that is told
-- come too, once, since the cursor has to pass them.
-- $1 batches a lane bigint, $2 events bigint, $3 kinds smallint[]
SELECT b.lane, b.seq, b.business_date, b.at, e.n, e.kind, e.body
  FROM (SELECT a.*,
               sum(a.n) OVER (ORDER BY a.at, a.lane, a.seq) - a.n AS before,
               min(a.lane_until) FILTER (WHERE a.lane_batches = $1) OVER () AS until
          FROM (SELECT x.lane, x.seq, x.business_date, x.at, x.n,
                       count(*) OVER (PARTITION BY x.lane) AS lane_batches,
                       max(x.at) OVER (PARTITION BY x.lane) AS lane_until
                  FROM lane l
                  LEFT JOIN webhook_cursor c ON c.lane = l.id
                 CROSS JOIN LATERAL (SELECT y.lane, y.seq, y.business_date, y.at, y.n
                                       FROM batch y
                                      WHERE y.lane = l.id AND y.seq > coalesce(c.seq, 0)
                                      ORDER BY y.seq
                                      LIMIT $1) x) a) b
  LEFT JOIN LATERAL (SELECT v.n, v.kind, v.body
                       FROM event v
                      WHERE v.business_date = b.business_date AND v.lane = b.lane AND v.seq = b.seq
                        AND v.kind = ANY ($3::smallint[])
                     OFFSET 0) e ON true
 WHERE b.before < $2 AND (b.until IS NULL OR b.at <= b.until)
 ORDER BY b.at, b.lane, b.seq, e.n;

-- name: subscriptions
-- $1 enabled smallint
SELECT id, owner, types, created_at FROM webhook_endpoint WHERE state = $1;

-- name: agencies_of_bills
-- $1 bill numbers text[]
SELECT bill_no, agency FROM bill WHERE bill_no = ANY ($1);

-- name: insert_messages
-- One that is there already is left as it is: its id says which event it tells.
-- $1 messages new_webhook_message[], $2 pending smallint, $3 now timestamptz, $4 give_up_at timestamptz
INSERT INTO webhook_message (endpoint, id, payment, sequence, type, business_date, lane, seq, n, happened_at, state,
                             attempt, next_at, give_up_at)
SELECT v.endpoint, v.id, v.payment, v.sequence, v.type, v.business_date, v.lane, v.seq, v.n, v.happened_at, $2, 0, $3, $4
  FROM unnest($1::new_webhook_message[]) v
ON CONFLICT DO NOTHING;

-- name: pass_batches
-- The cursors of lanes, which never go back. $1 lanes smallint[], $2 sequences bigint[]
INSERT INTO webhook_cursor AS c (lane, seq)
SELECT v.lane, v.seq FROM unnest($1::smallint[], $2::bigint[]) v(lane, seq)
ON CONFLICT (lane) DO UPDATE SET seq = greatest(c.seq, excluded.seq);

-- name: due_endpoints
-- Endpoints for which something is due, whoever has waited longest first.
-- $1 enabled smallint, $2 now timestamptz, $3 count bigint
SELECT e.id
  FROM webhook_endpoint e
 CROSS JOIN LATERAL (SELECT m.next_at
                       FROM webhook_message m
                      WHERE m.endpoint = e.id AND m.state = 1 AND m.next_at <= $2
                      ORDER BY m.next_at
                      LIMIT 1) d
 WHERE e.state = $1
 ORDER BY d.next_at
 LIMIT $3;

-- name: take_messages
-- Messages that are due, and now this worker's until a moment at which they are due again: if it dies, another sends
-- them once more. A message waits for those before it about the same payment.
-- $1 endpoint uuid, $2 now timestamptz, $3 until timestamptz, $4 count bigint, $5 enabled smallint
WITH taken AS (
    UPDATE webhook_message m
       SET attempt = m.attempt + 1, next_at = $3
      FROM (SELECT c.endpoint, c.id
              FROM webhook_message c
             WHERE c.endpoint = $1 AND c.state = 1 AND c.next_at <= $2
               AND EXISTS (SELECT FROM webhook_endpoint o WHERE o.id = c.endpoint AND o.state = $5)
               AND NOT EXISTS (SELECT FROM webhook_message p
                                WHERE p.endpoint = c.endpoint AND p.payment = c.payment AND p.sequence < c.sequence
                                  AND p.state = 1)
             ORDER BY c.next_at, c.id
             LIMIT $4
               FOR UPDATE OF c SKIP LOCKED) due
     WHERE m.endpoint = due.endpoint AND m.id = due.id
    RETURNING m.*
)
SELECT t.endpoint, t.id, t.payment, t.sequence, t.type, t.happened_at, t.attempt, t.give_up_at, e.body
  FROM taken t
  LEFT JOIN LATERAL (SELECT v.body
                       FROM event v
                      WHERE v.business_date = t.business_date AND v.lane = t.lane AND v.seq = t.seq AND v.n = t.n
                      LIMIT 1) e ON true
 ORDER BY t.happened_at, t.id;

-- name: note_delivered
-- $1 endpoint uuid, $2 message uuid, $3 delivered smallint, $4 now timestamptz, $5 status smallint
UPDATE webhook_message
   SET state = $3, done_at = $4, last_status = $5, last_fault = NULL
 WHERE endpoint = $1 AND id = $2 AND state = 1;

-- name: note_failed
-- What comes after it about the same payment waits as long. Nothing happens if another worker has taken it meanwhile.
-- $1 endpoint uuid, $2 message uuid, $3 attempt integer, $4 next_at timestamptz, $5 status smallint, $6 fault text
WITH failed AS (
    UPDATE webhook_message
       SET next_at = $4, last_status = $5, last_fault = $6
     WHERE endpoint = $1 AND id = $2 AND attempt = $3 AND state = 1
    RETURNING payment, sequence
)
UPDATE webhook_message m
   SET next_at = $4
  FROM failed f
 WHERE m.endpoint = $1 AND m.payment = f.payment AND m.sequence > f.sequence AND m.state = 1 AND m.next_at < $4;

-- name: note_dead
-- $1 endpoint uuid, $2 message uuid, $3 attempt integer, $4 dead smallint, $5 now timestamptz, $6 status smallint,
-- $7 fault text
UPDATE webhook_message
   SET state = $4, done_at = $5, last_status = $6, last_fault = $7
 WHERE endpoint = $1 AND id = $2 AND attempt = $3 AND state = 1;

-- name: disable_gone
-- $1 endpoint uuid, $2 disabled smallint, $3 enabled smallint
UPDATE webhook_endpoint SET state = $2, is_gone = true WHERE id = $1 AND state = $3;

-- name: insert_endpoint
-- $1 id uuid, $2 owner uuid, $3 url text, $4 types text[], $5 description text, $6 secret bytea, $7 field_key_id smallint,
-- $8 state smallint, $9 created_at timestamptz
INSERT INTO webhook_endpoint (id, owner, url, types, description, secret, field_key_id, state, is_gone, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9);

-- name: lock_owner
-- Nobody else counts or adds endpoints of this owner until the transaction ends. $1 owner uuid
SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoint' || ($1::uuid)::text, 0));

-- name: count_endpoints
-- $1 owner uuid, $2 removed smallint
SELECT count(*) FROM webhook_endpoint WHERE owner = $1 AND state <> $2;

-- name: endpoint
-- $1 id uuid, $2 owner uuid, $3 removed smallint
SELECT * FROM webhook_endpoint WHERE id = $1 AND owner = $2 AND state <> $3;

-- name: lock_endpoint
-- $1 id uuid, $2 owner uuid, $3 removed smallint
SELECT * FROM webhook_endpoint WHERE id = $1 AND owner = $2 AND state <> $3 FOR UPDATE;

-- name: endpoint_to_call
-- $1 id uuid, $2 enabled smallint
SELECT * FROM webhook_endpoint WHERE id = $1 AND state = $2;

-- name: endpoints
-- Newest first, below a cursor. $1 owner uuid, $2 before uuid, $3 removed smallint, $4 count bigint
SELECT *
  FROM webhook_endpoint
 WHERE owner = $1 AND ($2::uuid IS NULL OR id < $2) AND state <> $3
 ORDER BY id DESC
 LIMIT $4;

-- name: set_state
-- $1 id uuid, $2 state smallint
UPDATE webhook_endpoint SET state = $2, is_gone = false WHERE id = $1;

-- name: remove_endpoint
-- Its messages go later; that it was there stays, without its secrets. $1 id uuid, $2 removed smallint
UPDATE webhook_endpoint
   SET state = $2, secret = '', earlier_secret = NULL, earlier_ends = NULL
 WHERE id = $1;

-- name: set_secret
-- $1 id uuid, $2 secret bytea, $3 earlier_secret bytea, $4 earlier_ends timestamptz
UPDATE webhook_endpoint SET secret = $2, earlier_secret = $3, earlier_ends = $4 WHERE id = $1;

-- name: messages
-- Newest first, below a cursor; the state may be null.
-- $1 endpoint uuid, $2 before uuid, $3 state smallint, $4 count bigint
SELECT *
  FROM webhook_message
 WHERE endpoint = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::smallint IS NULL OR state = $3)
 ORDER BY id DESC
 LIMIT $4;

-- name: message
-- $1 endpoint uuid, $2 id uuid
SELECT * FROM webhook_message WHERE endpoint = $1 AND id = $2;

-- name: send_again
-- It is due now, and has all its time. $1 endpoint uuid, $2 id uuid, $3 pending smallint, $4 now timestamptz,
-- $5 give_up_at timestamptz
UPDATE webhook_message
   SET state = $3, attempt = 0, next_at = $4, give_up_at = $5, done_at = NULL
 WHERE endpoint = $1 AND id = $2
RETURNING *;

-- name: drop_done
-- What was kept for long enough. $1 delivered smallint, $2 delivered until timestamptz, $3 dead until timestamptz,
-- $4 count bigint
DELETE FROM webhook_message m
 USING (SELECT d.endpoint, d.id
          FROM webhook_message d
         WHERE d.state <> 1 AND d.done_at <= $2 AND (d.state = $1 OR d.done_at <= $3)
         LIMIT $4) old
 WHERE m.endpoint = old.endpoint AND m.id = old.id;

-- name: drop_removed_messages
-- $1 removed smallint, $2 count bigint
DELETE FROM webhook_message m
 USING (SELECT d.endpoint, d.id
          FROM webhook_message d JOIN webhook_endpoint e ON e.id = d.endpoint
         WHERE e.state = $1
         LIMIT $2) old
 WHERE m.endpoint = old.endpoint AND m.id = old.id;
