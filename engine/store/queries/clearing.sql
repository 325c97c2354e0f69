-- name: try_clearing_lock
-- One closer at a time, whatever the number of nodes; the lock lives as long as its session. $1 lock bigint
SELECT pg_try_advisory_lock($1);

-- name: release_clearing_lock
-- $1 lock bigint
SELECT pg_advisory_unlock($1);

-- name: clearing_state
SELECT c.business_date, c.cycle, c.cutoff_at, c.published_cycle, c.settled_cycle, c.rules_version,
       c.sandbox_offset_us, clock_timestamp() AS clock,
       ARRAY(SELECT r.cycle FROM clearing_run r WHERE r.published_at IS NULL ORDER BY r.cycle) AS unpublished
  FROM control c;

-- name: clearing_run
-- $1 cycle bigint
SELECT cycle, closed_at, sealed_at, netted_at, built_at, published_at, settlement_date, settled_at
  FROM clearing_run
 WHERE cycle = $1;

-- name: open_next_cycle
-- Close the open cycle by opening the next, unless somebody else has closed it.
-- $1 open cycle bigint, $2 next business_date date, $3 next cycle bigint, $4 next cutoff_at timestamptz,
-- $5 closed_at timestamptz, $6 the closed one's settlement_date date
WITH closed AS (
    UPDATE control SET business_date = $2, cycle = $3, cutoff_at = $4 WHERE cycle = $1 RETURNING 1
)
INSERT INTO clearing_run (cycle, closed_at, settlement_date) SELECT $1, $5, $6 FROM closed;

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
-- What one range of batches moved between any two accounts, personal accounts by region. Added up first and folded
-- next: folding is the dearer of the two, and most accounts are paid to again and again.
-- $1 business_date date, $2 lane smallint, $3 first seq bigint, $4 last seq bigint, $5 phase smallint,
-- $6 kinds smallint[]
SELECT folded_account(m.debit) AS debit, folded_account(m.credit) AS credit,
       sum(m.count)::bigint AS count, sum(m.amount)::bigint AS amount
  FROM (SELECT p.debit, p.credit, count(*) AS count, sum(p.amount) AS amount
          FROM posting p
         WHERE p.business_date = $1 AND p.lane = $2 AND p.seq BETWEEN $3 AND $4
           AND p.phase = $5 AND p.kind = ANY ($6::smallint[])
         GROUP BY p.debit, p.credit) m
 GROUP BY 1, 2;

-- name: banks
SELECT id, cnaps, is_settlement_bank FROM bank ORDER BY id;

-- name: fund_banks
SELECT region, pay_type, bank FROM fund;

-- name: payee_banks
-- $1 merchants and agencies uuid[]
SELECT id, bank FROM merchant WHERE id = ANY ($1::uuid[])
UNION ALL
SELECT id, bank FROM agency WHERE id = ANY ($1::uuid[]);

-- name: following_cycle
-- The cycle that was opened when one was closed. $1 cycle bigint
SELECT min(x.cycle) AS cycle
  FROM (SELECT c.cycle FROM control c UNION ALL SELECT r.cycle FROM clearing_run r WHERE r.cycle > $1) x
 WHERE x.cycle > $1;

-- name: bank_deliveries
-- At which cycles of a day each bank gets its files, and the first cycle before one whose items it has still to get.
-- $1 cycle bigint
SELECT b.id AS bank, b.delivery,
       (SELECT p.cycle FROM net_position p
         WHERE p.bank = b.id AND p.cycle < $1
           AND p.cycle > coalesce((SELECT q.cycle FROM net_position q
                                    WHERE q.bank = b.id AND q.cycle < $1 AND q.delivers_from IS NOT NULL
                                    ORDER BY q.cycle DESC LIMIT 1), 0)
         ORDER BY p.cycle LIMIT 1) AS waiting_since
  FROM bank b;

-- name: insert_net
-- All that netting found, at once. $1 cycle bigint, $2 netted_at timestamptz, $3 positions netted_bank[],
-- $4 routes routed_account[], $5 settlement_bank uuid
WITH run AS (
    UPDATE clearing_run SET netted_at = $2, settlement_bank = $5
     WHERE cycle = $1 AND netted_at IS NULL
    RETURNING cycle
), positions AS (
    INSERT INTO net_position (cycle, bank, debits, credits, debit_count, credit_count, delivers_from)
    SELECT run.cycle, p.bank, p.debits, p.credits, p.debit_count, p.credit_count, p.delivers_from
      FROM run, unnest($3::netted_bank[]) p
)
INSERT INTO clearing_route (cycle, account, bank)
SELECT run.cycle, r.account, r.bank FROM run, unnest($4::routed_account[]) r;

-- name: delivered_cycles
-- The cycles whose items are in files that are delivered at the end of one. $1 cycle bigint
SELECT r.cycle, r.closed_at, r.settlement_bank
  FROM clearing_run r
 WHERE r.cycle BETWEEN (SELECT coalesce(min(p.delivers_from), $1) FROM net_position p WHERE p.cycle = $1) AND $1
 ORDER BY r.cycle;

