-- name: agency
-- $1 agency uuid
SELECT id, region, item FROM agency WHERE id = $1;

-- name: has_card
-- $1 card uuid
SELECT EXISTS (SELECT 1 FROM payer y WHERE y.id = $1);

-- name: insert_bill
-- Nothing comes back if the number was used before, by whomever.
-- $1 bill_no text, $2 id uuid, $3 agency uuid, $4 item smallint, $5 card uuid, $6 amount bigint, $7 deadline timestamptz,
-- $8 description text, $9 created_at timestamptz, $10 state smallint
INSERT INTO bill (bill_no, id, agency, item, card, amount, deadline, description, created_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
RETURNING bill_no;

-- name: withdraw_bill
-- Only while nobody has paid. $1 bill_no text, $2 agency uuid, $3 withdrawn smallint, $4 billed smallint
UPDATE bill SET state = $3 WHERE bill_no = $1 AND agency = $2 AND state = $4 RETURNING bill_no;

-- name: bill_of_agency
-- $1 bill_no text, $2 agency uuid
SELECT b.*, coalesce((SELECT r.settled_at IS NOT NULL
                        FROM payment p JOIN clearing_run r ON r.cycle = p.cycle
                       WHERE p.id = b.payment), false) AS is_settled
  FROM bill b
 WHERE b.bill_no = $1 AND b.agency = $2;

-- name: bills_of_agency
-- Newest first, below a cursor. $1 agency uuid, $2 before uuid, $3 count bigint
SELECT b.*, coalesce((SELECT r.settled_at IS NOT NULL
                        FROM payment p JOIN clearing_run r ON r.cycle = p.cycle
                       WHERE p.id = b.payment), false) AS is_settled
  FROM bill b
 WHERE b.agency = $1 AND ($2::uuid IS NULL OR b.id < $2)
 ORDER BY b.id DESC
 LIMIT $3;
