-- name: take_lane
-- Make this session the holder of a lane: its lock was taken before, so the epoch only catches what the lock cannot.
-- The session is named in the same statement, so that a later one finds it however early it is lost.
-- $1 lane smallint, $2 node text
WITH taken AS (
    INSERT INTO lane (id, epoch, seq, head, node)
    VALUES ($1, 1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000', $2)
    ON CONFLICT (id) DO UPDATE SET epoch = lane.epoch + 1, node = excluded.node
    RETURNING id, epoch, seq, head
)
SELECT t.epoch, t.seq, t.head, set_config('application_name', format('lane %s/%s', t.id, t.epoch), false) AS session
  FROM taken t;

-- name: try_lock
-- $1 class integer, $2 lane integer
SELECT pg_try_advisory_lock($1, $2);

-- name: holder
-- Who took the lane last. $1 lane smallint
SELECT node, epoch FROM lane WHERE id = $1;

-- name: backends_of
-- What is left of the session that took a lane last, and of one that was about to take it again, with what it waits
-- for: one that waits for its standby must not be ended. Other databases of the server have lanes of the same names.
-- $1 lane smallint, $2 epoch bigint
SELECT pid, coalesce(wait_event, '') = 'SyncRep' AS is_waiting_for_standby
  FROM pg_stat_activity
 WHERE application_name IN (format('lane %s', $1::smallint), format('lane %s/%s', $1::smallint, $2::bigint))
   AND datname = current_database() AND pid <> pg_backend_pid();

-- name: terminate
-- $1 pid integer
SELECT pg_terminate_backend($1);

-- name: begin
-- Seldom: `commit` and `roll_back` begin the next transaction in the message that ends the last one.
BEGIN ISOLATION LEVEL READ COMMITTED;

-- name: lock_and_claim
-- S1: lock the lane's own row, then the payers that are free, in id order, and claim the keys of the commands whose payer
-- is locked, in key order. No row comes back when the lane is not as this session left it.
-- Payers are found through maps that never change, but for the relative who helps with a bill: a relation that ended
-- since is seen after the lock, and one that began since helps the next time. Who is skipped here is asked again later, so nothing waits for a payer.
-- Of what a statement reads and locks at once only the locked row is as new as its lock: so a payer is read here, and
-- everything else in S2.
-- $1 claims claim[], $2 business_date date, $3 lane smallint, $4 seq bigint, $5 epoch bigint
WITH held AS MATERIALIZED (
    SELECT 1 FROM lane l WHERE l.id = $3::smallint AND l.epoch = $5::bigint AND l.seq = $4::bigint - 1
       FOR NO KEY UPDATE
), cmd AS MATERIALIZED (
    SELECT * FROM unnest($1::claim[]) WHERE EXISTS (SELECT FROM held)
), subject AS MATERIALIZED (
    SELECT c.n,
           CASE
               WHEN c.device_no IS NOT NULL THEN (SELECT d.card FROM device d WHERE d.device_no = c.device_no)
               WHEN c.payment IS NOT NULL THEN (SELECT p.payer FROM payment p WHERE p.id = c.payment)
               WHEN c.card IS NOT NULL THEN (SELECT y.id FROM payer y WHERE y.id = c.card)
               ELSE (SELECT (SELECT p.payer FROM payment p WHERE p.id = o.payment) FROM order_ref o
                      WHERE o.merchant = c.merchant AND o.order_no = c.order_no)
           END AS payer,
           CASE
               WHEN c.needs_family
               THEN (SELECT y.family FROM payer y
                      WHERE y.id = coalesce(c.card, (SELECT d.card FROM device d WHERE d.device_no = c.device_no)))
               WHEN c.payment IS NOT NULL THEN (SELECT p.family FROM payment p WHERE p.id = c.payment)
               WHEN c.order_no IS NOT NULL
               THEN (SELECT (SELECT p.family FROM payment p WHERE p.id = o.payment) FROM order_ref o
                      WHERE o.merchant = c.merchant AND o.order_no = c.order_no)
           END AS family
      FROM cmd c
), locked AS MATERIALIZED (
    SELECT y.id, y AS found
      FROM payer y
     WHERE y.id = ANY (ARRAY(SELECT s.payer FROM subject s WHERE s.payer IS NOT NULL
                             UNION ALL
                             SELECT s.family FROM subject s WHERE s.family IS NOT NULL))
     ORDER BY y.id
       FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    INSERT INTO answer (caller, operation, key, business_date, lane, seq, n)
    SELECT c.caller, c.operation, c.key, $2::date, $3::smallint, $4::bigint, c.n
      FROM cmd c JOIN subject s ON s.n = c.n
     WHERE c.key IS NOT NULL AND (s.payer IS NULL OR s.payer IN (SELECT l.id FROM locked l))
       AND (s.family IS NULL OR s.family IN (SELECT l.id FROM locked l))
     ORDER BY c.caller, c.operation, c.key
    ON CONFLICT DO NOTHING
    RETURNING n
)
SELECT (s.payer IS NULL OR l.id IS NOT NULL) AND (s.family IS NULL OR f.id IS NOT NULL) AS is_locked,
       k.n IS NOT NULL AS is_claimed, l.found AS payer, f.found AS family
  FROM subject s
  LEFT JOIN locked l ON l.id = s.payer
  LEFT JOIN locked f ON f.id = s.family
  LEFT JOIN claimed k ON k.n = s.n
 ORDER BY s.n;

-- name: read_books
-- S2: everything a batch has to know, with a snapshot taken after its locks were held. A row is looked up for each key,
-- never joined: a join may be planned to read the whole of a table that was empty when the plan was made.
-- $1 payments uuid[], $2 orders order_key[], $3 codes code_use[], $4 devices bigint[], $5 merchants uuid[],
-- $6 terminals terminal[], $7 refunds refund_key[]
WITH orders AS MATERIALIZED (
    SELECT o.*
      FROM unnest($2::order_key[]) k,
           LATERAL (SELECT x.* FROM order_ref x
                     WHERE x.merchant = k.merchant AND x.order_no = k.order_no LIMIT 1) o
)
SELECT c.business_date, c.cycle, c.cutoff_at, c.published_cycle, c.settled_cycle, c.rules_version,
       c.sandbox_offset_us, clock_timestamp() AS clock,
       ARRAY(SELECT y.found
               FROM (SELECT unnest($1::uuid[]) AS id
                     UNION SELECT o.payment FROM orders o WHERE o.payment IS NOT NULL) i,
                    LATERAL (SELECT x AS found FROM payment x WHERE x.id = i.id LIMIT 1) y) AS payments,
       ARRAY(SELECT (o.merchant, o.order_no, o.payment)::order_ref FROM orders o) AS orders,
       ARRAY(SELECT y.found FROM unnest($3::code_use[]) i,
                    LATERAL (SELECT x AS found FROM code_use x
                              WHERE x.step = i.step AND x.device = i.device AND x.refresh = i.refresh
                              LIMIT 1) y) AS codes,
       ARRAY(SELECT y.found FROM unnest($4::bigint[]) i(device_no),
                    LATERAL (SELECT x AS found FROM device x WHERE x.device_no = i.device_no LIMIT 1) y) AS devices,
       ARRAY(SELECT y.found FROM unnest($5::uuid[]) i(id),
                    LATERAL (SELECT (x.id, x.region, x.is_suspended, x.scenarios, x.level)::merchant_state AS found
                               FROM merchant x WHERE x.id = i.id LIMIT 1) y) AS merchants,
       ARRAY(SELECT y.found FROM unnest($6::terminal[]) i,
                    LATERAL (SELECT x AS found FROM terminal x
                              WHERE x.merchant = i.merchant AND x.terminal_id = i.terminal_id
                              LIMIT 1) y) AS terminals,
       ARRAY(SELECT y.found FROM unnest($7::refund_key[]) i,
                    LATERAL (SELECT (x.payment, x.refund_no)::refund_key AS found FROM refund x
                              WHERE x.payment = i.payment AND x.refund_no = i.refund_no LIMIT 1) y) AS refunds
  FROM control c;

-- name: read_earlier
-- The answers that keys were used for before; read apart, since it opens every partition of events and is seldom needed.
-- $1 lost claims answer_key[]
SELECT a.caller, a.operation, a.key, e.body
  FROM unnest($1::answer_key[]) i,
       LATERAL (SELECT x.* FROM answer x
                 WHERE x.caller = i.caller AND x.operation = i.operation AND x.key = i.key LIMIT 1) a,
       LATERAL (SELECT x.body FROM event x
                 WHERE x.business_date = a.business_date AND x.lane = a.lane AND x.seq = a.seq AND x.n = a.n
                 LIMIT 1) e;

-- name: read_bills
-- S2 again, for what is paid by bill: only for batches in which there is any. $1 numbers text[]
SELECT b.bill_no, b.agency, b.card, b.amount, b.deadline, b.state, b.payment
  FROM unnest($1::text[]) k(bill_no),
       LATERAL (SELECT x.* FROM bill x WHERE x.bill_no = k.bill_no LIMIT 1) b;

-- name: read_orders
-- S2 again, for what was shown to be paid: the newest version of each. $1 orders order_key[]
SELECT o.merchant, o.order_no, o.id, o.amount, o.expires_at
  FROM unnest($1::order_key[]) k,
       LATERAL (SELECT x.* FROM pay_order x WHERE x.merchant = k.merchant AND x.order_no = k.order_no LIMIT 1) o;

-- name: read_rides
-- S2 again, for cardholders of whom some ride is not paid. $1 cards uuid[]
SELECT r.card, r.scenario, r.merchant, r.order_no FROM unpaid_ride r WHERE r.card = ANY ($1::uuid[]);

-- name: read_visits
-- S2 again, for bills of visits: those of each visit that are settled, the oldest first. $1 visits visit_key[]
SELECT v.payer, v.merchant, v.visit_no, v.number, v.payment
  FROM unnest($1::visit_key[]) k,
       LATERAL (SELECT x.* FROM visit_settlement x
                 WHERE x.payer = k.payer AND x.merchant = k.merchant AND x.visit_no = k.visit_no) v
 ORDER BY v.number;

-- name: read_device_channels
-- S2 again, while some channel is stopped: who has registered these phones. $1 devices bigint[]
SELECT r.device_no, r.registered_by
  FROM unnest($1::bigint[]) k(device_no),
       LATERAL (SELECT x.* FROM card_device x WHERE x.device_no = k.device_no LIMIT 1) r;

-- name: write_visits
-- S3 of a batch that settles bills of visits, or gives them back. $1 begun visit_settlement[], $2 ended visit_settlement[]
WITH begun AS (
    INSERT INTO visit_settlement SELECT * FROM unnest($1::visit_settlement[]) RETURNING 1
), ended AS (
    DELETE FROM visit_settlement s USING unnest($2::visit_settlement[]) v
     WHERE s.payer = v.payer AND s.merchant = v.merchant AND s.visit_no = v.visit_no AND s.payment = v.payment
       AND s.payer = ANY (ARRAY(SELECT w.payer FROM unnest($2::visit_settlement[]) w))
    RETURNING 1
)
SELECT (SELECT count(*) FROM begun) AS begun, (SELECT count(*) FROM ended) AS ended;

-- name: write_rides
-- S3 of a batch in which a ride could not be taken, or was paid. $1 unpaid unpaid_ride[], $2 paid unpaid_ride[]
WITH ride_new AS (
    INSERT INTO unpaid_ride SELECT * FROM unnest($1::unpaid_ride[]) RETURNING 1
), ride_paid AS (
    DELETE FROM unpaid_ride r USING unnest($2::unpaid_ride[]) v
     WHERE r.card = v.card AND r.scenario = v.scenario AND r.merchant = v.merchant AND r.order_no = v.order_no
       AND r.card = ANY (ARRAY(SELECT w.card FROM unnest($2::unpaid_ride[]) w))
    RETURNING 1
)
SELECT (SELECT count(*) FROM ride_new) AS unpaid, (SELECT count(*) FROM ride_paid) AS paid;

-- name: write_bills
-- S3 of a batch that pays bills or gives them back: each is as it was read, or the batch runs again. Locked in key order,
-- before anything else of the batch that is waited for.
-- $1 bills changed_bill[]
WITH held AS MATERIALIZED (
    SELECT b.bill_no
      FROM bill b
     WHERE b.bill_no = ANY (ARRAY(SELECT v.bill_no FROM unnest($1::changed_bill[]) v))
     ORDER BY b.bill_no
       FOR NO KEY UPDATE
), changed AS (
    UPDATE bill b
       SET state = v.state, payment = v.payment
      FROM unnest($1::changed_bill[]) v
     WHERE b.bill_no = v.bill_no AND b.state = v.state_before
       AND b.bill_no = ANY (ARRAY(SELECT h.bill_no FROM held h))
    RETURNING 1
)
SELECT (SELECT count(*) FROM changed) AS bills;

-- name: write_changes
-- S3 of a batch that changes payments made before it. The CTEs run in the order in which the final SELECT counts them.
-- $1 changed payment[], $2 their ids uuid[], $3 refunds refund[], $4 holds hold[], $5 ended hold[]
WITH payment_changed AS (
    UPDATE payment p
       SET state = v.state, captured = v.captured, refunded = v.refunded, tenders = v.tenders,
           business_date = v.business_date, cycle = v.cycle, expires_at = v.expires_at, captured_at = v.captured_at,
           amount = v.amount, refusal = v.refusal, sequence = v.sequence, details = v.details
      FROM unnest($1::payment[]) v
     WHERE p.id = v.id AND p.id = ANY ($2::uuid[])
    RETURNING 1
), refund_new AS (
    INSERT INTO refund SELECT * FROM unnest($3::refund[]) ON CONFLICT DO NOTHING RETURNING 1
), hold_new AS (
    INSERT INTO hold SELECT * FROM unnest($4::hold[]) RETURNING 1
), hold_ended AS (
    DELETE FROM hold h USING unnest($5::hold[]) v
     WHERE h.due = v.due AND h.payment = v.payment AND h.due = ANY (ARRAY(SELECT w.due FROM unnest($5::hold[]) w))
    RETURNING 1
)
SELECT (SELECT count(*) FROM payment_changed) AS payments_changed,
       (SELECT count(*) FROM refund_new) AS refunds,
       (SELECT count(*) FROM hold_new) AS holds,
       (SELECT count(*) FROM hold_ended) AS holds_ended;

-- name: write_books
-- S3: what every batch writes. The CTEs run in the order in which the final SELECT counts them; one write a row.
-- $1 orders order_ref[], $2 codes code_use[], $3 payments new_payment[], $4 postings new_posting[], $5 events new_event[],
-- $6 payers changed_payer[], $7 their ids uuid[], $8 balances added_balance[], $9 lane smallint, $10 seq bigint,
-- $11 at timestamptz, $12 business_date date, $13 cycle bigint, $14 prev bytea, $15 hash bytea, $16 epoch bigint
WITH order_new AS (
    INSERT INTO order_ref SELECT * FROM unnest($1::order_ref[]) ON CONFLICT DO NOTHING RETURNING 1
), code_new AS (
    INSERT INTO code_use SELECT * FROM unnest($2::code_use[]) ON CONFLICT DO NOTHING RETURNING 1
), payment_new AS (
    INSERT INTO payment
    SELECT v.id, v.region, v.merchant, v.payer, v.order_no, v.amount, v.scenario, v.mode, v.terminal_id, v.description,
           v.state, v.refusal, v.captured, v.refunded, v.tenders, $12::date, v.cycle, $12::date, $11::timestamptz,
           v.expires_at, CASE WHEN v.cycle IS NOT NULL THEN $11::timestamptz END, v.bill_no, v.sequence, v.limit_class,
           v.details, v.family
      FROM unnest($3::new_payment[]) v
    RETURNING 1
), posting_new AS (
    INSERT INTO posting
    SELECT $12::date, $9::smallint, $10::bigint, v.n - 1, v.event, $13::bigint, v.region, v.payment, v.phase, v.kind,
           v.debit, v.credit, v.amount
      FROM unnest($4::new_posting[])
           WITH ORDINALITY v(event, region, payment, phase, kind, debit, credit, amount, n)
    RETURNING 1
), event_new AS (
    INSERT INTO event
    SELECT $12::date, $9::smallint, $10::bigint, v.n, v.kind, v.region, v.payment, $11::timestamptz, v.body
      FROM unnest($5::new_event[]) v
    RETURNING 1
), payer_changed AS (
    UPDATE payer p
       SET status = v.status, debits_pending = v.debits_pending, debits_posted = v.debits_posted,
           credits_pending = v.credits_pending, credits_posted = v.credits_posted,
           limit_day = v.limit_day, spent = v.spent, spent_unconfirmed = v.spent_unconfirmed,
           spent_offline = v.spent_offline, tender_order = v.tender_order, no_password_up_to = v.no_password_up_to,
           password_version = v.password_version, password_tries = v.password_tries, benefit_year = v.benefit_year,
           deductible_used = v.deductible_used, fund_paid = v.fund_paid, blocked_scenarios = v.blocked_scenarios,
           issue_level = v.issue_level, family = v.family
      FROM unnest($6::changed_payer[]) v
     WHERE p.id = v.id AND p.id = ANY ($7::uuid[])
    RETURNING 1
), balance_changed AS (
    INSERT INTO balance AS b
    SELECT v.account, $9::smallint, v.debits_pending, v.debits_posted, v.credits_pending, v.credits_posted, $10::bigint
      FROM unnest($8::added_balance[]) v
    ON CONFLICT (account, lane) DO UPDATE
       SET debits_pending = b.debits_pending + excluded.debits_pending,
           debits_posted = b.debits_posted + excluded.debits_posted,
           credits_pending = b.credits_pending + excluded.credits_pending,
           credits_posted = b.credits_posted + excluded.credits_posted,
           seq = excluded.seq
    RETURNING 1
), batch_new AS (
    INSERT INTO batch
    VALUES ($9::smallint, $10::bigint, $11::timestamptz, $12::date, $13::bigint, cardinality($5::new_event[]),
            $14::bytea, $15::bytea)
    RETURNING 1
), lane_changed AS (
    UPDATE lane l SET seq = $10::bigint, head = $15::bytea
     WHERE l.id = $9::smallint AND l.epoch = $16::bigint AND l.seq = $10::bigint - 1
    RETURNING 1
)
SELECT (SELECT count(*) FROM order_new) AS orders,
       (SELECT count(*) FROM code_new) AS codes,
       (SELECT count(*) FROM payment_new) AS payments,
       (SELECT count(*) FROM posting_new) AS postings,
       (SELECT count(*) FROM event_new) AS events,
       (SELECT count(*) FROM payer_changed) AS payers,
       (SELECT count(*) FROM balance_changed) AS balances,
       (SELECT count(*) FROM batch_new) AS batches,
       (SELECT count(*) FROM lane_changed) AS lanes;

-- name: server_state
-- A lane serves from a primary only, and never from one that is behind what it has seen before. The name of the file
-- that is written now begins with the timeline; the control file shows it only after the next checkpoint.
SELECT pg_is_in_recovery() AS is_standby,
       CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline;

-- name: today
-- What the first batch of a session guesses as the business date of the answers that it claims.
SELECT business_date FROM control;

-- name: commit
-- S4. Its tag must be COMMIT: a transaction that has failed answers ROLLBACK, and no error. A statement's time-out does
-- not end the wait for a standby, so this needs none of its own. The next batch's transaction is begun in the same
-- message: until its first statement it holds neither a lock nor a snapshot.
COMMIT AND CHAIN;

-- name: roll_back
ROLLBACK AND CHAIN;

-- name: rest
-- Nothing to do for a while: an open transaction that does nothing would be ended by the server.
ROLLBACK;
