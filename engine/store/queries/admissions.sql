-- name: hold_presenter
-- Whose phone it is; nothing changes about card and phone until the transaction ends. A lane that needs the payer's row
-- takes up other commands meanwhile. $1 device_no bigint
SELECT d.card, d.is_revoked, y.status, r.registered_by
  FROM device d
  JOIN payer y ON y.id = d.card
  LEFT JOIN card_device r ON r.device_no = d.device_no
 WHERE d.device_no = $1
   FOR UPDATE OF y FOR SHARE OF d;

-- name: hold_payer
-- $1 card uuid
SELECT y.status FROM payer y WHERE y.id = $1 FOR UPDATE;

-- name: use_code
-- The unique key that payments use as well: a code is good for one of them. $1 step bigint, $2 device bigint,
-- $3 refresh smallint
INSERT INTO code_use (step, device, refresh) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true;

-- name: insert_admission
-- $1 id uuid, $2 caller uuid, $3 card uuid, $4 scenario text, $5 terminal_id text, $6 purpose text, $7 is_by_code bool,
-- $8 has_face bool, $9 entitlement smallint, $10 at timestamptz
INSERT INTO admission (id, caller, card, scenario, terminal_id, purpose, is_by_code, has_face, entitlement, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: place
-- Where a merchant lets people in, and what for; nothing if it is not registered. $1 merchant uuid, $2 terminal_id text
SELECT m.region, m.is_suspended, m.scenarios,
       EXISTS (SELECT FROM terminal t WHERE t.merchant = m.id AND t.terminal_id = $2) AS has_terminal
  FROM merchant m
 WHERE m.id = $1;