-- name: positions_of_cycle
-- $1 cycle bigint
SELECT p.bank, p.debits, p.credits, p.debit_count, p.credit_count, p.delivers_from, b.cnaps
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
-- One page of a lane's range, after a given place, as columns: a value of an array costs the reader a quarter of what
-- one of a row does, and ids need not be decoded at all. Without postings every column is null. What is about no payment
-- has no order; a benefit has its payee in the payer's place.
-- $1 business_date date, $2 lane smallint, $3 after seq bigint, $4 after n smallint, $5 last seq bigint,
-- $6 phase smallint, $7 kinds smallint[], $8 kind of refunds smallint, $9 count bigint
SELECT array_agg(g.seq ORDER BY g.seq, g.n) AS seqs, array_agg(g.n ORDER BY g.seq, g.n) AS ns,
       string_agg(uuid_send(g.payment), '' ORDER BY g.seq, g.n) AS payments,
       string_agg(uuid_send(g.debit), '' ORDER BY g.seq, g.n) AS debits,
       string_agg(uuid_send(g.credit), '' ORDER BY g.seq, g.n) AS credits,
       array_agg(g.amount ORDER BY g.seq, g.n) AS amounts,
       array_agg(g.order_no ORDER BY g.seq, g.n) AS order_nos,
       string_agg(uuid_send(g.payer), '' ORDER BY g.seq, g.n) AS payers,
       array_agg(g.refund_body ORDER BY g.seq, g.n) AS refund_bodies,
       array_agg(g.kind ORDER BY g.seq, g.n) AS kinds
  FROM (SELECT p.seq, p.n, p.payment, p.debit, p.credit, p.amount, p.kind, coalesce(y.order_no, '') AS order_no,
               coalesce(y.payer, (SELECT d.card FROM disbursement_line d WHERE d.id = p.payment),
                        '00000000-0000-0000-0000-000000000000') AS payer,
               CASE WHEN p.kind = $8
                    THEN (SELECT e.body FROM event e
                           WHERE e.business_date = $1 AND e.lane = p.lane AND e.seq = p.seq AND e.n = p.event)
               END AS refund_body
          FROM posting p
          LEFT JOIN LATERAL (SELECT x.order_no, x.payer FROM payment x WHERE x.id = p.payment LIMIT 1) y ON true
         WHERE p.business_date = $1 AND p.lane = $2 AND (p.seq, p.n) > ($3::bigint, $4::smallint) AND p.seq <= $5
           AND p.phase = $6 AND p.kind = ANY ($7::smallint[])
         ORDER BY p.seq, p.n
         LIMIT $9) g;

-- name: batch_instants
-- $1 lane smallint, $2 first seq bigint, $3 last seq bigint
SELECT b.seq, b.at FROM batch b WHERE b.lane = $1 AND b.seq BETWEEN $2 AND $3;

-- name: drop_chunks
-- What an attempt that did not end has left of a file. $1 name text
DELETE FROM clearing_chunk WHERE name = $1;

-- name: insert_files
-- All files of a cycle, once all their bytes are stored. $1 cycle bigint, $2 built_at timestamptz,
-- $3 files file_manifest[], $4 forms text[]
WITH run AS (
    UPDATE clearing_run SET built_at = $2, forms = $4 WHERE cycle = $1 AND built_at IS NULL RETURNING 1
)
INSERT INTO clearing_file (name, bank, cycle, first_cycle, kind, form, version, business_date, item_count, debit_total,
                           credit_total, size, sha256, range_from, range_to, root, key_id, signature, created_at,
                           previous_sha256, replaces, published_at)
SELECT f.name, f.bank, f.cycle, f.first_cycle, f.kind, f.form, f.version, f.business_date, f.item_count, f.debit_total,
       f.credit_total, f.size, f.sha256, f.range_from, f.range_to, f.root, f.key_id, f.signature, f.created_at,
       f.previous_sha256, f.replaces, f.published_at
  FROM run, unnest($3::file_manifest[]) f;

-- name: insert_correction
-- A file that replaces another, once all its bytes are stored, unless that one is replaced. $1 files file_manifest[]
INSERT INTO clearing_file (name, bank, cycle, first_cycle, kind, form, version, business_date, item_count, debit_total,
                           credit_total, size, sha256, range_from, range_to, root, key_id, signature, created_at,
                           previous_sha256, replaces, published_at)
SELECT f.name, f.bank, f.cycle, f.first_cycle, f.kind, f.form, f.version, f.business_date, f.item_count, f.debit_total,
       f.credit_total, f.size, f.sha256, f.range_from, f.range_to, f.root, f.key_id, f.signature, f.created_at,
       f.previous_sha256, f.replaces, f.published_at
  FROM unnest($1::file_manifest[]) f
ON CONFLICT DO NOTHING;

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

-- name: file_by_name
-- A published file, whoever's it is. $1 name text
SELECT f.*,
       (SELECT r.name FROM clearing_file r WHERE r.replaces = f.name AND r.published_at IS NOT NULL) AS replaced_by
  FROM clearing_file f
 WHERE f.name = $1 AND f.published_at IS NOT NULL;

-- name: files_of_cycle
-- Every bank's published ones, of all versions. $1 cycle bigint
SELECT f.*, NULL::text AS replaced_by
  FROM net_position p
  JOIN clearing_file f ON f.bank = p.bank AND f.cycle = p.cycle
 WHERE p.cycle = $1 AND f.published_at IS NOT NULL
 ORDER BY f.name;

-- name: next_published_cycle
-- And the forms that its files were made in. $1 after cycle bigint
SELECT r.cycle, r.forms
  FROM clearing_run r
 WHERE r.cycle > $1 AND r.published_at IS NOT NULL
 ORDER BY r.cycle
 LIMIT 1;

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
