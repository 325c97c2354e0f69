-- name: same_columns
-- The yardstick, for COPY: what the lines of the open cycle's files are made of, in one statement, in any order.
SELECT p.seq, p.n, p.payment, p.debit, p.credit, p.amount, y.order_no, y.payer, b.at
  FROM control c
  JOIN posting p ON p.business_date = c.business_date AND p.cycle = c.cycle
  JOIN payment y ON y.id = p.payment
  JOIN batch b ON b.lane = p.lane AND b.seq = p.seq
 WHERE p.phase = :phase_post AND p.kind = ANY (ARRAY[:kind_pay, :kind_refund])

-- name: forget_clearing
TRUNCATE clearing_run, clearing_route, net_position, clearing_file, clearing_chunk, seal;

-- name: reopen_cycle
-- $1 business_date date, $2 cycle bigint, $3 cutoff_at timestamptz
UPDATE control SET business_date = $1, cycle = $2, cutoff_at = $3, published_cycle = 0;

-- name: bring_cutoff_forward
-- The open cycle is due to be closed, by business time that nobody has moved on.
UPDATE control SET cutoff_at = clock_timestamp() RETURNING cycle;

-- name: published_cycle
SELECT published_cycle FROM control;
