-- name: platform_of_region
-- $1 region integer
SELECT p.id, p.region, p.name, p.state, p.declared_cards, p.declared_balance, p.prepared_by, p.prepared_at, p.sha256,
       p.opening_on, p.proven_at, p.switched_on_at
  FROM local_platform p
 WHERE p.region = $1;

-- name: lock_platform
-- $1 region integer
SELECT p.id, p.region, p.name, p.state, p.declared_cards, p.declared_balance, p.prepared_by, p.prepared_at, p.sha256,
       p.opening_on, p.proven_at, p.switched_on_at
  FROM local_platform p
 WHERE p.region = $1
   FOR UPDATE;

-- name: platforms_of_state
-- $1 state smallint
SELECT p.id, p.region, p.name, p.state, p.declared_cards, p.declared_balance, p.prepared_by, p.prepared_at, p.sha256,
       p.opening_on, p.proven_at, p.switched_on_at
  FROM local_platform p
 WHERE p.state = $1
 ORDER BY p.region;

-- name: is_moving
-- Whether a region is, or lies in, one whose local platform is not switched on yet. $1 regions above integer[]
SELECT EXISTS (SELECT FROM local_platform p WHERE p.region = ANY ($1) AND p.switched_on_at IS NULL);

-- name: declare_platform
-- $1 id uuid, $2 region integer, $3 name text, $4 state smallint, $5 cards bigint, $6 balance bigint, $7 operator uuid,
-- $8 now timestamptz
INSERT INTO local_platform AS p
       (id, region, name, state, declared_cards, declared_balance, prepared_by, prepared_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (region) DO UPDATE
   SET name = excluded.name, declared_cards = excluded.declared_cards, declared_balance = excluded.declared_balance;

-- name: take_balances
-- $1 platform uuid, $2 state smallint, $3 sha256 bytea
UPDATE local_platform SET state = $2, sha256 = $3 WHERE id = $1;

-- name: drop_balances
-- $1 platform uuid
DELETE FROM local_balance WHERE platform = $1;

-- name: insert_balances
-- Returns the lines whose card no earlier line has named. $1 platform uuid, $2 number indexes bytea[], $3 lines integer[],
-- $4 amounts bigint[]
INSERT INTO local_balance (platform, number_index, line, amount)
SELECT $1, i.number_index, i.line, i.amount
  FROM unnest($2::bytea[], $3::integer[], $4::bigint[]) WITH ORDINALITY AS i(number_index, line, amount, n)
 ORDER BY i.n
ON CONFLICT DO NOTHING
RETURNING line;

-- name: analyze_balances
-- A file of a million lines is asked about as soon as it is here, before the database would look at it by itself.
ANALYZE local_balance;

-- name: allow_minutes
-- A city has millions of cards: comparing them takes longer than a read may, until the transaction ends.
SELECT set_config('statement_timeout', '300000', true);

-- name: found
-- What is silent is counted, not looked for: a line has one card. $1 platform uuid, $2 lowest region integer, $3 highest region integer
WITH line AS (
    SELECT b.amount, c.id AS card
      FROM local_balance b
      LEFT JOIN physical_card f ON f.number_index = b.number_index
      LEFT JOIN card c ON c.id = f.card AND c.ended_at IS NULL AND c.region BETWEEN $2 AND $3
     WHERE b.platform = $1
)
SELECT r.cards, l.lines, l.balance, l.strangers, r.cards - l.known AS silent
  FROM (SELECT count(*) AS cards FROM card c WHERE c.ended_at IS NULL AND c.region BETWEEN $2 AND $3) r,
       (SELECT count(*) AS lines, coalesce(sum(x.amount), 0)::bigint AS balance,
               count(*) FILTER (WHERE x.card IS NULL) AS strangers, count(DISTINCT x.card) AS known
          FROM line x) l;

-- name: differences
-- In what lines and register differ: kind 1, a line whose card is not there; kind 2, a card that no line names.
-- $1 platform uuid, $2 lowest region integer, $3 highest region integer, $4 after kind integer, $5 after place text,
-- $6 count bigint
SELECT d.kind, d.place, d.line, d.card, d.amount, d.posted
  FROM (SELECT 1 AS kind, lpad(b.line::text, 9, '0') AS place, b.line, NULL::uuid AS card, b.amount, NULL::bigint AS posted
          FROM local_balance b
         WHERE b.platform = $1
           AND (SELECT true FROM physical_card f JOIN card c ON c.id = f.card
                 WHERE f.number_index = b.number_index AND c.ended_at IS NULL AND c.region BETWEEN $2 AND $3 LIMIT 1) IS NULL
        UNION ALL
        SELECT 2, c.id::text, NULL, c.id, NULL, NULL
          FROM card c
         WHERE c.ended_at IS NULL AND c.region BETWEEN $2 AND $3
           AND (SELECT true FROM physical_card f JOIN local_balance b ON b.number_index = f.number_index
                 WHERE b.platform = $1 AND f.card = c.id LIMIT 1) IS NULL) d
 WHERE (d.kind, d.place COLLATE "C") > ($4, $5)
 ORDER BY d.kind, d.place COLLATE "C"
 LIMIT $6;

-- name: posting_differences
-- Lines of which the journal has another amount: kind 3. $1 platform uuid, $2 opening on date, $3 posting kind smallint,
-- $4 opening account uuid, $5 after kind integer, $6 after place text, $7 count bigint
WITH posted AS (
    SELECT p.payment AS card, sum(p.amount)::bigint AS amount
      FROM posting p
     WHERE p.business_date >= $2 AND p.kind = $3 AND p.debit = $4
     GROUP BY p.payment
)
SELECT d.kind, d.place, d.line, d.card, d.amount, d.posted
  FROM (SELECT 3 AS kind, lpad(b.line::text, 9, '0') AS place, b.line, f.card, b.amount,
               coalesce(p.amount, 0) AS posted
          FROM local_balance b
          JOIN physical_card f ON f.number_index = b.number_index
          LEFT JOIN posted p ON p.card = f.card
         WHERE b.platform = $1 AND b.amount <> coalesce(p.amount, 0)) d
 WHERE (d.kind, d.place COLLATE "C") > ($5, $6)
 ORDER BY d.place COLLATE "C"
 LIMIT $7;

-- name: opened
-- $1 platform uuid, $2 opening on date, $3 posting kind smallint, $4 opening account uuid
WITH posted AS (
    SELECT p.payment AS card, sum(p.amount)::bigint AS amount
      FROM posting p
     WHERE p.business_date >= $2 AND p.kind = $3 AND p.debit = $4
     GROUP BY p.payment
)
SELECT count(*) AS lines, coalesce(sum(p.amount), 0)::bigint AS balance,
       count(*) FILTER (WHERE b.amount <> coalesce(p.amount, 0)) AS different
  FROM local_balance b
  JOIN physical_card f ON f.number_index = b.number_index
  LEFT JOIN posted p ON p.card = f.card
 WHERE b.platform = $1;

-- name: begin_openings
-- Everything that is posted for it has this business date or a later one. $1 platform uuid, $2 state smallint
UPDATE local_platform SET state = $2, opening_on = (SELECT c.business_date FROM control c) WHERE id = $1;

-- name: lines_to_open
-- $1 platform uuid, $2 after bytea, $3 count bigint
SELECT b.number_index, f.card, b.amount
  FROM local_balance b
  JOIN physical_card f ON f.number_index = b.number_index
 WHERE b.platform = $1 AND b.number_index > $2 AND NOT b.is_opened
 ORDER BY b.number_index
 LIMIT $3;

-- name: mark_opened
-- $1 platform uuid, $2 number indexes bytea[]
UPDATE local_balance SET is_opened = true WHERE platform = $1 AND number_index = ANY ($2::bytea[]);

-- name: mark_proven
-- $1 platform uuid, $2 state smallint, $3 now timestamptz
UPDATE local_platform SET state = $2, proven_at = $3 WHERE id = $1 AND proven_at IS NULL;

-- name: mark_switched_on
-- $1 platform uuid, $2 state smallint, $3 now timestamptz
UPDATE local_platform SET state = $2, switched_on_at = $3 WHERE id = $1;

-- name: drop_switches
-- What the preparation has switched off and nobody since. $1 region integer, $2 operator uuid, $3 at timestamptz
DELETE FROM scenario_switch WHERE region = $1 AND operator = $2 AND at = $3 AND NOT is_on;
