-- name: begin_upload
-- $1 id uuid, $2 bank uuid, $3 started_at timestamptz
INSERT INTO upload (id, bank, started_at) VALUES ($1, $2, $3);

-- name: insert_upload_chunk
-- $1 upload uuid, $2 part integer, $3 bytes bytea
INSERT INTO upload_chunk (upload, part, bytes) VALUES ($1, $2, $3);

-- name: upload_chunks
-- $1 upload uuid, $2 first part integer, $3 after the last part integer
SELECT bytes FROM upload_chunk WHERE upload = $1 AND part >= $2 AND part < $3 ORDER BY part;

-- name: accept_upload
-- The unique indices decide which of two of one file id, or under one key, is the first.
-- $1 id uuid, $2 kind text, $3 form text, $4 file_id text, $5 idempotency_key text, $6 size bigint, $7 sha256 bytea,
-- $8 line_count bigint, $9 debit_total bigint, $10 credit_total bigint, $11 accepted_at timestamptz
UPDATE upload
   SET kind = $2, form = $3, file_id = $4, idempotency_key = $5, size = $6, sha256 = $7, line_count = $8,
       debit_total = $9, credit_total = $10, accepted_at = $11
 WHERE id = $1 AND accepted_at IS NULL
RETURNING id;

-- name: upload_of_file
-- $1 bank uuid, $2 file_id text
SELECT id, bank, kind, form, file_id, idempotency_key, size, sha256, line_count, debit_total, credit_total, accepted_at
  FROM upload WHERE bank = $1 AND file_id = $2;

-- name: upload_of_key
-- $1 bank uuid, $2 idempotency_key text
SELECT id, bank, kind, form, file_id, idempotency_key, size, sha256, line_count, debit_total, credit_total, accepted_at
  FROM upload WHERE bank = $1 AND idempotency_key = $2;

-- name: upload_by_id
-- $1 id uuid
SELECT id, bank, kind, form, file_id, idempotency_key, size, sha256, line_count, debit_total, credit_total, accepted_at
  FROM upload WHERE id = $1 AND accepted_at IS NOT NULL;

-- name: drop_upload
-- What was refused, or did not come to its end. $1 id uuid
WITH dropped AS (
    DELETE FROM upload WHERE id = $1 AND accepted_at IS NULL RETURNING id
)
DELETE FROM upload_chunk c USING dropped d WHERE c.upload = d.id;

-- name: uploads_cut_short
-- $1 before timestamptz
SELECT id FROM upload WHERE accepted_at IS NULL AND started_at < $1;

-- name: cnaps_of_bank
-- $1 bank uuid
SELECT cnaps FROM bank WHERE id = $1;

-- name: bank_of_cnaps
-- $1 cnaps bigint
SELECT id FROM bank WHERE cnaps = $1;
