-- name: card_of_id
-- Status and level are those of the payer's row: there is no other place that says them. $1 card uuid
SELECT c.id, c.person, c.region, c.bank, b.cnaps, y.status, y.issue_level, y.password_version > 0 AS has_password,
       with_person_key(k.secret, p.id_number) AS id_number, with_person_key(k.secret, p.name) AS name,
       with_person_key(k.secret, p.phone) AS phone, with_person_key(k.secret, c.bank_account) AS bank_account,
       c.bank_account_index, with_person_key(k.secret, f.number) AS number, f.number_index, f.issued_on,
       f.valid_until, c.opened_at, c.ended_at
  FROM card c
  JOIN payer y ON y.id = c.id
  JOIN person p ON p.id = c.person
  LEFT JOIN person_key k ON k.person = p.id
  JOIN bank b ON b.id = c.bank
  LEFT JOIN physical_card f ON f.card = c.id AND f.ended_at IS NULL
 WHERE c.id = $1;

-- name: card_of_id_number
-- The newest card of a person. $1 id_number_index bytea
SELECT c.id, c.person, c.region, c.bank, b.cnaps, y.status, y.issue_level, y.password_version > 0 AS has_password,
       with_person_key(k.secret, p.id_number) AS id_number, with_person_key(k.secret, p.name) AS name,
       with_person_key(k.secret, p.phone) AS phone, with_person_key(k.secret, c.bank_account) AS bank_account,
       c.bank_account_index, with_person_key(k.secret, f.number) AS number, f.number_index, f.issued_on,
       f.valid_until, c.opened_at, c.ended_at
  FROM person p
  LEFT JOIN person_key k ON k.person = p.id
  JOIN card c ON c.person = p.id
  JOIN payer y ON y.id = c.id
  JOIN bank b ON b.id = c.bank
  LEFT JOIN physical_card f ON f.card = c.id AND f.ended_at IS NULL
 WHERE p.id_number_index = $1
 ORDER BY c.ended_at DESC NULLS FIRST, c.id DESC
 LIMIT 1;

-- name: card_of_number_in_use
-- $1 number_index bytea
SELECT c.id, c.person, c.region, c.bank, b.cnaps, y.status, y.issue_level, y.password_version > 0 AS has_password,
       with_person_key(k.secret, p.id_number) AS id_number, with_person_key(k.secret, p.name) AS name,
       with_person_key(k.secret, p.phone) AS phone, with_person_key(k.secret, c.bank_account) AS bank_account,
       c.bank_account_index, with_person_key(k.secret, f.number) AS number, f.number_index, f.issued_on,
       f.valid_until, c.opened_at, c.ended_at
  FROM physical_card f
  JOIN card c ON c.id = f.card
  JOIN payer y ON y.id = c.id
  JOIN person p ON p.id = c.person
  LEFT JOIN person_key k ON k.person = p.id
  JOIN bank b ON b.id = c.bank
 WHERE f.number_index = $1 AND f.ended_at IS NULL;

-- name: hold_card
-- $1 card uuid
SELECT true FROM card c WHERE c.id = $1 FOR NO KEY UPDATE;

-- name: is_number_given
-- $1 number_index bytea
SELECT EXISTS (SELECT FROM physical_card f WHERE f.number_index = $1)
       OR EXISTS (SELECT FROM card_number k WHERE k.number_index = $1);

-- name: end_physical_cards
-- $1 card uuid, $2 now timestamptz
WITH gone AS (
    DELETE FROM card_number k WHERE k.card = $1
)
UPDATE physical_card SET ended_at = $2 WHERE card = $1 AND ended_at IS NULL;

-- name: insert_physical_card
-- $1 card uuid, $2 number_index bytea, $3 number bytea, $4 field_key_id smallint, $5 issued_on date, $6 valid_until date
INSERT INTO physical_card (card, n, number_index, number, field_key_id, issued_on, valid_until)
SELECT $1, (SELECT coalesce(max(f.n), 0) + 1 FROM physical_card f WHERE f.card = $1), $2, $3, $4, $5, $6;

-- name: insert_number_in_use
-- $1 number_index bytea, $2 card uuid
INSERT INTO card_number (number_index, card) VALUES ($1, $2);

-- name: history
-- What happened to a card, out of the journal: the ends of a lane's chain are in order of time. $1 card uuid, $2 count bigint
SELECT e.at, e.body FROM event e WHERE e.payment = $1 ORDER BY e.at DESC, e.lane DESC, e.seq DESC, e.n DESC LIMIT $2;

-- name: replaced_at
-- $1 card uuid
SELECT max(f.ended_at) FROM physical_card f WHERE f.card = $1;

-- name: linked_sign
-- $1 card uuid, $2 channel uuid
SELECT s.sign_no, s.card, s.channel, s.level, s.linked_at, s.valid_until, s.unlinked_at
  FROM card_sign s
 WHERE s.card = $1 AND s.channel = $2 AND s.unlinked_at IS NULL;

-- name: signs
-- $1 card uuid
SELECT s.sign_no, s.card, s.channel, s.level, s.linked_at, s.valid_until, s.unlinked_at
  FROM card_sign s
 WHERE s.card = $1
 ORDER BY s.sign_no DESC;

-- name: insert_sign
-- $1 sign_no uuid, $2 card uuid, $3 channel uuid, $4 level smallint, $5 linked_at timestamptz, $6 valid_until timestamptz
INSERT INTO card_sign (sign_no, card, channel, level, linked_at, valid_until) VALUES ($1, $2, $3, $4, $5, $6);

