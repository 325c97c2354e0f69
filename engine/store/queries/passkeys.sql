-- name: insert_challenge
-- Those of the card that nobody has signed in time go. $1 digest bytea, $2 card uuid, $3 channel uuid, $4 act text,
-- $5 bound_to text, $6 expires_at timestamptz, $7 wall timestamptz
WITH old AS (
    DELETE FROM passkey_challenge WHERE card = $2 AND used_at IS NULL AND expires_at < $7
)
INSERT INTO passkey_challenge (digest, card, channel, act, bound_to, expires_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: hold_challenge
-- Until the transaction ends nobody else signs it. $1 digest bytea
SELECT digest, card, channel, act, bound_to, expires_at, evidence, used_key
  FROM passkey_challenge
 WHERE digest = $1
   FOR NO KEY UPDATE;

-- name: use_challenge
-- $1 digest bytea, $2 passkey uuid, $3 evidence bytea, $4 used_key text, $5 used_at timestamptz
UPDATE passkey_challenge
   SET passkey = $2, evidence = $3, used_key = $4, used_at = $5
 WHERE digest = $1;

-- name: hold_credential
-- Until the transaction ends its count is nobody else's to change. $1 credential_id bytea
SELECT k.id, k.card, k.credential_id, k.public_key, k.sign_count, k.label, k.registered_by, k.registered_at, k.used_at,
       k.copied_at, k.revoked_at, y.status AS card_status
  FROM passkey k
  JOIN payer y ON y.id = k.card
 WHERE k.credential_id = $1
   FOR NO KEY UPDATE OF k;

-- name: passkeys_of_card
-- $1 card uuid
SELECT id, card, credential_id, public_key, sign_count, label, registered_by, registered_at, used_at, copied_at,
       revoked_at
  FROM passkey
 WHERE card = $1
 ORDER BY id DESC;

-- name: passkey_of_id
-- $1 id uuid
SELECT id, card, credential_id, public_key, sign_count, label, registered_by, registered_at, used_at, copied_at,
       revoked_at
  FROM passkey
 WHERE id = $1;

-- name: insert_passkey
-- Nothing comes back if somebody has the credential already.
-- $1 id uuid, $2 card uuid, $3 credential_id bytea, $4 public_key bytea, $5 sign_count bigint, $6 label bytea,
-- $7 field_key_id smallint, $8 registered_by uuid, $9 registered_at timestamptz
INSERT INTO passkey (id, card, credential_id, public_key, sign_count, label, field_key_id, registered_by, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (credential_id) DO NOTHING
RETURNING id;

-- name: count_use
-- $1 id uuid, $2 sign_count bigint, $3 used_at timestamptz
UPDATE passkey SET sign_count = $2, used_at = $3 WHERE id = $1;

-- name: mark_copied
-- $1 id uuid, $2 copied_at timestamptz
UPDATE passkey SET copied_at = coalesce(copied_at, $2) WHERE id = $1;

-- name: revoke_passkey
-- $1 id uuid, $2 revoked_at timestamptz
UPDATE passkey SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1;

-- name: insert_link
-- A few of those go whose time was over by then. $1 digest bytea, $2 card uuid, $3 channel uuid, $4 payment uuid,
-- $5 label bytea, $6 field_key_id smallint, $7 expires_at timestamptz, $8 before timestamptz
WITH old AS (
    DELETE FROM passkey_link
     WHERE digest IN (SELECT l.digest FROM passkey_link l
                       WHERE l.expires_at < $8 ORDER BY l.expires_at LIMIT 20 FOR UPDATE SKIP LOCKED)
)
INSERT INTO passkey_link (digest, card, channel, payment, label, field_key_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: link_of_digest
-- $1 digest bytea
SELECT digest, card, channel, payment, label, expires_at, used_at FROM passkey_link WHERE digest = $1;

-- name: hold_link
-- Unless it was used; until the transaction ends nobody else uses it. $1 digest bytea
SELECT digest FROM passkey_link WHERE digest = $1 AND used_at IS NULL FOR NO KEY UPDATE;

-- name: use_link
-- $1 digest bytea, $2 used_at timestamptz
UPDATE passkey_link SET used_at = coalesce(used_at, $2) WHERE digest = $1;
