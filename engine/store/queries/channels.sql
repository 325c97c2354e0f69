-- name: channel
-- $1 channel uuid
SELECT id, channel_no, owner_class, parent, name_zh, name_en, contact, region, products, regions, addresses,
       callback_urls, state, version, applied_at, changed_at
  FROM channel WHERE id = $1;

-- name: channel_by_number
-- $1 channel_no text
SELECT id, channel_no, owner_class, parent, name_zh, name_en, contact, region, products, regions, addresses,
       callback_urls, state, version, applied_at, changed_at
  FROM channel WHERE channel_no = $1;

-- name: channels
-- Newest first, below a cursor; filters may be null. $1 before uuid, $2 state smallint, $3 owner_class smallint,
-- $4 count bigint
SELECT id, channel_no, owner_class, parent, name_zh, name_en, contact, region, products, regions, addresses,
       callback_urls, state, version, applied_at, changed_at
  FROM channel
 WHERE ($1::uuid IS NULL OR id < $1)
   AND ($2::smallint IS NULL OR state = $2)
   AND ($3::smallint IS NULL OR owner_class = $3)
 ORDER BY id DESC
 LIMIT $4;

-- name: directory
-- Those that a person can choose from: live, and if they take part through another, that one too. In the order of their
-- numbers. $1 after text, $2 count bigint
SELECT c.channel_no, c.owner_class, c.name_zh, c.name_en, c.products, c.regions
  FROM channel c LEFT JOIN channel p ON p.id = c.parent
 WHERE c.state = 5 AND (p.id IS NULL OR p.state IN (5, 6)) AND c.channel_no > $1
 ORDER BY c.channel_no
 LIMIT $2;

-- name: lock_channel
-- $1 channel uuid
SELECT 1 FROM channel WHERE id = $1 FOR UPDATE;

-- name: standing
-- A channel and, of a tier-2 one, the channel that it takes part through, the latter last; orders in force as
-- {kind, product or 0, region}. $1 channel uuid
SELECT c.state, c.products, c.regions, c.addresses,
       (SELECT array_agg(ARRAY[s.kind::integer, coalesce(s.product, 0)::integer, s.region])
          FROM channel_stop s WHERE s.channel = c.id AND s.lifted_at IS NULL) AS stops
  FROM channel c
 WHERE c.id = $1 OR c.id = (SELECT x.parent FROM channel x WHERE x.id = $1)
 ORDER BY c.id <> $1;

-- name: insert_channel
-- $1 id uuid, $2 channel_no text, $3 owner_class smallint, $4 parent uuid, $5 name_zh text, $6 name_en text,
-- $7 contact bytea, $8 field_key_id smallint, $9 region integer, $10 products smallint[], $11 regions integer[],
-- $12 addresses text[], $13 callback_urls text[], $14 applied_by uuid, $15 now timestamptz
INSERT INTO channel (id, channel_no, owner_class, parent, name_zh, name_en, contact, field_key_id, region, products,
                     regions, addresses, callback_urls, state, version, applied_by, applied_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, 1, $14, $15, $15)
ON CONFLICT (channel_no) DO NOTHING RETURNING id;

-- name: move_channel
-- $1 channel uuid, $2 state smallint, $3 now timestamptz
UPDATE channel SET state = $2, version = version + 1, changed_at = $3 WHERE id = $1 RETURNING version;

-- name: record_move
-- $1 channel uuid, $2 version integer, $3 move smallint, $4 operator uuid, $5 at timestamptz, $6 reason text
INSERT INTO channel_move (channel, version, move, operator, at, reason) VALUES ($1, $2, $3, $4, $5, $6);

-- name: set_terms
-- $1 channel uuid, $2 name_zh text, $3 name_en text, $4 contact bytea, $5 region integer, $6 products smallint[],
-- $7 regions integer[], $8 addresses text[], $9 callback_urls text[]
UPDATE channel
   SET name_zh = $2, name_en = $3, contact = $4, region = $5, products = $6, regions = $7, addresses = $8,
       callback_urls = $9
 WHERE id = $1;