-- name: set_sign_level
-- $1 sign_no uuid, $2 level smallint
UPDATE card_sign SET level = $2 WHERE sign_no = $1 AND unlinked_at IS NULL;

-- name: end_sign
-- $1 sign_no uuid, $2 now timestamptz
UPDATE card_sign SET unlinked_at = $2 WHERE sign_no = $1 AND unlinked_at IS NULL;

-- name: devices
-- $1 card uuid
SELECT d.device_no, d.is_revoked, r.registered_at, r.revoked_at
  FROM device d LEFT JOIN card_device r ON r.device_no = d.device_no
 WHERE d.card = $1
 ORDER BY d.device_no;

-- name: insert_device
-- Nothing if the number is somebody's. $1 device_no bigint, $2 card uuid, $3 key_id smallint
INSERT INTO device (device_no, card, key_id, is_revoked) VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING RETURNING device_no;

-- name: insert_card_device
-- $1 device_no bigint, $2 card uuid, $3 registered_by uuid, $4 registered_at timestamptz
INSERT INTO card_device (device_no, card, registered_by, registered_at) VALUES ($1, $2, $3, $4);

-- name: revoke_device
-- $1 device_no bigint, $2 card uuid
UPDATE device SET is_revoked = true WHERE device_no = $1 AND card = $2 RETURNING device_no;

-- name: revoke_card_device
-- $1 device_no bigint, $2 now timestamptz
UPDATE card_device SET revoked_at = $2 WHERE device_no = $1 AND revoked_at IS NULL;

-- name: relatives
-- $1 guardian uuid
SELECT r.id, r.guardian, r.ward, r.relation, r.proof, r.linked_by, r.linked_at, r.expires_on, r.ended_at
  FROM relative r
 WHERE r.guardian = $1
 ORDER BY r.id DESC;

-- name: relative
-- $1 relative uuid
SELECT r.id, r.guardian, r.ward, r.relation, r.proof, r.linked_by, r.linked_at, r.expires_on, r.ended_at
  FROM relative r
 WHERE r.id = $1;

-- name: expired_relatives
-- $1 today date, $2 count bigint
SELECT r.id, r.guardian, r.ward, r.relation, r.proof, r.linked_by, r.linked_at, r.expires_on, r.ended_at
  FROM relative r
 WHERE r.ended_at IS NULL AND r.expires_on < $1
 ORDER BY r.expires_on
 LIMIT $2;

-- name: insert_relative
-- $1 id uuid, $2 guardian uuid, $3 ward uuid, $4 relation smallint, $5 proof text, $6 linked_by uuid,
-- $7 linked_at timestamptz, $8 expires_on date
INSERT INTO relative (id, guardian, ward, relation, proof, linked_by, linked_at, expires_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: end_relative
-- $1 relative uuid, $2 now timestamptz
UPDATE relative SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL;

-- name: expired_cards
-- Status 1 is active: one that is lost, suspended or cancelled stays what it is. $1 today date, $2 count bigint
SELECT f.card
  FROM physical_card f JOIN payer y ON y.id = f.card
 WHERE f.ended_at IS NULL AND f.valid_until < $1 AND y.status = 1
 ORDER BY f.valid_until
 LIMIT $2;

-- name: known_persons
-- Whom the register knows of these ID numbers, with the newest card of each. $1 id_number_indexes bytea[]
SELECT p.id_number_index, p.id AS person, with_person_key(k.secret, p.name) AS name, k.secret AS sealed_key,
       c.id AS card, c.bank, c.region, y.status, f.number_index
  FROM unnest($1::bytea[]) i(found)
  JOIN person p ON p.id_number_index = i.found
  LEFT JOIN person_key k ON k.person = p.id
  LEFT JOIN LATERAL (SELECT x.* FROM card x WHERE x.person = p.id
                      ORDER BY x.ended_at DESC NULLS FIRST, x.id DESC LIMIT 1) c ON true
  LEFT JOIN payer y ON y.id = c.id
  LEFT JOIN physical_card f ON f.card = c.id AND f.ended_at IS NULL;

-- name: given_numbers
-- Which of these numbers were given before. $1 number_indexes bytea[]
SELECT i.found AS number_index
  FROM unnest($1::bytea[]) i(found)
 WHERE EXISTS (SELECT FROM physical_card f WHERE f.number_index = i.found)
    OR EXISTS (SELECT FROM card_number k WHERE k.number_index = i.found);

-- name: end_cancelled_cards
-- A card that its payer's row says is cancelled makes room for the person's next one. $1 cards uuid[], $2 now timestamptz
UPDATE card c SET ended_at = $2 FROM payer y
 WHERE c.id = ANY ($1::uuid[]) AND y.id = c.id AND y.status = 4 AND c.ended_at IS NULL;

-- name: end_cancelled_numbers
-- The physical cards of cards that have ended are no longer in use. $1 cards uuid[], $2 now timestamptz
WITH gone AS (
    DELETE FROM card_number k WHERE k.card = ANY ($1::uuid[])
)
UPDATE physical_card SET ended_at = $2 WHERE card = ANY ($1::uuid[]) AND ended_at IS NULL;

-- name: banks
SELECT b.id, b.cnaps FROM bank b;

-- name: import_report
-- $1 sha256 bytea, $2 region integer
SELECT i.report FROM card_import i WHERE i.sha256 = $1 AND i.region = $2;

-- name: keep_import_report
-- $1 sha256 bytea, $2 region integer, $3 operator uuid, $4 report bytea, $5 finished_at timestamptz
INSERT INTO card_import (sha256, region, operator, report, finished_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;
