-- name: count_activation
-- Count a day, unless it is counted. A card is activated once a channel has issued it, or once it can pay: the cards of
-- a sandbox have no issue. Status 4 is cancelled. $1 business date date, $2 now timestamptz
WITH claimed AS (
    INSERT INTO activation_day (business_date, counted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING business_date
)
INSERT INTO activation (business_date, region, holders, activated, level_2)
SELECT $1, c.region / 100 * 100, count(*),
       count(*) FILTER (WHERE y.issue_level = 2 OR s.card IS NOT NULL),
       count(*) FILTER (WHERE y.issue_level = 2)
  FROM card c
  JOIN payer y ON y.id = c.id
  LEFT JOIN (SELECT DISTINCT x.card FROM card_sign x WHERE x.unlinked_at IS NULL AND x.valid_until > $2) s ON s.card = c.id
 WHERE (SELECT business_date FROM claimed) IS NOT NULL AND c.ended_at IS NULL AND y.status <> 4
 GROUP BY c.region / 100 * 100;

-- name: last_counted
-- The newest day that is counted, up to one. $1 until date
SELECT d.business_date FROM activation_day d WHERE d.business_date <= $1 ORDER BY d.business_date DESC LIMIT 1;

-- name: activation_of_day
-- $1 business date date, $2 lowest region integer, $3 highest region integer
SELECT a.business_date, a.region, a.holders, a.activated, a.level_2
  FROM activation a
 WHERE a.business_date = $1 AND a.region BETWEEN $2 AND $3
 ORDER BY a.region;

-- name: activation_history
-- Day by day what a region adds up to, newest first. $1 lowest region integer, $2 highest region integer,
-- $3 before date, $4 count bigint
SELECT d.business_date, coalesce(sum(a.holders), 0)::bigint AS holders, coalesce(sum(a.activated), 0)::bigint AS activated,
       coalesce(sum(a.level_2), 0)::bigint AS level_2
  FROM (SELECT x.business_date FROM activation_day x WHERE x.business_date < $3
         ORDER BY x.business_date DESC LIMIT $4) d
  LEFT JOIN activation a ON a.business_date = d.business_date AND a.region BETWEEN $1 AND $2
 GROUP BY d.business_date
 ORDER BY d.business_date DESC;
