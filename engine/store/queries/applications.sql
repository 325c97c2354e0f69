-- name: hold_application
-- The application, which nobody else moves until the transaction ends. $1 application uuid
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.id = $1
   FOR UPDATE;

-- name: application
-- $1 application uuid
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.id = $1;

-- name: applications_of_channel
-- Of cards that the channel is still linked to. $1 channel uuid, $2 state smallint, $3 item text, $4 before uuid,
-- $5 count bigint
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.channel = $1
   AND ($2::smallint IS NULL OR a.state = $2)
   AND ($3::text IS NULL OR a.item = $3)
   AND ($4::uuid IS NULL OR a.id < $4)
   AND EXISTS (SELECT FROM card_sign s WHERE s.card = a.card AND s.channel = a.channel AND s.unlinked_at IS NULL)
 ORDER BY a.id DESC
 LIMIT $5;

-- name: applications_of_office
-- What it was handed; a draft it never sees. $1 office uuid, $2 state smallint, $3 item text, $4 before uuid, $5 count bigint
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.office = $1 AND a.submitted_at IS NOT NULL
   AND ($2::smallint IS NULL OR a.state = $2)
   AND ($3::text IS NULL OR a.item = $3)
   AND ($4::uuid IS NULL OR a.id < $4)
 ORDER BY a.id DESC
 LIMIT $5;

-- name: applications_of_person
-- Handed in through whichever channel. $1 person uuid, $2 state smallint, $3 item text, $4 before uuid, $5 count bigint
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.person = $1 AND a.submitted_at IS NOT NULL
   AND ($2::smallint IS NULL OR a.state = $2)
   AND ($3::text IS NULL OR a.item = $3)
   AND ($4::uuid IS NULL OR a.id < $4)
 ORDER BY a.id DESC
 LIMIT $5;

-- name: applications_of_regions
-- $1 lowest integer, $2 highest integer, $3 state smallint, $4 item text, $5 before uuid, $6 count bigint
SELECT a.id, a.item, a.kind, a.person, a.card, a.region, a.channel, a.office, a.state, a.form, a.created_at,
       a.changed_at, a.submitted_at
  FROM application a
 WHERE a.region BETWEEN $1 AND $2 AND a.submitted_at IS NOT NULL
   AND ($3::smallint IS NULL OR a.state = $3)
   AND ($4::text IS NULL OR a.item = $4)
   AND ($5::uuid IS NULL OR a.id < $5)
 ORDER BY a.id DESC
 LIMIT $6;

-- name: insert_application
-- Nothing comes back if the person has an open one for the item.
-- $1 id uuid, $2 item text, $3 kind smallint, $4 person uuid, $5 card uuid, $6 region integer, $7 channel uuid,
-- $8 office uuid, $9 state smallint, $10 form bytea, $11 field_key_id smallint, $12 created_at timestamptz
INSERT INTO application (id, item, kind, person, card, region, channel, office, state, form, field_key_id, created_at,
                         changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
ON CONFLICT (person, item) WHERE state <= 5 DO NOTHING
RETURNING id;

-- name: old_draft
-- A draft that nobody has touched since then stands in nobody's way. $1 person uuid, $2 item text, $3 draft smallint,
-- $4 untouched_since timestamptz
SELECT a.id FROM application a
 WHERE a.person = $1 AND a.item = $2 AND a.state = $3 AND a.changed_at < $4
   FOR UPDATE;

-- name: move_application
-- $1 application uuid, $2 state smallint, $3 office uuid, $4 changed_at timestamptz, $5 submitted_at timestamptz
UPDATE application SET state = $2, office = $3, changed_at = $4, submitted_at = $5 WHERE id = $1;

-- name: set_form
-- $1 application uuid, $2 form bytea, $3 field_key_id smallint
UPDATE application SET form = $2, field_key_id = $3 WHERE id = $1;

-- name: insert_step
-- $1 application uuid, $2 move smallint, $3 state smallint, $4 by uuid, $5 at timestamptz, $6 note bytea,
-- $7 field_key_id smallint, $8 act_kind text, $9 act_digest text
INSERT INTO application_step (application, n, move, state, by, at, note, field_key_id, act_kind, act_digest)
SELECT $1, (SELECT coalesce(max(s.n), 0) + 1 FROM application_step s WHERE s.application = $1), $2, $3, $4, $5, $6, $7,
       $8, $9;

-- name: steps
-- $1 application uuid
SELECT s.move, s.state, s.by, s.at, s.note, s.act_kind, s.act_digest
  FROM application_step s
 WHERE s.application = $1
 ORDER BY s.n;

-- name: nearest_office
-- Who takes applications of a kind in the nearest of these regions; of several banks the one that is named.
-- $1 kind smallint, $2 regions integer[], $3 office uuid
SELECT o.office
  FROM unnest($2::integer[]) WITH ORDINALITY r(region, far)
  JOIN application_office o ON o.kind = $1 AND o.region = r.region AND o.closed_at IS NULL
 WHERE $3::uuid IS NULL OR o.office = $3
 ORDER BY r.far
 LIMIT 1;

-- name: offices
-- $1 kind smallint
SELECT o.kind, o.region, o.office, o.opened_at
  FROM application_office o
 WHERE o.closed_at IS NULL AND ($1::smallint IS NULL OR o.kind = $1)
 ORDER BY o.kind, o.region, o.office;

-- name: open_office
-- Nothing comes back if it is open, or another agency is. $1 kind smallint, $2 region integer, $3 office uuid,
-- $4 opened_by uuid, $5 opened_at timestamptz
INSERT INTO application_office (kind, region, office, opened_by, opened_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING office;

-- name: close_office
-- $1 kind smallint, $2 region integer, $3 office uuid, $4 closed_by uuid, $5 closed_at timestamptz
UPDATE application_office SET closed_by = $4, closed_at = $5
 WHERE kind = $1 AND region = $2 AND office = $3 AND closed_at IS NULL
RETURNING office;
