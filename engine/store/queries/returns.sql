-- name: try_lock
-- $1 lock bigint
SELECT pg_try_advisory_lock($1);

-- name: items_of_payments
-- Cleared postings about some payments or other things, in the order of files, and the flat files of a bank that they
-- are in if an end of them is the bank's. $1 about uuid[], $2 phase smallint, $3 kinds smallint[], $4 bank uuid
SELECT p.payment, p.lane, p.seq, p.n, p.cycle, p.kind, p.debit, p.credit, p.amount,
       coalesce(y.payer, '00000000-0000-0000-0000-000000000000') AS payer, c.name AS collect_file,
       d.name AS credit_file
  FROM event e
  JOIN posting p ON p.business_date = e.business_date AND p.lane = e.lane AND p.seq = e.seq AND p.event = e.n
  LEFT JOIN LATERAL (SELECT x.payer FROM payment x WHERE x.id = p.payment LIMIT 1) y ON true
  LEFT JOIN LATERAL (SELECT f.name FROM clearing_file f
                      WHERE f.bank = $4 AND f.cycle >= p.cycle AND f.first_cycle <= p.cycle AND f.kind = 'COLLECT'
                        AND f.form = 'flat' AND f.published_at IS NOT NULL
                      ORDER BY f.cycle, f.version DESC LIMIT 1) c ON true
  LEFT JOIN LATERAL (SELECT f.name FROM clearing_file f
                      WHERE f.bank = $4 AND f.cycle >= p.cycle AND f.first_cycle <= p.cycle AND f.kind = 'CREDIT'
                        AND f.form = 'flat' AND f.published_at IS NOT NULL
                      ORDER BY f.cycle, f.version DESC LIMIT 1) d ON true
 WHERE e.payment = ANY ($1::uuid[]) AND p.payment = e.payment AND p.phase = $2 AND p.kind = ANY ($3::smallint[])
 ORDER BY p.cycle, p.lane, p.seq, p.n;

-- name: ends_of_lane
-- One page of a lane's cleared postings of a cycle, after a given place.
-- $1 business_date date, $2 lane smallint, $3 after seq bigint, $4 after n smallint, $5 last seq bigint,
-- $6 phase smallint, $7 kinds smallint[], $8 count bigint
SELECT p.payment, p.lane, p.seq, p.n, p.cycle, p.kind, p.debit, p.credit, p.amount,
       coalesce(y.payer, '00000000-0000-0000-0000-000000000000') AS payer
  FROM posting p
  LEFT JOIN LATERAL (SELECT x.payer FROM payment x WHERE x.id = p.payment LIMIT 1) y ON true
 WHERE p.business_date = $1 AND p.lane = $2 AND (p.seq, p.n) > ($3::bigint, $4::smallint) AND p.seq <= $5
   AND p.phase = $6 AND p.kind = ANY ($7::smallint[])
 ORDER BY p.seq, p.n
 LIMIT $8;

-- name: routes_of_cycles
-- $1 cycles bigint[], $2 accounts uuid[]
SELECT cycle, account, bank FROM clearing_route WHERE cycle = ANY ($1::bigint[]) AND account = ANY ($2::uuid[]);

-- name: returned_of_payments
-- $1 about uuid[]
SELECT item, direction FROM item_return WHERE payment = ANY ($1::uuid[]);

-- name: files_of_names
-- A bank's published files. $1 bank uuid, $2 names text[]
SELECT name, kind, first_cycle, cycle FROM clearing_file
 WHERE bank = $1 AND name = ANY ($2::text[]) AND published_at IS NOT NULL;

-- name: file_of_digest
-- $1 bank uuid, $2 sha256 bytea
SELECT name FROM clearing_file WHERE bank = $1 AND sha256 = $2 AND published_at IS NOT NULL LIMIT 1;

-- name: file_to_acknowledge
-- $1 bank uuid, $2 name text
SELECT f.name, f.kind, f.first_cycle, f.cycle, f.item_count, f.debit_total, f.credit_total, g.name AS flat_name
  FROM clearing_file f
  LEFT JOIN LATERAL (SELECT x.name FROM clearing_file x
                      WHERE x.bank = f.bank AND x.cycle = f.cycle AND x.kind = f.kind AND x.form = 'flat'
                        AND x.published_at IS NOT NULL
                      ORDER BY x.version DESC LIMIT 1) g ON true
 WHERE f.bank = $1 AND f.name = $2 AND f.published_at IS NOT NULL;

-- name: acknowledgement_of
-- $1 file text
SELECT status, content, batch, received_at FROM acknowledgement WHERE file = $1;

-- name: insert_acknowledgement
-- $1 file text, $2 bank uuid, $3 batch uuid, $4 status text, $5 content bytea, $6 received_at timestamptz,
-- $7 the file's status text
WITH acknowledged AS (
    INSERT INTO acknowledgement (file, bank, batch, status, content, received_at) VALUES ($1, $2, $3, $4, $5, $6)
)
UPDATE clearing_file SET status = $7 WHERE name = $1;

-- name: insert_batch
-- $1 id uuid, $2 bank uuid, $3 rejected_file text, $4 reason text, $5 accepted_at timestamptz
INSERT INTO return_batch (id, bank, rejected_file, reason, accepted_at) VALUES ($1, $2, $3, $4, $5);

-- name: batch
-- $1 id uuid
SELECT id, bank, rejected_file, reason, accepted_at, done_at FROM return_batch WHERE id = $1;

-- name: open_batches
SELECT id, bank FROM return_batch WHERE done_at IS NULL ORDER BY accepted_at, id;

