-- name: create_staging
-- Both sides of one comparison, in tables of one session: no other session sees them, and nothing of them is logged.
CREATE TEMP TABLE our_item (
    payment   text COLLATE "C" NOT NULL,
    direction smallint NOT NULL,
    amount    bigint   NOT NULL,
    file      smallint NOT NULL,
    seq       integer  NOT NULL,
    leg       text     NOT NULL,
    order_no  text COLLATE "C" NOT NULL,
    account   text     NOT NULL
);
CREATE TEMP TABLE their_line (
    payment   text COLLATE "C" NOT NULL,  -- empty: no payment is known
    direction smallint NOT NULL,
    amount    bigint   NOT NULL,
    line      integer  NOT NULL,
    booked_on date     NOT NULL,
    reversal  boolean  NOT NULL,
    named     boolean  NOT NULL,          -- the bank gave the payment itself
    bank_ref  text COLLATE "C" NOT NULL,
    account   text     NOT NULL
);
CREATE TEMP TABLE loose_payment (payment text COLLATE "C" PRIMARY KEY);

-- name: attach_by_reference
-- Lines without a payment whose reference the bank has given to exactly one payment elsewhere in the statement.
-- $1 most lines of one reference bigint
UPDATE their_line t
   SET payment = r.payment
  FROM (SELECT n.bank_ref, min(n.payment) AS payment
          FROM their_line n
         WHERE n.named AND n.bank_ref IN (SELECT u.bank_ref FROM their_line u
                                           WHERE u.payment = '' GROUP BY u.bank_ref HAVING count(*) <= $1)
         GROUP BY n.bank_ref
        HAVING min(n.payment) = max(n.payment)) r
 WHERE t.payment = '' AND t.bank_ref = r.bank_ref;

-- name: attach_by_order
-- Lines without a payment whose reference is the order number of exactly one payment that fits in direction and amount.
-- $1 most lines of one reference bigint
UPDATE their_line t
   SET payment = r.payment
  FROM (SELECT o.order_no, o.direction, o.amount, min(o.payment) AS payment
          FROM our_item o
         WHERE o.order_no IN (SELECT u.bank_ref FROM their_line u
                               WHERE u.payment = '' GROUP BY u.bank_ref HAVING count(*) <= $1)
         GROUP BY o.order_no, o.direction, o.amount
        HAVING min(o.payment) = max(o.payment)) r
 WHERE t.payment = '' AND t.bank_ref = r.order_no AND t.direction = r.direction AND t.amount = r.amount;

-- name: index_items
CREATE INDEX our_item_key ON our_item (payment, direction, amount, file, seq);

-- name: index_lines
CREATE INDEX their_line_key ON their_line (payment, direction, amount, line);

-- name: index_unattached
CREATE INDEX their_line_unattached ON their_line (bank_ref, direction, amount, line) WHERE payment = '';

-- name: has_unattached
SELECT EXISTS (SELECT FROM their_line WHERE payment = '');

-- name: flooded_payment
-- $1 most lines of one payment bigint
SELECT max(line) AS line FROM their_line WHERE payment <> '' GROUP BY payment HAVING count(*) > $1 LIMIT 1;

-- name: item_keys
-- $1 after payment text, $2 after direction smallint, $3 after amount bigint, $4 after file smallint,
-- $5 after seq integer, $6 count bigint
SELECT payment, direction, amount, file, seq
  FROM our_item
 WHERE (payment, direction, amount, file, seq) > ($1, $2, $3, $4, $5)
 ORDER BY payment, direction, amount, file, seq
 LIMIT $6;

-- name: line_keys
-- $1 after payment text, $2 after direction smallint, $3 after amount bigint, $4 after line integer, $5 count bigint
SELECT payment, direction, amount, line, booked_on, reversal
  FROM their_line
 WHERE (payment, direction, amount, line) > ($1, $2, $3, $4)
 ORDER BY payment, direction, amount, line
 LIMIT $5;

-- name: items_of_payments
-- $1 payments text[]
SELECT payment, direction, amount, file, seq, leg, order_no, account FROM our_item WHERE payment = ANY ($1::text[]);

