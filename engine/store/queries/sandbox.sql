-- name: has_city
-- Whether the participants and cards were loaded: one transaction, so all or none.
SELECT EXISTS (SELECT FROM merchant);

-- name: opened_accounts
-- How many balances were brought in. $1 caller uuid, $2 operation smallint
SELECT count(*) FROM answer WHERE caller = $1 AND operation = $2;
