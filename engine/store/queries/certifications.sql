-- name: insert_beneficiary
-- Nothing if the benefit is registered. $1 id uuid, $2 card uuid, $3 benefit_code text, $4 agency uuid, $5 region integer,
-- $6 cycle_months smallint, $7 due_on date, $8 last_certified_on date, $9 registered_at timestamptz
INSERT INTO beneficiary (id, card, benefit_code, agency, region, cycle_months, due_on, last_certified_on, is_restored,
                         registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9)
ON CONFLICT DO NOTHING
RETURNING true;

-- name: beneficiary
-- $1 beneficiary uuid
SELECT b.id, b.card, b.benefit_code, b.agency, b.region, b.cycle_months, b.due_on, b.last_certified_on, b.is_restored,
       b.registered_at,
       (SELECT c.is_pending FROM certification c WHERE c.beneficiary = b.id ORDER BY c.n DESC LIMIT 1) AS is_pending
  FROM beneficiary b
 WHERE b.id = $1;

-- name: beneficiaries
-- Newest first; what is null does not matter. Of a card: of its person, whichever card the benefit was registered with.
-- $1 agency uuid, $2 card uuid, $3 lowest region integer,
-- $4 highest region integer, $5 before uuid, $6 count bigint, $7 due_from date, $8 due_until date,
-- $9 was_certified bool, $10 is_restored bool
SELECT b.id, b.card, b.benefit_code, b.agency, b.region, b.cycle_months, b.due_on, b.last_certified_on, b.is_restored,
       b.registered_at,
       (SELECT c.is_pending FROM certification c WHERE c.beneficiary = b.id ORDER BY c.n DESC LIMIT 1) AS is_pending
  FROM beneficiary b
 WHERE ($1::uuid IS NULL OR b.agency = $1)
   AND ($2::uuid IS NULL
        OR b.card = ANY (ARRAY(SELECT o.id FROM card c JOIN card o ON o.person = c.person WHERE c.id = $2) || $2))
   AND b.region BETWEEN $3 AND $4
   AND ($5::uuid IS NULL OR b.id < $5)
   AND ($7::date IS NULL OR b.due_on BETWEEN $7 AND $8)
   AND ($9::boolean IS NULL OR (b.last_certified_on IS NOT NULL) = $9)
   AND ($10::boolean IS NULL OR b.is_restored = $10)
 ORDER BY b.id DESC
 LIMIT $6;

-- name: hold_beneficiaries
-- Of the persons of these cards or of these ids, so that each is certified by one at a time: a benefit stays the
-- person's when the card that it was registered with has ended. $1 cards uuid[], $2 ids uuid[]
SELECT b.id, b.card, b.benefit_code, b.agency, b.region, b.cycle_months, b.due_on, b.last_certified_on, b.is_restored,
       b.registered_at, false AS is_pending
  FROM beneficiary b
 WHERE b.card = ANY (ARRAY(SELECT o.id FROM card c JOIN card o ON o.person = c.person WHERE c.id = ANY ($1)) || $1::uuid[])
    OR b.id = ANY ($2::uuid[])
 ORDER BY b.id
   FOR NO KEY UPDATE;

-- name: certify_beneficiary
-- $1 beneficiary uuid, $2 due_on date, $3 last_certified_on date, $4 is_restored bool
UPDATE beneficiary SET due_on = $2, last_certified_on = $3, is_restored = $4 WHERE id = $1;

-- name: insert_certification
-- $1 beneficiary uuid, $2 method smallint, $3 is_pending bool, $4 certified_on date, $5 certified_by uuid,
-- $6 evidence text, $7 at timestamptz
INSERT INTO certification (beneficiary, n, method, is_pending, certified_on, certified_by, evidence, at)
SELECT $1, (SELECT coalesce(max(c.n), 0) + 1 FROM certification c WHERE c.beneficiary = $1), $2, $3, $4, $5, $6, $7;

-- name: certifications
-- Newest first. $1 beneficiary uuid, $2 count bigint
SELECT c.n, c.method, c.is_pending, c.certified_on, c.certified_by, c.evidence, c.at
  FROM certification c
 WHERE c.beneficiary = $1
 ORDER BY c.n DESC
 LIMIT $2;

-- name: due_of_payouts
-- What the register says of the payees of lines: of the card that is named or, if it knows nothing of that one, of another
-- that the person has or had, lest a new card pay what an old one holds. $1 cards uuid[], $2 benefit_codes text[]
SELECT i.card, i.benefit_code, b.cycle_months, b.due_on, b.last_certified_on, b.is_restored
  FROM unnest($1::uuid[], $2::text[]) i(card, benefit_code),
       LATERAL (SELECT x.*
                  FROM beneficiary x
                 WHERE x.card = ANY (ARRAY(SELECT o.id FROM card c JOIN card o ON o.person = c.person WHERE c.id = i.card)
                                     || i.card)
                   AND x.benefit_code = i.benefit_code
                 ORDER BY x.card = i.card DESC, x.due_on DESC
                 LIMIT 1) b;
