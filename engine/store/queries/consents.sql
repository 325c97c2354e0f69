-- name: authorized_records
-- Which of the three authorizations there are and, if all are, a page of what they let see, as of one instant: what is
-- withdrawn before it is seen by it. Always one row at least; without a topic, or of no rows, it is authorizations only.
-- $1 card uuid, $2 region integer, $3 department uuid, $4 channel uuid, $5 scope text, $6 purpose text, $7 today date,
-- $8 topic text, $9 before bigint, $10 count bigint
SELECT a.has_consent, a.has_department, a.has_channel, r.n, r.region, r.content
  FROM (SELECT EXISTS (SELECT FROM consent c
                        WHERE c.card = $1 AND c.channel = $4 AND c.scope = $5 AND c.purpose = $6
                          AND c.department IS NOT DISTINCT FROM $3 AND c.revoked_at IS NULL
                          AND $7 BETWEEN c.valid_from AND c.valid_until) AS has_consent,
               EXISTS (SELECT FROM access_grant g
                        WHERE g.scope = $5 AND g.purpose = $6 AND g.revoked_at IS NULL
                          AND (g.holder = $3 OR ($3 IS NULL AND get_byte(uuid_send(g.holder), 7) = 7))
                          AND $2 BETWEEN g.region AND g.region_last
                          AND $7 BETWEEN g.valid_from AND g.valid_until) AS has_department,
               EXISTS (SELECT FROM access_grant g
                        WHERE g.scope = $5 AND g.purpose = $6 AND g.revoked_at IS NULL AND g.holder = $4
                          AND $2 BETWEEN g.region AND g.region_last
                          AND $7 BETWEEN g.valid_from AND g.valid_until) AS has_channel) a
  LEFT JOIN LATERAL (SELECT r.n, r.region, r.content
                       FROM card k
                       JOIN person p ON p.id = k.person
                       JOIN inquiry_record r ON r.person_index = p.id_number_index
                      WHERE k.id = $1 AND r.topic = $8 AND r.n < $9
                      ORDER BY r.n DESC
                      LIMIT $10) r ON a.has_consent AND a.has_department AND a.has_channel
 ORDER BY r.n DESC;

-- name: is_caller_known
-- $1 id uuid
SELECT EXISTS (SELECT FROM agency a WHERE a.id = $1) OR EXISTS (SELECT FROM caller_key k WHERE k.caller = $1);

-- name: replace_consent
-- What was agreed to before ends with what takes its place, and says how often it was agreed to.
-- $1 id uuid, $2 card uuid, $3 channel uuid, $4 department uuid, $5 scope text, $6 purpose text, $7 now timestamptz
WITH ended AS (
    UPDATE consent SET revoked_at = $7, revoked_by = $1
     WHERE card = $2 AND channel = $3 AND department IS NOT DISTINCT FROM $4 AND scope = $5 AND purpose = $6
       AND revoked_at IS NULL
)
SELECT coalesce(max(c.version), 0) + 1
  FROM consent c
 WHERE c.card = $2 AND c.channel = $3 AND c.department IS NOT DISTINCT FROM $4 AND c.scope = $5 AND c.purpose = $6;

-- name: insert_consent
-- $1 id uuid, $2 card uuid, $3 channel uuid, $4 department uuid, $5 scope text, $6 purpose text, $7 valid_from date,
-- $8 valid_until date, $9 version integer, $10 evidence_kind text, $11 evidence_digest text, $12 given_at timestamptz
INSERT INTO consent (id, card, channel, department, scope, purpose, valid_from, valid_until, version, evidence_kind,
                     evidence_digest, given_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: consent
-- $1 id uuid
SELECT c.id, c.card, c.channel, c.department, c.scope, c.purpose, c.valid_from, c.valid_until, c.version, c.evidence_kind,
       c.evidence_digest, c.given_at, c.revoked_at, c.revoked_by
  FROM consent c
 WHERE c.id = $1;

-- name: consents_of_card
-- A channel's own, or with null everybody's. $1 card uuid, $2 channel uuid, $3 before uuid, $4 count bigint
SELECT c.id, c.card, c.channel, c.department, c.scope, c.purpose, c.valid_from, c.valid_until, c.version, c.evidence_kind,
       c.evidence_digest, c.given_at, c.revoked_at, c.revoked_by
  FROM consent c
 WHERE c.card = $1 AND ($2::uuid IS NULL OR c.channel = $2) AND ($3::uuid IS NULL OR c.id < $3)
 ORDER BY c.id DESC
 LIMIT $4;

-- name: revoke_consent
-- $1 id uuid, $2 by uuid, $3 now timestamptz
UPDATE consent SET revoked_at = $3, revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL;

-- name: next_grant_version
-- $1 holder uuid, $2 scope text, $3 purpose text, $4 region integer
SELECT coalesce(max(g.version), 0) + 1
  FROM access_grant g
 WHERE g.holder = $1 AND g.scope = $2 AND g.purpose = $3 AND g.region = $4;

-- name: insert_grant
-- $1 id uuid, $2 holder uuid, $3 scope text, $4 purpose text, $5 region integer, $6 region_last integer,
-- $7 valid_from date, $8 valid_until date, $9 version integer, $10 approval text, $11 granted_at timestamptz
INSERT INTO access_grant (id, holder, scope, purpose, region, region_last, valid_from, valid_until, version, approval,
                          granted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: grant
-- $1 id uuid
SELECT g.id, g.holder, g.scope, g.purpose, g.region, g.valid_from, g.valid_until, g.version, g.approval, g.granted_at,
       g.revoked_at, g.revoked_by, g.revoked_reason
  FROM access_grant g
 WHERE g.id = $1;

-- name: grants
-- $1 lowest region integer, $2 highest region integer, $3 holder uuid, $4 scope text, $5 before uuid, $6 count bigint
SELECT g.id, g.holder, g.scope, g.purpose, g.region, g.valid_from, g.valid_until, g.version, g.approval, g.granted_at,
       g.revoked_at, g.revoked_by, g.revoked_reason
  FROM access_grant g
 WHERE g.region BETWEEN $1 AND $2
   AND ($3::uuid IS NULL OR g.holder = $3)
   AND ($4::text IS NULL OR g.scope = $4)
   AND ($5::uuid IS NULL OR g.id < $5)
 ORDER BY g.id DESC
 LIMIT $6;

-- name: revoke_grant
-- $1 id uuid, $2 by uuid, $3 reason text, $4 now timestamptz
UPDATE access_grant SET revoked_at = $4, revoked_by = $2, revoked_reason = $3 WHERE id = $1 AND revoked_at IS NULL;
