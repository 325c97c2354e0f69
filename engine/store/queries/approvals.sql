-- name: insert_approval
-- $1 id uuid, $2 kind smallint, $3 region integer, $4 subject text, $5 payload bytea, $6 digest bytea, $7 reason text,
-- $8 operator uuid, $9 now timestamptz, $10 expires timestamptz
INSERT INTO approval (id, kind, state, region, subject, payload, payload_sha256, reason, requested_by, requested_at,
                      expires_at)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: insert_event
-- $1 approval uuid, $2 now timestamptz, $3 move smallint, $4 operator uuid, $5 note text
INSERT INTO approval_event (approval, n, at, move, operator, note)
SELECT $1, (SELECT coalesce(max(e.n), 0) + 1 FROM approval_event e WHERE e.approval = $1), $2, $3, $4, $5;

-- name: approval
-- $1 approval uuid
SELECT * FROM approval WHERE id = $1;

-- name: lock_approval
-- Whoever comes second sees what the first has decided. $1 approval uuid
SELECT * FROM approval WHERE id = $1 FOR UPDATE;

-- name: approvals
-- Newest first, below a cursor; filters may be null. What is over counts as expired, whether that is written or not.
-- $1 lowest region integer, $2 highest region integer, $3 before uuid, $4 kind smallint, $5 state smallint,
-- $6 now timestamptz, $7 count bigint
SELECT *
  FROM approval
 WHERE region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR id < $3)
   AND ($4::smallint IS NULL OR kind = $4)
   AND ($5::smallint IS NULL OR $5 = CASE WHEN state = 1 AND expires_at <= $6 THEN 4 ELSE state END)
 ORDER BY id DESC
 LIMIT $7;

-- name: events_of_approval
-- $1 approval uuid
SELECT at, move, operator, note FROM approval_event WHERE approval = $1 ORDER BY n;

-- name: decide_approval
-- $1 approval uuid, $2 state smallint, $3 operator uuid, $4 now timestamptz, $5 note text, $6 outcome smallint,
-- $7 result bytea
UPDATE approval
   SET state = $2, decided_by = $3, decided_at = $4, note = $5, outcome = $6, result = $7
 WHERE id = $1 AND state = 1
RETURNING *;

-- name: record_outcome
-- The first one stays. $1 approval uuid, $2 outcome smallint, $3 result bytea
UPDATE approval SET outcome = $2, result = $3 WHERE id = $1 AND outcome = 1 RETURNING *;

-- name: lapse_approvals
-- Write down which requests are over. $1 now timestamptz, $2 count bigint
UPDATE approval
   SET state = 4
 WHERE id IN (SELECT a.id FROM approval a
               WHERE a.state = 1 AND a.expires_at <= $1
               ORDER BY a.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: under_way
-- Approved, and not yet carried out. $1 count bigint
SELECT id FROM approval WHERE outcome = 1 ORDER BY id LIMIT $1;

-- name: claim_request
-- $1 caller uuid, $2 operation text, $3 key text, $4 facts bytea, $5 field_key_id smallint
INSERT INTO request_answer (caller, operation, key, facts, field_key_id, answered_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT DO NOTHING
RETURNING 1;

-- name: earlier_request
-- $1 caller uuid, $2 operation text, $3 key text
SELECT facts, status, body FROM request_answer WHERE caller = $1 AND operation = $2 AND key = $3;

-- name: answer_request
-- $1 caller uuid, $2 operation text, $3 key text, $4 status smallint, $5 body bytea
UPDATE request_answer SET status = $4, body = $5 WHERE caller = $1 AND operation = $2 AND key = $3;