-- name: lines_of_payments
-- $1 payments text[]
SELECT payment, direction, amount, line, booked_on, reversal, named, bank_ref, account
  FROM their_line
 WHERE payment = ANY ($1::text[]);

-- name: unattached_lines
-- $1 after bank_ref text, $2 after direction smallint, $3 after amount bigint, $4 after line integer, $5 count bigint
SELECT payment, direction, amount, line, booked_on, reversal, named, bank_ref, account
  FROM their_line
 WHERE payment = '' AND (bank_ref, direction, amount, line) > ($1, $2, $3, $4)
 ORDER BY bank_ref, direction, amount, line
 LIMIT $5;

-- name: try_lock
-- $1 lock bigint
SELECT pg_try_advisory_lock($1);

-- name: files_of_day
-- The newest version of each published flat file that tells a bank to take or to give.
-- $1 bank uuid, $2 cycle from bigint, $3 cycle to bigint
SELECT DISTINCT ON (f.cycle, f.kind) f.name, f.first_cycle, f.cycle, f.kind
  FROM clearing_file f
 WHERE f.bank = $1 AND f.cycle BETWEEN $2 AND $3 AND f.form = 'flat' AND f.kind IN ('COLLECT', 'CREDIT')
   AND f.published_at IS NOT NULL
 ORDER BY f.cycle, f.kind, f.version DESC;

-- name: file_chunks
-- $1 name text, $2 first part integer, $3 after the last part integer
SELECT bytes FROM clearing_chunk WHERE name = $1 AND part >= $2 AND part < $3 ORDER BY part;

-- name: insert_reconciliation
-- $1 id uuid, $2 upload uuid, $3 bank uuid, $4 business_date date, $5 cycle_from bigint, $6 cycle_to bigint,
-- $7 is_whole_day bool, $8 files text[], $9 state smallint, $10 created_at timestamptz
INSERT INTO reconciliation (id, upload, bank, business_date, cycle_from, cycle_to, is_whole_day, files, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text[], $9, $10);

-- name: overlapping
-- Those of the same files that stand, besides one. $1 id uuid
SELECT o.id
  FROM reconciliation r
  JOIN reconciliation o ON o.bank = r.bank AND o.business_date = r.business_date
   AND o.cycle_from <= r.cycle_to AND o.cycle_to >= r.cycle_from
 WHERE r.id = $1 AND o.id <> r.id AND o.superseded_by IS NULL
 ORDER BY o.id;

-- name: supersede
-- $1 ids uuid[], $2 superseded_by uuid, $3 state smallint
WITH gone AS (
    UPDATE reconciliation SET superseded_by = $2, state = $3
     WHERE id = ANY ($1::uuid[]) AND superseded_by IS NULL
    RETURNING id
)
UPDATE difference d SET is_loose = false FROM gone WHERE d.reconciliation = gone.id AND d.is_loose;

-- name: drop_matches
-- $1 reconciliation uuid
DELETE FROM reconciliation_match WHERE reconciliation = $1;

-- name: drop_differences
-- $1 reconciliation uuid
DELETE FROM difference WHERE reconciliation = $1;

