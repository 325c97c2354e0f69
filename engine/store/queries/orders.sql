-- name: hold_pay_orders
-- S3 of a batch that pays orders: how many of them are as they were read. Unless all are, the batch runs again: the
-- merchant has shown another version meanwhile; from here on nobody can until the batch ends. Given in id order, and
-- locked in it. $1 orders pay_order_read[]
SELECT count(*) AS orders
  FROM unnest($1::pay_order_read[]) v,
       LATERAL (SELECT x.amount, x.expires_at FROM pay_order x WHERE x.id = v.id FOR NO KEY UPDATE) o
 WHERE o.amount = v.amount AND o.expires_at = v.expires_at;

-- name: merchant_of_order
-- $1 merchant uuid, $2 terminal_id text
SELECT m.id, m.code, m.region, m.is_suspended, m.scenarios, m.name_zh, m.name_en,
       EXISTS (SELECT 1 FROM terminal t WHERE t.merchant = m.id AND t.terminal_id = $2) AS has_terminal
  FROM merchant m
 WHERE m.id = $1;

-- name: insert_order
-- Nothing comes back if the merchant's number has an order already.
-- $1 id uuid, $2 merchant uuid, $3 order_no text, $4 token uuid, $5 version integer, $6 amount bigint,
-- $7 scenario smallint, $8 terminal_id text, $9 description text, $10 items bytea, $11 return_url text,
-- $12 lives_s integer, $13 expires_at timestamptz, $14 created_at timestamptz, $15 bill_no text, $16 bill bytea
INSERT INTO pay_order (id, merchant, order_no, token, version, amount, scenario, terminal_id, description, items,
                       return_url, lives_s, expires_at, created_at, bill_no, bill)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (merchant, order_no) DO NOTHING
RETURNING id;

-- name: lock_order
-- Against a lane that pays it, and against another version. $1 merchant uuid, $2 order_no text
SELECT * FROM pay_order WHERE merchant = $1 AND order_no = $2 FOR NO KEY UPDATE;

-- name: replace_order
-- $1 id uuid, $2 version integer, $3 amount bigint, $4 scenario smallint, $5 terminal_id text, $6 description text,
-- $7 items bytea, $8 return_url text, $9 lives_s integer, $10 expires_at timestamptz, $11 created_at timestamptz,
-- $12 bill_no text, $13 bill bytea
UPDATE pay_order
   SET version = $2, amount = $3, scenario = $4, terminal_id = $5, description = $6, items = $7, return_url = $8,
       lives_s = $9, expires_at = $10, created_at = $11, bill_no = $12, bill = $13
 WHERE id = $1
RETURNING id;

-- name: bill_of_number
-- $1 bill_no text
SELECT bill_no, agency, card, amount, deadline, state, payment FROM bill WHERE bill_no = $1;

-- name: claim_of_number
-- $1 merchant uuid, $2 order_no text
SELECT r.payment, p.state, p.expires_at AS held_until
  FROM order_ref r LEFT JOIN payment p ON p.id = r.payment
 WHERE r.merchant = $1 AND r.order_no = $2;

-- name: order_of_merchant
-- $1 id uuid, $2 merchant uuid
SELECT o.*, r.merchant IS NOT NULL AS is_claimed, r.payment, p.state, p.expires_at AS held_until
  FROM pay_order o
  LEFT JOIN order_ref r ON r.merchant = o.merchant AND r.order_no = o.order_no
  LEFT JOIN payment p ON p.id = r.payment
 WHERE o.id = $1 AND o.merchant = $2;

-- name: order_of_token
-- $1 token uuid
SELECT o.*, r.merchant IS NOT NULL AS is_claimed, r.payment, p.state, p.expires_at AS held_until
  FROM pay_order o
  LEFT JOIN order_ref r ON r.merchant = o.merchant AND r.order_no = o.order_no
  LEFT JOIN payment p ON p.id = r.payment
 WHERE o.token = $1;

-- name: orders_of_merchant
-- Newest first, below a cursor; the number may be null. $1 merchant uuid, $2 before uuid, $3 order_no text, $4 count bigint
SELECT o.*, r.merchant IS NOT NULL AS is_claimed, r.payment, p.state, p.expires_at AS held_until
  FROM pay_order o
  LEFT JOIN order_ref r ON r.merchant = o.merchant AND r.order_no = o.order_no
  LEFT JOIN payment p ON p.id = r.payment
 WHERE o.merchant = $1 AND ($2::uuid IS NULL OR o.id < $2) AND ($3::text IS NULL OR o.order_no = $3)
 ORDER BY o.id DESC
 LIMIT $4;

-- name: settled_payments
-- Which of these are in one of the states. $1 ids uuid[], $2 states smallint[]
SELECT p.id
  FROM unnest($1::uuid[]) k(id),
       LATERAL (SELECT x.id, x.state FROM payment x WHERE x.id = k.id LIMIT 1) p
 WHERE p.state = ANY ($2);

-- name: closed_orders
-- Which of these nobody can pay any more: their time is over, or their number is claimed by what is not in one of the
-- undecided states. $1 ids uuid[], $2 now timestamptz, $3 undecided smallint[]
SELECT o.id
  FROM unnest($1::uuid[]) k(id),
       LATERAL (SELECT x.id, x.merchant, x.order_no, x.expires_at FROM pay_order x WHERE x.id = k.id LIMIT 1) o
  LEFT JOIN LATERAL (SELECT true AS is_claimed, x.payment FROM order_ref x
                      WHERE x.merchant = o.merchant AND x.order_no = o.order_no LIMIT 1) r ON true
  LEFT JOIN LATERAL (SELECT x.state FROM payment x WHERE x.id = r.payment LIMIT 1) p ON true
 WHERE CASE WHEN r.is_claimed THEN p.state IS NULL OR p.state <> ALL ($3) ELSE o.expires_at <= $2 END;
