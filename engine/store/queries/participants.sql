-- name: participant
-- $1 id uuid
SELECT * FROM every_participant WHERE id = $1;

-- name: participants
-- Newest first, below a cursor; filters may be null. $1 lowest region integer, $2 highest region integer,
-- $3 before uuid, $4 kind text, $5 code text, $6 is suspended bool, $7 count bigint
SELECT *
  FROM every_participant
 WHERE region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR id < $3)
   AND ($4::text IS NULL OR kind = $4)
   AND ($5::text IS NULL OR code = $5)
   AND ($6::boolean IS NULL OR is_suspended = $6)
 ORDER BY id DESC
 LIMIT $7;

-- name: share_operator
-- Keeps the operator as it is until the transaction ends; what it is has to be read afterwards. $1 operator uuid
SELECT 1 FROM operator WHERE id = $1 FOR SHARE;

-- name: lock_operator
-- Waits for everything that the operator is about to change. $1 operator uuid
SELECT 1 FROM operator WHERE id = $1 FOR UPDATE;

-- name: operator
-- $1 operator uuid
SELECT o.id, o.role, o.region, coalesce(p.is_suspended, false) AS is_suspended
  FROM operator o LEFT JOIN participant p ON p.id = o.id
 WHERE o.id = $1;

-- name: count_operators
-- How many may approve what another asks for. $1 roles smallint[]
SELECT count(*)
  FROM operator o LEFT JOIN participant p ON p.id = o.id
 WHERE o.role = ANY ($1) AND NOT coalesce(p.is_suspended, false);

-- name: claim_participant
-- Makes sure that there is a row to lock. $1 id uuid, $2 now timestamptz
INSERT INTO participant (id, version, is_suspended, changed_at) VALUES ($1, 0, false, $2) ON CONFLICT DO NOTHING;

-- name: lock_participant
-- $1 id uuid
SELECT 1 FROM participant WHERE id = $1 FOR UPDATE;

-- name: touch_participant
-- Counts a change. $1 id uuid, $2 now timestamptz
UPDATE participant SET version = version + 1, changed_at = $2 WHERE id = $1;

-- name: set_suspension
-- $1 id uuid, $2 is suspended bool, $3 reason text, $4 now timestamptz
UPDATE participant
   SET is_suspended = $2, suspended_reason = $3, version = version + 1, changed_at = $4
 WHERE id = $1;

-- name: set_merchant_suspension
-- $1 merchant uuid, $2 is suspended bool
UPDATE merchant SET is_suspended = $2 WHERE id = $1;

-- name: set_key_suspension
-- $1 caller uuid, $2 is suspended bool
UPDATE caller_key SET is_suspended = $2 WHERE caller = $1;

-- name: bank_by_number
-- $1 cnaps bigint
SELECT id FROM bank WHERE cnaps = $1;

-- name: has_settlement_bank
SELECT EXISTS (SELECT 1 FROM bank WHERE is_settlement_bank);

-- name: insert_participant
-- $1 id uuid, $2 now timestamptz
INSERT INTO participant (id, version, is_suspended, registered_at, changed_at) VALUES ($1, 1, false, $2, $2);

-- name: insert_bank
-- $1 id uuid, $2 cnaps bigint, $3 name_zh text, $4 name_en text, $5 settlement bool, $6 delivery smallint[]
INSERT INTO bank (id, cnaps, name_zh, name_en, is_settlement_bank, delivery) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING id;

-- name: insert_merchant
-- $1 id uuid, $2 code text, $3 region integer, $4 bank uuid, $5 scenarios smallint[], $6 level smallint,
-- $7 name_zh text, $8 name_en text
INSERT INTO merchant (id, code, region, bank, is_suspended, scenarios, level, name_zh, name_en)
VALUES ($1, $2, $3, $4, false, $5, $6, $7, $8)
ON CONFLICT DO NOTHING RETURNING id;

-- name: insert_agency
-- $1 id uuid, $2 code text, $3 region integer, $4 item smallint, $5 bank uuid, $6 name_zh text, $7 name_en text
INSERT INTO agency (id, code, region, item, bank, name_zh, name_en) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING RETURNING id;

-- name: insert_operator
-- $1 id uuid, $2 code text, $3 role smallint, $4 region integer, $5 name_zh text, $6 name_en text
INSERT INTO operator (id, code, role, region, name_zh, name_en) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING id;

-- name: update_bank
-- $1 id uuid, $2 name_zh text, $3 name_en text, $4 delivery smallint[]
UPDATE bank SET name_zh = $2, name_en = $3, delivery = $4 WHERE id = $1;

-- name: update_merchant
-- $1 id uuid, $2 bank uuid, $3 scenarios smallint[], $4 level smallint, $5 name_zh text, $6 name_en text
UPDATE merchant SET bank = $2, scenarios = $3, level = $4, name_zh = $5, name_en = $6 WHERE id = $1;

