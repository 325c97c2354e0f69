-- name: try_clearing_lock
-- One closer at a time, whatever the number of nodes; the lock lives as long as its session. $1 lock bigint
SELECT pg_try_advisory_lock($1);

-- name: release_clearing_lock
-- $1 lock bigint
SELECT pg_advisory_unlock($1);

-- name: clearing_state
SELECT c.business_date, c.cycle, c.cutoff_at, c.published_cycle, c.sandbox_offset_us, clock_timestamp() AS clock,
       ARRAY(SELECT r.cycle FROM clearing_run r WHERE r.published_at IS NULL ORDER BY r.cycle) AS unpublished
  FROM control c;

-- name: clearing_run
-- $1 cycle bigint
SELECT cycle, closed_at, sealed_at, netted_at, built_at, published_at FROM clearing_run WHERE cycle = $1;

-- name: open_next_cycle
-- Close the open cycle by opening the next, unless somebody else has closed it.
-- $1 open cycle bigint, $2 next business_date date, $3 next cycle bigint, $4 next cutoff_at timestamptz,
-- $5 closed_at timestamptz
WITH closed AS (
    UPDATE control SET business_date = $2, cycle = $3, cutoff_at = $4 WHERE cycle = $1 RETURNING 1
)
INSERT INTO clearing_run (cycle, closed_at) SELECT $1, $5 FROM closed;

-- name: lanes
SELECT id FROM lane ORDER BY id;

-- name: pass_lane
-- Waits for the lane's batch, if it has one under way, and lets go at once: its own transaction. $1 lane smallint
SELECT 1 FROM lane WHERE id = $1 FOR NO KEY UPDATE;

-- name: lane_ends
-- Where each lane's chain stood when a cycle ended. $1 cycle bigint
SELECT l.id, e.seq, e.hash
  FROM lane l,
       LATERAL (SELECT b.seq, b.hash FROM batch b
                 WHERE b.lane = l.id AND b.cycle <= $1 ORDER BY b.seq DESC LIMIT 1) e
 ORDER BY l.id;

-- name: insert_seal
-- $1 cycle bigint, $2 at timestamptz, $3 lanes bytea, $4 root bytea, $5 key_id text, $6 signature bytea
WITH sealed AS (
    INSERT INTO seal (cycle, at, lanes, root, key_id, signature)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING
)
UPDATE clearing_run SET sealed_at = $2 WHERE cycle = $1 AND sealed_at IS NULL;

-- name: lane_ranges
-- The batches of a cycle, lane by lane: a lane's cycle never goes back, so they are one range. $1 cycle bigint
SELECT l.id, f.seq AS first_seq, t.seq AS last_seq
  FROM lane l,
       LATERAL (SELECT b.seq FROM batch b WHERE b.cycle = $1 AND b.lane = l.id ORDER BY b.seq LIMIT 1) f,
       LATERAL (SELECT b.seq FROM batch b WHERE b.cycle = $1 AND b.lane = l.id ORDER BY b.seq DESC LIMIT 1) t
 ORDER BY l.id;

-- name: turnover
-- What one range of batches moved between any two accounts, personal accounts by region.
-- $1 business_date date, $2 lane smallint, $3 first seq bigint, $4 last seq bigint, $5 phase smallint,
-- $6 kinds smallint[]
SELECT folded_account(p.debit) AS debit, folded_account(p.credit) AS credit,
       count(*) AS count, sum(p.amount)::bigint AS amount
  FROM posting p
 WHERE p.business_date = $1 AND p.lane = $2 AND p.seq BETWEEN $3 AND $4
   AND p.phase = $5 AND p.kind = ANY ($6::smallint[])
 GROUP BY 1, 2;

-- name: banks
SELECT id, cnaps, is_settlement_bank FROM bank ORDER BY id;

-- name: fund_banks
SELECT region, pay_type, bank FROM fund;

-- name: merchant_banks
-- $1 merchants uuid[]
SELECT id, bank FROM merchant WHERE id = ANY ($1::uuid[]);

-- name: insert_net
-- All that netting found, at once. $1 cycle bigint, $2 netted_at timestamptz, $3 positions net_position[],
-- $4 routes clearing_route[]
WITH run AS (
    UPDATE clearing_run SET netted_at = $2 WHERE cycle = $1 AND netted_at IS NULL RETURNING 1
), positions AS (
    INSERT INTO net_position SELECT p.* FROM run, unnest($3::net_position[]) p
)
INSERT INTO clearing_route SELECT r.* FROM run, unnest($4::clearing_route[]) r;

-- name: positions_of_cycle
-- $1 cycle bigint
SELECT p.bank, p.debits, p.credits, p.debit_count, p.credit_count, b.cnaps, b.is_settlement_bank
  FROM net_position p JOIN bank b ON b.id = p.bank
 WHERE p.cycle = $1
 ORDER BY p.bank;

-- name: routes_of_cycle
-- $1 cycle bigint
SELECT account, bank FROM clearing_route WHERE cycle = $1;

-- name: root_of_cycle
-- $1 cycle bigint
SELECT root FROM seal WHERE cycle = $1;

-- name: previous_digests
-- Of each bank's files in the last cycle before this one in which it had any. $1 cycle bigint
SELECT p.bank, f.kind, f.form, f.sha256
  FROM net_position p,
       LATERAL (SELECT x.cycle FROM clearing_file x
                 WHERE x.bank = p.bank AND x.cycle < p.cycle ORDER BY x.cycle DESC LIMIT 1) c,
       LATERAL (SELECT DISTINCT ON (x.kind, x.form) x.kind, x.form, x.sha256 FROM clearing_file x
                 WHERE x.bank = p.bank AND x.cycle = c.cycle ORDER BY x.kind, x.form, x.version DESC) f
 WHERE p.cycle = $1;

