-- name: overrides
-- How operators want the rules now: the last word on each rule and scope.
SELECT DISTINCT ON (rule, region, merchant) rule, region, merchant, threshold, action, set_by, set_at
  FROM risk_rule
 ORDER BY rule, region, merchant, id DESC;

-- name: insert_override
-- $1 rule text, $2 region integer, $3 merchant uuid, $4 threshold bigint, $5 action smallint, $6 operator uuid,
-- $7 now timestamptz, $8 reason text
INSERT INTO risk_rule (rule, region, merchant, threshold, action, set_by, set_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: version_of_rule
-- The last change of a rule for a scope; 0 if there is none. $1 rule text, $2 region integer, $3 merchant uuid
SELECT coalesce(max(id), 0) FROM risk_rule WHERE rule = $1 AND region = $2 AND merchant IS NOT DISTINCT FROM $3;

-- name: lock_rules
-- One change at a time, so that each is judged by what it changes.
SELECT pg_advisory_xact_lock(7202000017);

-- name: insert_decision
-- Once, however often it is tried. $1 id uuid, $2 payment uuid, $3 merchant uuid, $4 region integer, $5 terminal text,
-- $6 action smallint, $7 rules text[], $8 found bigint[], $9 thresholds bigint[], $10 actions smallint[], $11 now timestamptz,
-- $12 caller uuid, $13 trace text
INSERT INTO risk_decision (id, payment, merchant, region, terminal_id, action, rules, found, thresholds, actions,
                           decided_at, caller, trace_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING;

-- name: decisions
-- Newest first, below a cursor; filters may be null. $1 lowest region integer, $2 highest region integer,
-- $3 before uuid, $4 action smallint, $5 payment uuid, $6 count bigint
SELECT *
  FROM risk_decision
 WHERE region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR id < $3)
   AND ($4::smallint IS NULL OR action = $4)
   AND ($5::uuid IS NULL OR payment = $5)
 ORDER BY id DESC
 LIMIT $6;

-- name: open_review
-- A request that is repeated opens nothing twice. $1 payment uuid, $2 merchant uuid, $3 region integer, $4 rules text[],
-- $5 now timestamptz
INSERT INTO risk_review (payment, merchant, region, rules, state, opened_at) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT DO NOTHING;

-- name: review
-- $1 payment uuid
SELECT * FROM risk_review WHERE payment = $1;

-- name: lock_review
-- Whoever comes second sees what the first has decided. $1 payment uuid
SELECT * FROM risk_review WHERE payment = $1 FOR UPDATE;

-- name: reviews
-- Newest first, below a cursor; the state may be null. $1 lowest region integer, $2 highest region integer,
-- $3 before uuid, $4 state smallint, $5 count bigint
SELECT *
  FROM risk_review
 WHERE region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR payment < $3)
   AND ($4::smallint IS NULL OR state = $4)
 ORDER BY payment DESC
 LIMIT $5;

-- name: decide_review
-- $1 payment uuid, $2 state smallint, $3 operator uuid, $4 now timestamptz, $5 reason text
UPDATE risk_review
   SET state = $2, decided_by = $3, decided_at = $4, reason = $5
 WHERE payment = $1 AND state = 1
RETURNING *;

-- name: finish_review
-- The first one stays. $1 payment uuid, $2 now timestamptz, $3 refusal text
UPDATE risk_review
   SET done_at = $2, refusal = $3
 WHERE payment = $1 AND state <> 1 AND done_at IS NULL
RETURNING *;

-- name: reviews_under_way
-- Decided, and still to be done. $1 count bigint
SELECT * FROM risk_review WHERE state <> 1 AND done_at IS NULL ORDER BY decided_at LIMIT $1;
