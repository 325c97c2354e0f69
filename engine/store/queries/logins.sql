-- name: client
-- $1 id uuid
SELECT c.id, c.region, c.name_zh, c.name_en, c.place, c.redirect_uris, c.scopes, c.secret_hash, c.earlier_secret_hash,
       c.earlier_ends_at, c.state, c.changed_by, c.changed_at, c.created_at
  FROM login_client c
 WHERE c.id = $1;

-- name: lock_client
-- $1 id uuid
SELECT c.id, c.region, c.name_zh, c.name_en, c.place, c.redirect_uris, c.scopes, c.secret_hash, c.earlier_secret_hash,
       c.earlier_ends_at, c.state, c.changed_by, c.changed_at, c.created_at
  FROM login_client c
 WHERE c.id = $1
   FOR UPDATE;

-- name: clients
-- Newest first, below a cursor. $1 lowest region integer, $2 highest region integer, $3 before uuid, $4 count bigint
SELECT c.id, c.region, c.name_zh, c.name_en, c.place, c.redirect_uris, c.scopes, c.secret_hash, c.earlier_secret_hash,
       c.earlier_ends_at, c.state, c.changed_by, c.changed_at, c.created_at
  FROM login_client c
 WHERE c.region BETWEEN $1 AND $2 AND ($3::uuid IS NULL OR c.id < $3)
 ORDER BY c.id DESC
 LIMIT $4;

-- name: insert_client
-- $1 id uuid, $2 region integer, $3 name_zh text, $4 name_en text, $5 place text, $6 redirect_uris text[],
-- $7 scopes text[], $8 secret_hash bytea, $9 state smallint, $10 operator uuid, $11 now timestamptz
INSERT INTO login_client (id, region, name_zh, name_en, place, redirect_uris, scopes, secret_hash, state, changed_by,
                          changed_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11);

-- name: set_client_secret
-- $1 id uuid, $2 secret_hash bytea, $3 earlier_ends_at timestamptz
UPDATE login_client SET earlier_secret_hash = secret_hash, secret_hash = $2, earlier_ends_at = $3 WHERE id = $1;

-- name: set_client_state
-- $1 id uuid, $2 state smallint, $3 operator uuid, $4 now timestamptz
UPDATE login_client SET state = $2, changed_by = $3, changed_at = $4 WHERE id = $1;

-- name: insert_login
-- $1 token bytea, $2 client uuid, $3 redirect_uri text, $4 scopes text[], $5 client_state text, $6 nonce text,
-- $7 challenge text, $8 browser_hash bytea, $9 state smallint, $10 created_at timestamptz, $11 expires_at timestamptz
INSERT INTO login (token, client, redirect_uri, scopes, client_state, nonce, challenge, browser_hash, state, created_at,
                   expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: delete_old_logins
-- A few with each new one, so that nobody has to come round for them: those that nobody has agreed to go much sooner.
-- $1 before timestamptz, $2 unanswered before timestamptz, $3 count bigint
WITH over AS (
    SELECT l.token FROM login l WHERE l.expires_at < $1 ORDER BY l.expires_at LIMIT $3 FOR UPDATE SKIP LOCKED
), unanswered AS (
    SELECT l.token FROM login l
     WHERE l.confirmed_at IS NULL AND l.expires_at < $2
     ORDER BY l.expires_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
DELETE FROM login WHERE token IN (SELECT o.token FROM over o UNION ALL SELECT u.token FROM unanswered u);

-- name: login
-- $1 token bytea
SELECT l.token, l.client, l.redirect_uri, l.scopes, l.client_state, l.nonce, l.challenge, l.browser_hash, l.state,
       l.created_at, l.expires_at, l.card, l.channel, l.agreed_scopes, l.act, l.confirmed_at, l.redeemed_at, l.revoked_at
  FROM login l
 WHERE l.token = $1;

-- name: lock_login
-- $1 token bytea
SELECT l.token, l.client, l.redirect_uri, l.scopes, l.client_state, l.nonce, l.challenge, l.browser_hash, l.state,
       l.created_at, l.expires_at, l.card, l.channel, l.agreed_scopes, l.act, l.confirmed_at, l.redeemed_at, l.revoked_at
  FROM login l
 WHERE l.token = $1
   FOR UPDATE;

-- name: update_login
-- What may change of a login. $1 token bytea, $2 state smallint, $3 expires_at timestamptz, $4 card uuid,
-- $5 channel uuid, $6 agreed_scopes text[], $7 act text, $8 confirmed_at timestamptz, $9 redeemed_at timestamptz,
-- $10 revoked_at timestamptz
UPDATE login
   SET state = $2, expires_at = $3, card = $4, channel = $5, agreed_scopes = $6, act = $7, confirmed_at = $8,
       redeemed_at = $9, revoked_at = $10
 WHERE token = $1;

-- name: login_keys
-- What id tokens are signed with, newest first.
SELECT key_id, secret, created_at FROM login_key ORDER BY created_at DESC, key_id DESC;

-- name: insert_login_key
-- Unless another node was first. $1 key_id text, $2 secret bytea, $3 field_key_id smallint, $4 created_at timestamptz
INSERT INTO login_key (key_id, secret, field_key_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;