-- name: carry_over
-- What persons have done with a difference of a replaced statement, and since when it is known, stays with the same
-- difference of the one that replaces it. $1 reconciliation uuid, $2 state of the superseded smallint
WITH case_of AS (
    SELECT d.reconciliation, d.n, d.reconciliation = $1 AS is_new, d.state, d.owner, d.is_handled, d.handling,
           d.resolution, d.settled_at, d.first_seen_at, d.first_seen_on, d.found_kind, d.payment_id, d.our_direction,
           d.our_amount, d.direction, d.amount, d.bank_ref,
           row_number() OVER (PARTITION BY d.reconciliation, d.found_kind, d.payment_id, d.our_direction, d.our_amount,
                                           d.direction, d.amount, d.bank_ref
                              ORDER BY d.n) AS place
      FROM difference d
     WHERE d.reconciliation = $1
        OR d.reconciliation IN (SELECT r.id FROM reconciliation r WHERE r.superseded_by = $1 AND r.state = $2)
)
UPDATE difference d
   SET state = CASE WHEN o.is_handled THEN o.state ELSE d.state END,
       settled_at = CASE WHEN o.is_handled THEN o.settled_at ELSE d.settled_at END,
       is_loose = d.is_loose AND (NOT o.is_handled OR o.state = 2),
       owner = o.owner, is_handled = o.is_handled, handling = o.handling, resolution = o.resolution,
       first_seen_at = o.first_seen_at, first_seen_on = o.first_seen_on
  FROM case_of c, case_of o
 WHERE c.is_new AND NOT o.is_new AND d.reconciliation = c.reconciliation AND d.n = c.n
   AND (o.found_kind, o.payment_id, o.bank_ref, o.place) = (c.found_kind, c.payment_id, c.bank_ref, c.place)
   AND o.our_direction IS NOT DISTINCT FROM c.our_direction AND o.our_amount IS NOT DISTINCT FROM c.our_amount
   AND o.direction IS NOT DISTINCT FROM c.direction AND o.amount IS NOT DISTINCT FROM c.amount;

-- name: finish_reconciliation
-- $1 id uuid, $2 state smallint, $3 reconciled_at timestamptz, $4 our_count bigint, $5 our_debits bigint,
-- $6 our_credits bigint, $7 matched_count bigint
UPDATE reconciliation
   SET state = $2, reconciled_at = $3, our_count = $4, our_debits = $5, our_credits = $6, matched_count = $7
 WHERE id = $1;

-- name: pending
-- Whose uploads began so long ago. $1 age interval
SELECT r.id
  FROM reconciliation r
  JOIN upload u ON u.id = r.upload
 WHERE r.state = 1 AND u.started_at <= clock_timestamp() - $1::interval
 ORDER BY r.id;

-- name: payment_facts
-- $1 payments uuid[]
SELECT y.id, y.captured, y.tenders, y.merchant, m.bank AS merchant_bank
  FROM payment y LEFT JOIN merchant m ON m.id = y.merchant
 WHERE y.id = ANY ($1::uuid[]);

-- name: current_fund_banks
SELECT region, pay_type, bank FROM fund;

-- name: current_merchant_banks
-- $1 merchants uuid[]
SELECT id, bank FROM merchant WHERE id = ANY ($1::uuid[]);

-- name: captured_payments
-- $1 payments uuid[]
SELECT id FROM payment WHERE id = ANY ($1::uuid[]) AND captured > 0;

-- name: cleared_of_payments
-- $1 payments uuid[], $2 phase smallint, $3 kinds smallint[]
SELECT p.payment, p.business_date, p.cycle, p.debit, p.credit, p.amount, p.cycle <= c.published_cycle AS is_published
  FROM control c, event e
  JOIN posting p ON p.business_date = e.business_date AND p.lane = e.lane AND p.seq = e.seq AND p.event = e.n
 WHERE e.payment = ANY ($1::uuid[]) AND p.payment = e.payment AND p.phase = $2 AND p.kind = ANY ($3::smallint[]);

-- name: routes_of_cycles
-- $1 cycles bigint[], $2 accounts uuid[]
SELECT cycle, account, bank FROM clearing_route WHERE cycle = ANY ($1::bigint[]) AND account = ANY ($2::uuid[]);

-- name: covered_cycles
-- What standing statements of a bank are about. $1 bank uuid, $2 dates date[]
SELECT cycle_from, cycle_to
  FROM reconciliation
 WHERE bank = $1 AND business_date = ANY ($2::date[]) AND superseded_by IS NULL;

-- name: stage_loose_payments
-- Payments whose loose ends have to be tied anew because of one statement: those it has lines of, those it lacks and
-- another statement has lines of, those whose line was tied to an item that it is now about, and those that were tied
-- to what it supersedes.
-- $1 reconciliation uuid, $2 bank uuid, $3 business_date date
INSERT INTO loose_payment
SELECT d.payment_id FROM difference d
 WHERE d.reconciliation = $1 AND d.is_loose AND d.line IS NOT NULL AND d.payment_id <> ''
