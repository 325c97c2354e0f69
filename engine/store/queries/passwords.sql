-- name: password_of_card
-- The version that its payer's row names. $1 card uuid
SELECT c.version, c.hash
  FROM payer p JOIN card_password c ON c.card = p.id AND c.version = p.password_version
 WHERE p.id = $1;

-- name: insert_password
-- The next version, nothing if another one was faster; those before the present one are not needed any more.
-- $1 card uuid, $2 hash text
WITH old AS (
    DELETE FROM card_password c USING payer p
     WHERE c.card = $1 AND p.id = c.card AND c.version < p.password_version
)
INSERT INTO card_password (card, version, hash, set_at)
SELECT $1, coalesce(max(version), 0) + 1, $2, clock_timestamp() FROM card_password WHERE card = $1
ON CONFLICT DO NOTHING
RETURNING version;

-- name: password_keys
-- What passwords are sealed for, newest first.
SELECT key_id, secret, created_at FROM password_key ORDER BY created_at DESC, key_id DESC;

-- name: insert_password_key
-- Unless another node was first. $1 key_id text, $2 secret bytea, $3 field_key_id smallint, $4 created_at timestamptz
INSERT INTO password_key (key_id, secret, field_key_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: card_of_number
-- $1 number_index bytea
SELECT card FROM card_number WHERE number_index = $1;