-- name: cleared_postings
-- One page of a lane's range, after a given place.
-- $1 business_date date, $2 lane smallint, $3 after seq bigint, $4 after n smallint, $5 last seq bigint,
-- $6 phase smallint, $7 kinds smallint[], $8 kind of refunds smallint, $9 count bigint
SELECT p.lane, p.seq, p.n, p.payment, p.debit, p.credit, p.amount, y.order_no, y.payer, b.at,
       CASE WHEN p.kind = $8
            THEN (SELECT e.body FROM event e
                   WHERE e.business_date = $1 AND e.lane = p.lane AND e.seq = p.seq AND e.n = p.event)
       END AS refund_body
  FROM posting p,
       LATERAL (SELECT x.order_no, x.payer FROM payment x WHERE x.id = p.payment LIMIT 1) y,
       LATERAL (SELECT x.at FROM batch x WHERE x.lane = p.lane AND x.seq = p.seq LIMIT 1) b
 WHERE p.business_date = $1 AND p.lane = $2 AND (p.seq, p.n) > ($3::bigint, $4::smallint) AND p.seq <= $5
   AND p.phase = $6 AND p.kind = ANY ($7::smallint[])
 ORDER BY p.seq, p.n
 LIMIT $9;

-- name: drop_chunks
-- What an attempt that did not end has left of a file. $1 name text
DELETE FROM clearing_chunk WHERE name = $1;

-- name: insert_chunk
-- $1 name text, $2 part integer, $3 bytes bytea
INSERT INTO clearing_chunk (name, part, bytes) VALUES ($1, $2, $3);

-- name: insert_files
-- All files of a cycle, once all their bytes are stored. $1 cycle bigint, $2 built_at timestamptz,
-- $3 files clearing_file[]
WITH run AS (
    UPDATE clearing_run SET built_at = $2 WHERE cycle = $1 AND built_at IS NULL RETURNING 1
)
INSERT INTO clearing_file SELECT f.* FROM run, unnest($3::clearing_file[]) f;

-- name: publish_files
-- All files of a cycle become visible in one instant. $1 cycle bigint, $2 published_at timestamptz
WITH run AS (
    UPDATE clearing_run SET published_at = $2
     WHERE cycle = $1 AND built_at IS NOT NULL AND published_at IS NULL
    RETURNING cycle
), files AS (
    UPDATE clearing_file f SET published_at = $2 FROM run WHERE f.cycle = run.cycle AND f.published_at IS NULL
)
UPDATE control c SET published_cycle = run.cycle FROM run WHERE c.published_cycle < run.cycle;

-- name: files_of_bank
-- Published ones, newest first, below a cursor; kind and form may be null.
-- $1 bank uuid, $2 cycle from bigint, $3 cycle to bigint, $4 kind text, $5 form text, $6 before cycle bigint,
-- $7 before name text, $8 count bigint
SELECT f.*,
       (SELECT r.name FROM clearing_file r
         WHERE r.bank = f.bank AND r.cycle = f.cycle AND r.replaces = f.name AND r.published_at IS NOT NULL
         LIMIT 1) AS replaced_by
  FROM clearing_file f
 WHERE f.bank = $1 AND f.cycle BETWEEN $2 AND $3 AND (f.cycle, f.name) < ($6::bigint, $7::text)
   AND ($4::text IS NULL OR f.kind = $4) AND ($5::text IS NULL OR f.form = $5) AND f.published_at IS NOT NULL
 ORDER BY f.cycle DESC, f.name DESC
 LIMIT $8;

-- name: file_of_bank
-- $1 bank uuid, $2 name text
SELECT f.*,
       (SELECT r.name FROM clearing_file r
         WHERE r.bank = f.bank AND r.cycle = f.cycle AND r.replaces = f.name AND r.published_at IS NOT NULL
         LIMIT 1) AS replaced_by
  FROM clearing_file f
 WHERE f.name = $2 AND f.bank = $1 AND f.published_at IS NOT NULL;

-- name: expects_file
-- Whether a bank has this number and the cycle has still to be published. $1 bank uuid, $2 cnaps bigint, $3 cycle bigint
SELECT EXISTS (SELECT FROM bank b, control c WHERE b.id = $1 AND b.cnaps = $2 AND c.published_cycle < $3);

-- name: chunks
-- $1 name text, $2 first part integer, $3 after the last part integer
SELECT bytes FROM clearing_chunk WHERE name = $1 AND part >= $2 AND part < $3 ORDER BY part;

-- name: positions_of_bank
-- Of published cycles, newest first. $1 bank uuid, $2 cycle from bigint, $3 cycle to bigint
SELECT p.cycle, p.bank, p.debits, p.credits, p.debit_count, p.credit_count
  FROM clearing_run r JOIN net_position p ON p.cycle = r.cycle
 WHERE r.cycle BETWEEN $2 AND $3 AND r.published_at IS NOT NULL AND p.bank = $1
 ORDER BY p.cycle DESC;

-- name: published_files
-- Every bank's, newest first, for the operator. $1 count bigint
SELECT f.*, NULL::text AS replaced_by
  FROM clearing_file f
 WHERE f.published_at IS NOT NULL
 ORDER BY f.cycle DESC, f.name DESC
 LIMIT $1;
