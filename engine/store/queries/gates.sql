-- name: closed_scenarios
-- $1 card uuid
SELECT blocked_scenarios FROM payer WHERE id = $1;

-- name: lock_terminal
-- Nothing comes back if there is no such terminal. $1 merchant uuid, $2 terminal text
SELECT 1 FROM terminal WHERE merchant = $1 AND terminal_id = $2 FOR UPDATE;

-- name: retire_terminal_key
-- The key in use, unless it is the one that is wanted. $1 merchant uuid, $2 terminal text, $3 wanted bytea,
-- $4 now timestamptz
UPDATE terminal_key
   SET retired_at = greatest($4, valid_from)
 WHERE merchant = $1 AND terminal_id = $2 AND retired_at IS NULL AND public_key IS DISTINCT FROM $3;

-- name: insert_terminal_key
-- Nothing happens if a key is in use: it is this one. $1 merchant uuid, $2 terminal text, $3 public_key bytea,
-- $4 now timestamptz
INSERT INTO terminal_key (merchant, terminal_id, public_key, valid_from) VALUES ($1, $2, $3, $4)
ON CONFLICT (merchant, terminal_id) WHERE retired_at IS NULL DO NOTHING;

-- name: begin_gate_progress
-- $1 merchant uuid, $2 terminal text
INSERT INTO gate_progress (merchant, terminal_id, last_sequence) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING;

-- name: gates
-- Those of these terminals that have ever had a key, a row a key. $1 merchant uuid, $2 terminals text[]
SELECT k.terminal_id, k.public_key, k.valid_from, k.retired_at, g.last_sequence
  FROM terminal_key k JOIN gate_progress g USING (merchant, terminal_id)
 WHERE k.merchant = $1 AND k.terminal_id = ANY ($2)
 ORDER BY k.terminal_id, k.id;

-- name: claim_sequences
-- Each terminal's span of numbers counts as come in if it leaves no gap and has something new, and the terminal comes
-- back with it. Locked in one order, so that two uploads cannot deadlock.
-- $1 merchant uuid, $2 terminals text[], $3 first numbers bigint[], $4 last numbers bigint[]
WITH span AS (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS s (terminal_id, first, last)
), locked AS MATERIALIZED (
    SELECT g.terminal_id
      FROM gate_progress g
     WHERE g.merchant = $1 AND g.terminal_id = ANY ($2)
     ORDER BY g.terminal_id
       FOR UPDATE
)
UPDATE gate_progress g
   SET last_sequence = s.last
  FROM span s JOIN locked USING (terminal_id)
 WHERE g.merchant = $1 AND g.terminal_id = s.terminal_id
   AND s.first <= g.last_sequence + 1 AND s.last > g.last_sequence
RETURNING g.terminal_id;
