-- name: control
SELECT business_date, cycle, cutoff_at, published_cycle, settled_cycle, rules_version, sandbox_offset_us,
       clock_timestamp() AS clock
  FROM control;

-- name: payment_of_merchant
-- $1 payment uuid, $2 merchant uuid
SELECT * FROM payment WHERE id = $1 AND merchant = $2;

-- name: payments_of_merchant
-- Newest first, below a cursor; every filter may be null.
-- $1 merchant uuid, $2 before uuid, $3 order_no text, $4 state smallint, $5 business_date date, $6 count bigint
SELECT *
  FROM payment
 WHERE merchant = $1
   AND ($2::uuid IS NULL OR id < $2)
   AND ($3::text IS NULL OR order_no = $3)
   AND ($4::smallint IS NULL OR state = $4)
   AND ($5::date IS NULL OR business_date = $5)
 ORDER BY id DESC
 LIMIT $6;

-- name: refunds_of_payment
-- Newest first, below a cursor. $1 payment uuid, $2 before uuid, $3 count bigint
SELECT * FROM refund WHERE payment = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: caller_key
-- $1 keyid text
SELECT caller, alg, secret, is_suspended FROM caller_key WHERE keyid = $1;

-- name: engine_keys
-- Newest first: the first one signs, all of them are published.
SELECT key_id, secret FROM engine_key ORDER BY created_at DESC, key_id DESC;

-- name: insert_engine_key
-- $1 key_id text, $2 secret bytea, $3 field_key_id smallint, $4 created_at timestamptz
INSERT INTO engine_key (key_id, secret, field_key_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: device_of_card
-- The first device that still shows codes. $1 card uuid
SELECT device_no, key_id FROM device WHERE card = $1 AND NOT is_revoked ORDER BY device_no LIMIT 1;

-- name: due_holds
-- Holds that have lapsed, oldest first. $1 now timestamptz, $2 count bigint
SELECT payment FROM hold WHERE due <= $1 ORDER BY due, payment LIMIT $2;

-- name: has_partitions
-- Whether a business date can be opened. $1 posting partition text, $2 event partition text
SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL;

-- name: advance_sandbox_clock
-- $1 advance in microseconds bigint
UPDATE control SET sandbox_offset_us = sandbox_offset_us + $1 RETURNING sandbox_offset_us;

-- name: refreshes_used
-- What a phone of the sandbox has shown already in this step. $1 step bigint, $2 device bigint
SELECT refresh FROM code_use WHERE step = $1 AND device = $2;

-- name: presenter
-- Whose phone or card it is, and the relative whose personal account helps; without locks, for what is only shown.
-- $1 device_no bigint, $2 card uuid
SELECT y AS payer, f AS family
  FROM payer y
  LEFT JOIN payer f ON f.id = y.family
 WHERE y.id = coalesce($2::uuid, (SELECT d.card FROM device d WHERE d.device_no = $1::bigint));

-- name: card_of_device
-- $1 device_no bigint
SELECT d.card FROM device d WHERE d.device_no = $1;

-- name: payer_of_payment
-- Whose payment it is, which its merchant may not know. $1 payment uuid
SELECT p.payer, p.merchant, p.order_no FROM payment p WHERE p.id = $1;

-- name: insert_quote
-- $1 id uuid, $2 merchant uuid, $3 payer uuid, $4 scenario smallint, $5 bill bytea, $6 split bytea, $7 created_at timestamptz,
-- $8 expires_at timestamptz
INSERT INTO quote (id, merchant, payer, scenario, bill, split, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: quote
-- $1 id uuid, $2 merchant uuid
SELECT q.payer, q.scenario, q.bill, q.split, q.created_at, q.expires_at FROM quote q WHERE q.id = $1 AND q.merchant = $2;