UNION
SELECT d.payment_id FROM difference d
 WHERE d.reconciliation = $1 AND d.is_loose AND d.line IS NULL AND d.payment_id <> ''
   AND EXISTS (SELECT FROM difference o
                WHERE o.bank = $2 AND o.payment_id = d.payment_id AND o.is_loose AND o.line IS NOT NULL)
UNION
SELECT d.payment_id FROM difference d
 WHERE d.bank = $2 AND d.our_date = $3 AND d.is_loose AND d.line IS NOT NULL AND d.payment_id <> ''
UNION
SELECT d.payment_id FROM difference d
 WHERE d.tied_to IN (SELECT r.id FROM reconciliation r WHERE r.superseded_by = $1)
   AND d.bank = $2 AND d.is_loose AND d.payment_id <> '';

-- name: loose_payments
-- $1 after payment text, $2 count bigint
SELECT payment FROM loose_payment WHERE payment > $1 ORDER BY payment LIMIT $2;

-- name: loose_ends
-- $1 bank uuid, $2 payment_ids text[]
SELECT reconciliation, n, payment_id, line, our_direction, our_amount, our_date, our_file, our_seq, direction, amount,
       booked_on, found_kind, found_effect, found_cause, bank_ref, is_handled
  FROM difference
 WHERE bank = $1 AND is_loose AND payment_id = ANY ($2::text[]);

-- name: tie_differences
-- $1 reconciliations uuid[], $2 n integer[], $3 kinds smallint[], $4 effects smallint[], $5 causes smallint[],
-- $6 states smallint[], $7 tied_to uuid[], $8 tied_n integer[], $9 our_dates date[], $10 booked_on date[],
-- $11 bank_refs text[], $12 settled_at timestamptz
UPDATE difference d
   SET kind = t.kind, effect = t.effect, cause = t.cause, state = t.state, tied_to = t.tied_to, tied_n = t.tied_n,
       our_date = t.our_date, booked_on = t.booked_on, bank_ref = t.bank_ref,
       our_direction = CASE WHEN t.our_date IS NOT NULL THEN coalesce(d.our_direction, d.direction)
                            WHEN d.line IS NULL THEN d.our_direction END,
       our_amount = CASE WHEN t.our_date IS NOT NULL THEN coalesce(d.our_amount, d.amount)
                         WHEN d.line IS NULL THEN d.our_amount END,
       direction = CASE WHEN t.booked_on IS NOT NULL THEN coalesce(d.direction, d.our_direction) END,
       amount = CASE WHEN t.booked_on IS NOT NULL THEN coalesce(d.amount, d.our_amount) END,
       settled_at = CASE WHEN t.state = 3 THEN coalesce(d.settled_at, $12) END
  FROM unnest($1::uuid[], $2::integer[], $3::smallint[], $4::smallint[], $5::smallint[], $6::smallint[], $7::uuid[],
              $8::integer[], $9::date[], $10::date[], $11::text[])
       AS t (reconciliation, n, kind, effect, cause, state, tied_to, tied_n, our_date, booked_on, bank_ref)
 WHERE d.reconciliation = t.reconciliation AND d.n = t.n AND NOT d.is_handled
   AND (d.kind, d.cause, d.state, d.tied_to, d.tied_n, d.our_date, d.booked_on)
       IS DISTINCT FROM (t.kind, t.cause, t.state, t.tied_to, t.tied_n, t.our_date, t.booked_on);

-- name: reconciliation
-- $1 id uuid
SELECT r.id, r.upload, r.bank, r.business_date, r.cycle_from, r.cycle_to, r.is_whole_day, r.files, r.created_at,
       r.reconciled_at, r.our_count, r.our_debits, r.our_credits, r.matched_count, r.superseded_by,
       CASE WHEN r.state = 2 AND EXISTS (SELECT FROM difference d
                                          WHERE d.reconciliation = r.id AND d.state IN (1, 2))
            THEN 3 ELSE r.state END AS state,
       u.form, u.file_id, u.sha256, u.line_count, u.debit_total, u.credit_total, b.cnaps
  FROM reconciliation r JOIN upload u ON u.id = r.upload JOIN bank b ON b.id = r.bank
 WHERE r.id = $1;

