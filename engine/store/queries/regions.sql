-- name: switches
SELECT region, scenario, is_on, operator, at, reason FROM scenario_switch ORDER BY region, scenario;

-- name: set_switch
-- $1 region integer, $2 scenario smallint, $3 is on bool, $4 operator uuid, $5 at timestamptz, $6 reason text
INSERT INTO scenario_switch AS s (region, scenario, is_on, operator, at, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (region, scenario) DO UPDATE
   SET is_on = excluded.is_on, operator = excluded.operator, at = excluded.at, reason = excluded.reason;

-- name: drop_exceptions
-- What was on inside of a region that is now off. $1 scenario smallint, $2 region integer, $3 lowest region integer,
-- $4 highest region integer
DELETE FROM scenario_switch WHERE scenario = $1 AND is_on AND region BETWEEN $3 AND $4 AND region <> $2;
