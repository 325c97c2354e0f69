-- name: lock_audit_chain
-- Nobody else adds to this chain until the transaction ends. $1 chain smallint
SELECT n, hash, hash_algorithm FROM audit_chain WHERE chain = $1 FOR NO KEY UPDATE;

-- name: append_audit_entry
-- $1 chain smallint, $2 n bigint, $3 at timestamptz, $4 region integer, $5 caller uuid, $6 channel uuid,
-- $7 subject uuid, $8 payment uuid, $9 action text, $10 purpose text, $11 object text, $12 result text,
-- $13 trace_id text, $14 hash_algorithm smallint, $15 prev bytea, $16 hash bytea
WITH head AS (
    UPDATE audit_chain SET n = $2, hash = $16 WHERE chain = $1
)
INSERT INTO audit_entry (chain, n, at, region, caller, channel, subject, payment, action, purpose, object, result,
                         trace_id, hash_algorithm, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);

-- name: use_audit_hash
-- $1 hash_algorithm smallint
UPDATE audit_chain SET hash_algorithm = $1 WHERE hash_algorithm <> $1;

-- name: audit_entries
-- $1 lowest region integer, $2 highest region integer, $3 subject uuid, $4 payment uuid, $5 channel uuid,
-- $6 trace_id text, $7 from timestamptz, $8 until timestamptz, $9 before at timestamptz, $10 before chain smallint,
-- $11 before n bigint, $12 count bigint
SELECT e.chain, e.n, e.at, e.region, e.caller, e.channel, e.subject, e.payment, e.action, e.purpose, e.object, e.result,
       e.trace_id, e.hash_algorithm, e.prev, e.hash
  FROM audit_entry e
 WHERE e.region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR e.subject = $3)
   AND ($4::uuid IS NULL OR e.payment = $4)
   AND ($5::uuid IS NULL OR e.channel = $5)
   AND ($6::text IS NULL OR e.trace_id = $6)
   AND ($7::timestamptz IS NULL OR e.at >= $7)
   AND ($8::timestamptz IS NULL OR e.at < $8)
   AND ($9::timestamptz IS NULL OR (e.at, e.chain, e.n) < ($9, $10::smallint, $11::bigint))
 ORDER BY e.at DESC, e.chain DESC, e.n DESC
 LIMIT $12;

-- name: audit_heads
-- An entry and its chain's row are written together, so one statement sees them agree.
SELECT h.chain, h.n, h.hash, coalesce((SELECT max(e.n) FROM audit_entry e WHERE e.chain = h.chain), 0) AS last_n
  FROM audit_chain h
 ORDER BY h.chain;

-- name: audit_strays
-- How many entries are in no chain.
SELECT (SELECT count(*) FROM audit_entry e WHERE e.chain < 0) + (SELECT count(*) FROM audit_entry e WHERE e.chain > 15)
       + (SELECT count(*) FROM audit_entry e, audit_chain h WHERE e.chain = h.chain AND e.n < 1);

-- name: audit_stretch
-- $1 chain smallint, $2 after bigint, $3 last bigint, $4 count bigint
SELECT e.chain, e.n, e.at, e.region, e.caller, e.channel, e.subject, e.payment, e.action, e.purpose, e.object, e.result,
       e.trace_id, e.hash_algorithm, e.prev, e.hash
  FROM audit_entry e
 WHERE e.chain = $1 AND e.n > $2 AND e.n <= $3
 ORDER BY e.n
 LIMIT $4;