-- name: finish_batch
-- $1 id uuid, $2 done_at timestamptz
UPDATE return_batch SET done_at = $2 WHERE id = $1 AND done_at IS NULL;

-- name: insert_rejected
-- What was given back before stays as it is.
-- $1 batch uuid, $2 n integer, $3 line integer, $4 bank uuid, $5 item text, $6 direction smallint, $7 payment uuid,
-- $8 cycle bigint, $9 leg text, $10 amount bigint, $11 account uuid, $12 stand_in uuid, $13 file text, $14 seq integer,
-- $15 reason text, $16 return_ref text
INSERT INTO item_return (batch, n, line, bank, item, direction, payment, cycle, leg, amount, account, stand_in, file,
                         seq, reason, return_ref)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT DO NOTHING;

-- name: unposted
-- $1 batch uuid, $2 count bigint
SELECT batch, n, line, bank, item, direction, payment, cycle, leg, amount, account, stand_in, file, seq, reason,
       return_ref, original, kind, place
  FROM item_return
 WHERE batch = $1 AND NOT is_posted
 ORDER BY n
 LIMIT $2;

-- name: stand_in_bank
-- The bank of what stands in, as the cycle routed it; else the one through which it settles. $1 cycle bigint, $2 route uuid
SELECT coalesce((SELECT r.bank FROM clearing_route r WHERE r.cycle = $1 AND r.account = $2), c.settlement_bank)
  FROM clearing_run c
 WHERE c.cycle = $1;

-- name: returned_by_current
-- $1 item text, $2 direction smallint
SELECT item, return_count FROM returned_item WHERE current_item = $1 AND direction = $2;

-- name: keep_returned
-- $1 item text, $2 direction smallint, $3 bank uuid, $4 payment uuid, $5 leg text, $6 amount bigint, $7 account uuid,
-- $8 stand_in uuid, $9 file text, $10 seq integer, $11 cycle bigint, $12 current_item text, $13 reason text,
-- $14 state smallint, $15 return_count smallint, $16 returned_at timestamptz
INSERT INTO returned_item AS r (item, direction, bank, payment, leg, amount, account, stand_in, file, seq, cycle,
                                current_item, reason, state, return_count, returned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (item, direction) DO UPDATE
   SET reason = excluded.reason, state = excluded.state, return_count = excluded.return_count,
       returned_at = excluded.returned_at;

-- name: decide_return
-- $1 batch uuid, $2 n integer, $3 original text, $4 kind smallint, $5 place smallint
UPDATE item_return SET original = $3, kind = $4, place = $5 WHERE batch = $1 AND n = $2;

-- name: mark_posted
-- $1 batch uuid, $2 n integer[]
UPDATE item_return SET is_posted = true WHERE batch = $1 AND n = ANY ($2::integer[]);

-- name: open_case
-- $1 kind text, $2 subject text, $3 bank uuid, $4 reason text, $5 opened_at timestamptz
INSERT INTO clearing_case (kind, subject, bank, reason, opened_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: due_again
-- Items that are to be presented again, after one, once their last return is posted.
-- $1 after item text, $2 after direction smallint, $3 most presentations smallint, $4 stand_in's kind integer,
-- $5 count bigint
SELECT r.item, r.direction, r.payment, r.amount, r.account, r.stand_in, r.present_count
  FROM returned_item r
 WHERE r.state = 1 AND (r.item, r.direction) > ($1::text, $2::smallint) AND r.present_count < $3
   AND get_byte(uuid_send(r.stand_in), 7) = $4
   AND EXISTS (SELECT FROM item_return x
                WHERE x.item = r.current_item AND x.direction = r.direction AND x.is_posted)
 ORDER BY r.item, r.direction
 LIMIT $5;

-- name: posting_of_key
-- The posting that a booking made. $1 caller uuid, $2 operation smallint, $3 key text
SELECT p.lane, p.seq, p.n, p.cycle
  FROM answer a
  JOIN posting p ON p.business_date = a.business_date AND p.lane = a.lane AND p.seq = a.seq AND p.event = a.n
 WHERE a.caller = $1 AND a.operation = $2 AND a.key = $3
 ORDER BY p.n
 LIMIT 1;

-- name: note_presented
-- $1 item text, $2 direction smallint, $3 present_count smallint, $4 current_item text, $5 cycle bigint
UPDATE returned_item
   SET state = 2, present_count = $3::smallint, current_item = $4, cycle = $5
 WHERE item = $1 AND direction = $2 AND state = 1 AND present_count = $3::smallint - 1;

-- name: note_collected
-- What was presented again, and not given back before its cycle was settled.
UPDATE returned_item r
   SET state = 3
  FROM clearing_run c
 WHERE r.state = 2 AND c.cycle = r.cycle AND c.settled_at IS NOT NULL;

-- name: returned_lines
-- Of a file: the places that are known, and the items whose places are not. $1 file text
SELECT item, direction, seq FROM item_return WHERE file = $1;

-- name: returned_payments
-- Those of some payments of which something is given back and not collected. $1 payments uuid[]
SELECT DISTINCT payment FROM returned_item WHERE payment = ANY ($1::uuid[]) AND state <> 3;

-- name: closed_cycles
-- $1 first cycle bigint, $2 last cycle bigint
SELECT cycle FROM clearing_run WHERE cycle BETWEEN $1 AND $2 ORDER BY cycle;

-- name: bank_of_file
-- $1 name text
SELECT bank FROM clearing_file WHERE name = $1;
