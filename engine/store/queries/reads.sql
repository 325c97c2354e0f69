-- name: control
SELECT business_date, cycle, cutoff_at, published_cycle, settled_cycle, sandbox_offset_us, clock_timestamp() AS clock FROM control;

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