-- name: reconciliation_of_upload
-- $1 upload uuid
SELECT id FROM reconciliation WHERE upload = $1;

-- name: reconciliations
-- Newest first; what is null is not looked at.
-- $1 bank uuid, $2 business_date date, $3 state smallint, $4 before id uuid, $5 count bigint
SELECT * FROM (
    SELECT r.id, r.upload, r.bank, r.business_date, r.cycle_from, r.cycle_to, r.is_whole_day, r.files, r.created_at,
           r.reconciled_at, r.our_count, r.our_debits, r.our_credits, r.matched_count, r.superseded_by,
           CASE WHEN r.state = 2 AND EXISTS (SELECT FROM difference d
                                              WHERE d.reconciliation = r.id AND d.state IN (1, 2))
                THEN 3 ELSE r.state END AS state,
           u.form, u.file_id, u.sha256, u.line_count, u.debit_total, u.credit_total, b.cnaps
      FROM reconciliation r JOIN upload u ON u.id = r.upload JOIN bank b ON b.id = r.bank
     WHERE ($1::uuid IS NULL OR r.bank = $1) AND ($2::date IS NULL OR r.business_date = $2)
       AND ($4::uuid IS NULL OR r.id < $4)
) found
 WHERE $3::smallint IS NULL OR state = $3
 ORDER BY id DESC
 LIMIT $5;

-- name: counts
-- $1 reconciliations uuid[]
SELECT reconciliation, kind, state, count(*) AS count
  FROM difference WHERE reconciliation = ANY ($1::uuid[]) GROUP BY reconciliation, kind, state;

-- name: differences
-- What is null is not looked at. $1 reconciliation uuid, $2 after n integer, $3 kind smallint, $4 state smallint,
-- $5 count bigint
SELECT * FROM difference
 WHERE reconciliation = $1 AND n > $2 AND ($3::smallint IS NULL OR kind = $3) AND ($4::smallint IS NULL OR state = $4)
 ORDER BY n
 LIMIT $5;

-- name: differences_of_payment
-- Of standing statements. $1 payment_id text
SELECT d.* FROM difference d JOIN reconciliation r ON r.id = d.reconciliation
 WHERE d.payment_id = $1 AND d.payment_id <> '' AND r.superseded_by IS NULL
 ORDER BY d.reconciliation, d.n;

-- name: alike
-- Loose ends that are open, of some accounts; no more than anybody will look at.
-- $1 bank uuid, $2 accounts text[], $3 count bigint
SELECT * FROM difference
 WHERE bank = $1 AND account = ANY ($2::text[]) AND account <> '' AND is_loose AND state = 1
 ORDER BY reconciliation DESC, n
 LIMIT $3;

-- name: assign_difference
-- $1 reconciliation uuid, $2 n integer, $3 owner text
UPDATE difference SET owner = $3 WHERE reconciliation = $1 AND n = $2 AND state IN (1, 2) RETURNING n;

-- name: settle_difference
-- $1 reconciliation uuid, $2 n integer, $3 from states smallint[], $4 state smallint, $5 handling smallint,
-- $6 resolution text, $7 settled_at timestamptz
UPDATE difference
   SET state = $4, handling = $5, resolution = $6, settled_at = $7, is_handled = true,
       is_loose = is_loose AND $4::smallint = 2
 WHERE reconciliation = $1 AND n = $2 AND state = ANY ($3::smallint[])
RETURNING n;

-- name: matches_of_payment
-- The row of each standing statement of these dates in which a payment's matches are, if it has any.
-- $1 dates date[], $2 payment as in a record bytea
SELECT r.id, r.bank, r.business_date, r.files, m.records
  FROM reconciliation r,
       LATERAL (SELECT x.records FROM reconciliation_match x
                 WHERE x.reconciliation = r.id AND x.first <= $2 ORDER BY x.first DESC LIMIT 1) m
 WHERE r.business_date = ANY ($1::date[]) AND r.superseded_by IS NULL
 ORDER BY r.id;
