-- name: lock_rules
-- Until the end of the transaction nobody else changes rules: what is compared with them stays true. Lanes only read.
SELECT rules_version FROM control FOR UPDATE;

-- name: advance_rules
-- Every batch from now on sees that the rules it keeps are old.
UPDATE control SET rules_version = rules_version + 1 RETURNING rules_version;

-- name: plan_book
-- All plans and the version that they are of, as one snapshot; one row without a plan if there is none.
SELECT c.rules_version, p.body FROM control c LEFT JOIN benefit_plan p ON true ORDER BY p.id;

-- name: insert_plan
-- $1 id text, $2 region integer, $3 insurance smallint, $4 valid_from date, $5 valid_to date, $6 body bytea,
-- $7 now timestamptz
INSERT INTO benefit_plan (id, region, insurance, valid_from, valid_to, body, loaded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: end_plan
-- Decide when a plan ends. $1 id text, $2 valid_to date, $3 body bytea
UPDATE benefit_plan SET valid_to = $2, body = $3 WHERE id = $1;
