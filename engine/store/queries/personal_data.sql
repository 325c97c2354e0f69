-- name: newest_field_key
SELECT k.id, k.cipher, (SELECT h.hash_algorithm FROM index_hash h) AS index_hash
  FROM field_key k
 ORDER BY k.id DESC
 LIMIT 1;

-- name: make_field_key
-- The next one; nothing if somebody else has just made it. $1 id smallint, $2 cipher smallint, $3 now timestamptz
INSERT INTO field_key (id, cipher, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: fix_index_hash
-- $1 hash_algorithm smallint
UPDATE index_hash SET hash_algorithm = $1 WHERE hash_algorithm IS NULL;

-- name: pages
-- How many pages a table has. $1 table text
SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint;

-- name: sealed_texts
-- $1 table text, $2 column text, $3 header bytea, $4 after text, $5 until text, $6 count integer
SELECT s.place::text AS place, s.sealed, s.owner
  FROM sealed_texts($1::text::regclass, $2::text::name, $3, $4::text::tid, $5::text::tid, $6) s;

-- name: seal_anew
-- $1 table text, $2 column text, $3 places text[], $4 earlier bytea[], $5 sealed bytea[], $6 key_id smallint
SELECT seal_anew($1::text::regclass, $2::text::name, $3::text[]::tid[], $4::bytea[], $5::bytea[], $6::smallint);

-- name: person_keys
-- $1 persons uuid[]
SELECT k.person, k.secret FROM person_key k WHERE k.person = ANY ($1::uuid[]);

-- name: insert_person_keys
-- Whoever has one keeps it. $1 persons uuid[], $2 secrets bytea[], $3 key_id smallint, $4 now timestamptz
INSERT INTO person_key (person, secret, field_key_id, made_at)
SELECT n.person, n.secret, $3, $4 FROM unnest($1::uuid[], $2::bytea[]) n(person, secret)
ON CONFLICT DO NOTHING;

-- name: destroy_person_key
-- The key of the card's person is gone; nothing if it was. $1 card uuid, $2 now timestamptz
UPDATE person_key k SET secret = NULL, destroyed_at = $2
  FROM card c
 WHERE c.id = $1 AND k.person = c.person AND k.secret IS NOT NULL
RETURNING k.person;

-- name: erase_inquiry_records
-- What regions have sent in is not under the person's key; before its index goes. $1 person uuid
DELETE FROM inquiry_record r USING person p WHERE p.id = $1 AND r.person_index = p.id_number_index;

-- name: erase_person
-- $1 person uuid, $2 marker bytea, $3 index bytea
UPDATE person SET id_number = $2::bytea, name = $2::bytea, phone = CASE WHEN phone IS NOT NULL THEN $2::bytea END, id_number_index = $3
 WHERE id = $1;

-- name: erase_cards
-- $1 person uuid, $2 marker bytea
UPDATE card SET bank_account = $2, bank_account_index = '' WHERE person = $1 AND bank_account IS NOT NULL;

-- name: erase_physical_cards
-- Their indexes stay, for no number is given twice. $1 person uuid, $2 marker bytea
UPDATE physical_card f SET number = $2
  FROM card c
 WHERE c.person = $1 AND f.card = c.id AND f.number IS NOT NULL;

-- name: erase_passkeys
-- Their labels are sealed under a field key: another sealed text stands in their place. $1 person uuid, $2 label bytea,
-- $3 field_key_id smallint
UPDATE passkey k SET label = $2, field_key_id = $3 FROM card c WHERE c.person = $1 AND k.card = c.id;

-- name: erase_passkey_links
-- To register one, whether it was used or not. $1 person uuid
DELETE FROM passkey_link l USING card c WHERE c.person = $1 AND l.card = c.id AND l.label IS NOT NULL;

-- name: erase_applications
-- What was written before the person had a key of its own may be under a field key still. $1 person uuid, $2 marker bytea
UPDATE application SET form = $2 WHERE person = $1;

-- name: erase_application_notes
-- $1 person uuid, $2 marker bytea
UPDATE application_step s SET note = $2
  FROM application a
 WHERE a.person = $1 AND s.application = a.id AND s.note IS NOT NULL;

-- name: erase_attachments
-- $1 person uuid, $2 marker bytea
UPDATE application_attachment_part f SET bytes = $2
  FROM application_attachment t
  JOIN application a ON a.id = t.application
 WHERE a.person = $1 AND f.attachment = t.id;

-- name: cards_of_same_person
-- Every card of the person who has this one, and when what the journal says last of it happened. $1 card uuid
SELECT o.id, y.status, k.secret IS NOT NULL AS has_key,
       coalesce((SELECT max(e.at) FROM event e WHERE e.payment = o.id), o.opened_at) AS changed_at
  FROM card c
  JOIN card o ON o.person = c.person
  JOIN payer y ON y.id = o.id
  LEFT JOIN person_key k ON k.person = c.person
 WHERE c.id = $1;
