-- name: payment
-- $1 payment uuid
SELECT * FROM payment WHERE id = $1;

-- name: events
-- The first ones. $1 payment uuid, $2 count bigint
SELECT e.business_date, e.lane, e.seq, e.n, e.kind, e.at, e.body
  FROM event e
 WHERE e.payment = $1
 ORDER BY e.at, e.lane, e.seq, e.n
 LIMIT $2;

-- name: postings
-- What some events of a payment have posted about it.
-- $1 payment uuid, $2 dates date[], $3 lanes smallint[], $4 seqs bigint[], $5 n smallint[]
SELECT p.business_date, p.lane, p.seq, p.n, p.event, p.cycle, p.phase, p.kind, p.debit, p.credit, p.amount
  FROM unnest($2::date[], $3::smallint[], $4::bigint[], $5::smallint[]) e(business_date, lane, seq, n),
       LATERAL (SELECT x.* FROM posting x
                 WHERE x.business_date = e.business_date AND x.lane = e.lane AND x.seq = e.seq
                   AND x.event = e.n AND x.payment = $1
                OFFSET 0) p
 ORDER BY p.cycle, p.lane, p.seq, p.n;

-- name: runs
-- Closed cycles, and what the settlement bank calls their settlement. $1 cycles bigint[]
SELECT r.cycle, r.closed_at, r.published_at, r.settlement_date, r.settled_at, s.reference
  FROM clearing_run r
  LEFT JOIN LATERAL (SELECT x.reference FROM settlement x
                      WHERE x.cycle = r.cycle AND x.outcome = 'confirmed' LIMIT 1) s ON true
 WHERE r.cycle = ANY ($1::bigint[]);

-- name: routes
-- $1 cycles bigint[], $2 accounts uuid[]
SELECT cycle, account, bank FROM clearing_route WHERE cycle = ANY ($1::bigint[]) AND account = ANY ($2::uuid[]);

-- name: bank_numbers
-- $1 banks uuid[]
SELECT id, cnaps FROM bank WHERE id = ANY ($1::uuid[]);

-- name: files
-- The published files, of all versions and forms, in which a bank got the items of a cycle that it pays or gets: at the
-- end of that cycle, or of a later one of the same day. $1 banks uuid[], $2 cycles bigint[]
SELECT w.bank, w.cycle AS item_cycle, f.name, f.cycle, f.first_cycle, f.kind, f.form, f.version, f.size, f.published_at,
       f.status, t.pulled_at, t.acknowledged_at
  FROM unnest($1::uuid[], $2::bigint[]) w(bank, cycle)
  JOIN LATERAL (SELECT x.* FROM clearing_file x
                 WHERE x.bank = w.bank AND x.cycle BETWEEN w.cycle AND w.cycle / 100 * 100 + 99
                   AND x.first_cycle <= w.cycle AND x.kind IN ('COLLECT', 'CREDIT')
                   AND x.published_at IS NOT NULL
                OFFSET 0) f ON true
  LEFT JOIN file_receipt t ON t.name = f.name
 ORDER BY f.cycle, f.bank, f.kind, f.form, f.version;

-- name: batch_of_line
-- Where the journal has what a file's line tells. $1 payment uuid, $2 at timestamptz, $3 business_date date
SELECT b.cycle, e.lane, e.seq
  FROM event e JOIN batch b ON b.lane = e.lane AND b.seq = e.seq
 WHERE e.payment = $1 AND e.at = $2 AND e.business_date = $3
 ORDER BY e.lane, e.seq
 LIMIT 1;

-- name: dropped
-- $1 cycles bigint[], $2 items text[]
SELECT d.cycle, d.item, d.direction, d.bank, d.amount, d.reason, d.dropped_at
  FROM unnest($1::bigint[], $2::text[]) w(cycle, item)
  JOIN dropped_item d ON d.cycle = w.cycle AND d.item = w.item
 ORDER BY d.dropped_at, d.item, d.direction;

-- name: returns
-- Where a whole file was rejected, the reason is the file's. $1 payment uuid
SELECT r.bank, r.item, r.direction, r.cycle, r.amount, coalesce(nullif(r.reason, ''), b.reason) AS reason,
       r.return_ref, r.file, r.place, b.id AS batch, b.accepted_at
  FROM item_return r JOIN return_batch b ON b.id = r.batch
 WHERE r.payment = $1
 ORDER BY b.accepted_at, r.batch, r.n;