-- name: moves
-- The newest first. $1 channel uuid, $2 count bigint
SELECT version, move, operator, at, reason FROM channel_move WHERE channel = $1 ORDER BY version DESC LIMIT $2;

-- name: last_let_on
-- When a channel was let go on last. $1 channel uuid, $2 moves smallint[]
SELECT max(at) FROM channel_move WHERE channel = $1 AND move = ANY ($2);

-- name: insert_stop
-- $1 id uuid, $2 channel uuid, $3 kind smallint, $4 product smallint, $5 region integer, $6 reason text,
-- $7 evidence text, $8 restore_condition text, $9 operator uuid, $10 effective timestamptz
INSERT INTO channel_stop (id, channel, kind, product, region, reason, evidence, restore_condition, operator, effective_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: stop
-- $1 id uuid, $2 channel uuid
SELECT * FROM channel_stop WHERE id = $1 AND channel = $2;

-- name: stops
-- Newest first, below a cursor. $1 channel uuid, $2 before uuid, $3 count bigint
SELECT * FROM channel_stop WHERE channel = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: lift_stop
-- $1 id uuid, $2 now timestamptz, $3 operator uuid
UPDATE channel_stop SET lifted_at = $2, lifted_by = $3 WHERE id = $1 AND lifted_at IS NULL;

-- name: lift_whole_stops
-- What had stopped all of a channel, and was no end of it. $1 channel uuid, $2 now timestamptz, $3 operator uuid
UPDATE channel_stop SET lifted_at = $2, lifted_by = $3
 WHERE channel = $1 AND lifted_at IS NULL AND product IS NULL AND region = 0 AND kind <> 3;

-- name: stopped_for_payment
-- Channels through which nothing is paid, and where; a tier-2 one shares what stops its tier-1 channel. Those that were
-- never live have no phone and no order.
SELECT c.id AS channel, 0 AS region
  FROM channel c LEFT JOIN channel p ON p.id = c.parent
 WHERE c.state IN (7, 8) OR p.state IN (7, 8)
UNION
SELECT c.id, s.region
  FROM channel_stop s JOIN channel c ON s.channel IN (c.id, c.parent)
 WHERE s.lifted_at IS NULL AND s.kind IN (2, 3) AND coalesce(s.product, 2) = 2;

-- name: add_figures
-- What one process has counted, added to what all have; returns the sums.
-- $1 channel uuid, $2 minute timestamptz, $3 requests integer, $4 errors integer, $5 signature failures integer
INSERT INTO channel_figure AS f (channel, minute, requests, errors, signature_failures) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (channel, minute) DO UPDATE
   SET requests = f.requests + excluded.requests, errors = f.errors + excluded.errors,
       signature_failures = f.signature_failures + excluded.signature_failures
RETURNING requests, errors, signature_failures;

-- name: drop_figures
-- $1 before timestamptz
DELETE FROM channel_figure WHERE minute < $1;

-- name: insert_run
-- $1 id uuid, $2 channel uuid, $3 callback_url text, $4 secret bytea, $5 field_key_id smallint, $6 now timestamptz
INSERT INTO conformance_run (id, channel, callback_url, secret, field_key_id, opened_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: conformance_run
-- $1 run uuid, $2 channel uuid
SELECT id, channel, callback_url, secret, opened_at FROM conformance_run WHERE id = $1 AND channel = $2;

-- name: lock_run
-- $1 run uuid
SELECT 1 FROM conformance_run WHERE id = $1 FOR UPDATE;

-- name: steps
-- $1 run uuid
SELECT body FROM conformance_step WHERE run = $1 ORDER BY n;

-- name: insert_step
-- $1 run uuid, $2 n integer, $3 at timestamptz, $4 body bytea
INSERT INTO conformance_step (run, n, at, body) VALUES ($1, $2, $3, $4);