-- name: update_agency
-- $1 id uuid, $2 bank uuid, $3 item smallint, $4 name_zh text, $5 name_en text
UPDATE agency SET bank = $2, item = $3, name_zh = $4, name_en = $5 WHERE id = $1;

-- name: update_operator
-- $1 id uuid, $2 role smallint, $3 name_zh text, $4 name_en text
UPDATE operator SET role = $2, name_zh = $3, name_en = $4 WHERE id = $1;

-- name: insert_terminals
-- $1 merchant uuid, $2 terminals text[]
INSERT INTO terminal (merchant, terminal_id) SELECT $1, t FROM unnest($2::text[]) t ON CONFLICT DO NOTHING;

-- name: delete_terminals
-- $1 merchant uuid, $2 terminals text[]
DELETE FROM terminal WHERE merchant = $1 AND terminal_id = ANY ($2);

-- name: terminals
-- In their own order, after a cursor. $1 merchant uuid, $2 after text, $3 count bigint
SELECT terminal_id FROM terminal WHERE merchant = $1 AND terminal_id > $2 ORDER BY terminal_id LIMIT $3;

-- name: count_terminals
-- $1 merchant uuid
SELECT count(*) FROM terminal WHERE merchant = $1;

-- name: keys
-- Every key that a caller has or had, newest first. $1 caller uuid
SELECT coalesce(k.keyid, r.keyid) AS keyid, coalesce(k.alg, r.alg) AS alg, r.added_at, r.retires_at, r.revoked_at,
       coalesce(k.is_suspended, false) AS is_suspended, k.keyid IS NOT NULL AS is_live
  FROM (SELECT * FROM caller_key WHERE caller = $1) k
  FULL JOIN (SELECT * FROM key_record WHERE caller = $1) r ON r.keyid = k.keyid
 ORDER BY r.added_at DESC NULLS LAST, 1 DESC;

-- name: count_keys
-- How many keys a caller was ever given. $1 caller uuid
SELECT count(*) FROM key_record WHERE caller = $1;

-- name: insert_key
-- $1 keyid text, $2 caller uuid, $3 alg text, $4 secret bytea, $5 field_key_id smallint, $6 is suspended bool
INSERT INTO caller_key (keyid, caller, alg, secret, field_key_id, is_suspended) VALUES ($1, $2, $3, $4, $5, $6);

-- name: record_key
-- $1 keyid text, $2 caller uuid, $3 alg text, $4 now timestamptz, $5 operator uuid
INSERT INTO key_record (keyid, caller, alg, added_at, added_by) VALUES ($1, $2, $3, $4, $5);

-- name: retire_keys
-- All keys of a caller but the new one end by themselves, or sooner if they are about to.
-- $1 caller uuid, $2 the new keyid text, $3 retires timestamptz
INSERT INTO key_record AS r (keyid, caller, alg, retires_at)
SELECT k.keyid, k.caller, k.alg, $3 FROM caller_key k WHERE k.caller = $1 AND k.keyid <> $2
ON CONFLICT (keyid) DO UPDATE SET retires_at = least(r.retires_at, excluded.retires_at);

-- name: delete_key
-- $1 caller uuid, $2 keyid text
DELETE FROM caller_key WHERE caller = $1 AND keyid = $2 RETURNING alg;

-- name: record_revocation
-- $1 keyid text, $2 caller uuid, $3 alg text, $4 now timestamptz, $5 operator uuid, $6 reason text
INSERT INTO key_record AS r (keyid, caller, alg, revoked_at, revoked_by, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (keyid) DO UPDATE
   SET revoked_at = excluded.revoked_at, revoked_by = excluded.revoked_by, reason = excluded.reason
 WHERE r.revoked_at IS NULL;

-- name: end_retired_keys
-- Keys whose overlap with their successor is over. $1 now timestamptz
WITH due AS (
    UPDATE key_record SET revoked_at = $1 WHERE retires_at <= $1 AND revoked_at IS NULL RETURNING keyid
), ended AS (
    DELETE FROM caller_key WHERE keyid IN (SELECT keyid FROM due) RETURNING 1
)
SELECT count(*) FROM ended;

-- name: funds
-- After a cursor. $1 region integer, $2 pay_type integer, $3 lowest region integer, $4 highest region integer,
-- $5 count bigint
SELECT f.region, f.pay_type, b.cnaps AS bank
  FROM fund f JOIN bank b ON b.id = f.bank
 WHERE (f.region, f.pay_type) > ($1, $2) AND f.region BETWEEN $3 AND $4
 ORDER BY f.region, f.pay_type
 LIMIT $5;

-- name: assign_fund
-- $1 region integer, $2 pay_type integer, $3 bank uuid
INSERT INTO fund (region, pay_type, bank) VALUES ($1, $2, $3)
ON CONFLICT (region, pay_type) DO UPDATE SET bank = excluded.bank;

-- name: business_clock
-- Business time as the lanes have it, and the database's own.
SELECT clock_timestamp() AS clock, sandbox_offset_us FROM control;
