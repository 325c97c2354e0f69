-- name: hold_subject
-- Whoever tries the same ID number waits until this transaction ends, so that a hundred at once are counted one by one.
-- $1 subject bytea
SELECT pg_advisory_xact_lock(hashtextextended('verification' || encode($1::bytea, 'hex'), 0));

-- name: failures
-- $1 subject bytea, $2 caller uuid, $3 since timestamptz
SELECT (SELECT count(*) FROM verification v WHERE v.subject = $1 AND NOT v.is_match AND v.at > $3) AS of_subject,
       (SELECT count(*) FROM verification v WHERE v.caller = $2 AND NOT v.is_match AND v.at > $3) AS of_caller;

-- name: insert_verification
-- $1 id uuid, $2 caller uuid, $3 subject bytea, $4 factors smallint, $5 is_match bool, $6 request_no text,
-- $7 purpose text, $8 at timestamptz
INSERT INTO verification (id, caller, subject, factors, is_match, request_no, purpose, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
