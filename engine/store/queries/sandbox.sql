-- name: has_city
-- Whether the participants and cards were loaded: one transaction, so all or none.
SELECT EXISTS (SELECT FROM merchant);

-- name: is_older_city
-- Whether there is a city whose cards never had a password.
SELECT EXISTS (SELECT FROM payer) AND NOT EXISTS (SELECT FROM payer WHERE password_version > 0);

-- name: opened_accounts
-- How many balances were brought in. $1 caller uuid, $2 operation smallint
SELECT count(*) FROM answer WHERE caller = $1 AND operation = $2;

-- name: business_date
SELECT business_date FROM control;
