-- name: timetable
SELECT cut_offs, net_after_s, publish_after_s, pull_by, acknowledge_by, instruct_at FROM timetable;

-- name: set_timetable
-- $1 cut_offs time[], $2 net_after_s integer, $3 publish_after_s integer, $4 pull_by time, $5 acknowledge_by time,
-- $6 instruct_at time
UPDATE timetable
   SET cut_offs = $1, net_after_s = $2, publish_after_s = $3, pull_by = $4, acknowledge_by = $5, instruct_at = $6;

-- name: working_days
-- Days that are decided otherwise than the calendar knows.
SELECT day, is_working FROM working_day;

-- name: set_working_day
-- $1 day date, $2 is_working bool, $3 reason text
INSERT INTO working_day (day, is_working, reason) VALUES ($1, $2, $3)
ON CONFLICT (day) DO UPDATE SET is_working = excluded.is_working, reason = excluded.reason;

-- name: unsettled
-- Published cycles that are not settled, oldest first, each with its latest instruction.
SELECT r.cycle, r.settlement_date AS due_on,
       (SELECT coalesce(sum(p.debit_count), 0)::bigint FROM net_position p WHERE p.cycle = r.cycle) AS item_count,
       s.attempt, s.settlement_date, s.instructed_at, s.outcome, s.reference, s.answered_at
  FROM clearing_run r
  LEFT JOIN LATERAL (SELECT * FROM settlement x WHERE x.cycle = r.cycle ORDER BY x.attempt DESC LIMIT 1) s ON true
 WHERE r.settled_at IS NULL AND r.published_at IS NOT NULL
 ORDER BY r.cycle;

-- name: lock_cycle
-- Whoever instructs, answers, settles or drops an item of a cycle holds its row meanwhile. $1 cycle bigint
SELECT cycle, closed_at, sealed_at, netted_at, built_at, published_at, settlement_date, settled_at
  FROM clearing_run
 WHERE cycle = $1
   FOR NO KEY UPDATE;

-- name: instructions
-- $1 cycle bigint
SELECT cycle, attempt, settlement_date, instructed_at, outcome, reference, answered_at
  FROM settlement
 WHERE cycle = $1
 ORDER BY attempt;

-- name: insert_instruction
-- $1 cycle bigint, $2 attempt smallint, $3 settlement_date date, $4 instructed_at timestamptz
INSERT INTO settlement (cycle, attempt, settlement_date, instructed_at) VALUES ($1, $2, $3, $4);

-- name: insert_settlement_nets
-- $1 nets settlement_net[]
INSERT INTO settlement_net SELECT * FROM unnest($1::settlement_net[]);

-- name: settlement_nets
-- $1 cycle bigint, $2 attempt smallint
SELECT bank, debits, credits, debit_count, credit_count
  FROM settlement_net
 WHERE cycle = $1 AND attempt = $2
 ORDER BY bank;

-- name: cycle_positions
-- $1 cycle bigint
SELECT bank, debits, credits, debit_count, credit_count FROM net_position WHERE cycle = $1 ORDER BY bank;

-- name: unsettled_positions
-- Of closed cycles that are netted and not settled, up to one of them. $1 last cycle bigint
SELECT p.cycle, p.bank, p.debits, p.credits, p.debit_count, p.credit_count
  FROM clearing_run r JOIN net_position p ON p.cycle = r.cycle
 WHERE r.settled_at IS NULL AND r.cycle <= $1;

-- name: answer_instruction
-- $1 cycle bigint, $2 attempt smallint, $3 outcome text, $4 reference text, $5 answered_at timestamptz
UPDATE settlement SET outcome = $3, reference = $4, answered_at = $5
 WHERE cycle = $1 AND attempt = $2 AND outcome IS NULL;

-- name: settle_run
-- $1 cycle bigint, $2 settled_at timestamptz
UPDATE clearing_run SET settled_at = $2
 WHERE cycle = $1 AND settled_at IS NULL AND published_at IS NOT NULL
RETURNING true;

-- name: lock_control
-- Two that settle at once follow each other here, so that the second one sees what the first has settled.
SELECT 1 FROM control FOR NO KEY UPDATE;

-- name: advance_settled
-- The cycle up to which all are settled: the one before the first that is not.
UPDATE control c
   SET settled_cycle = s.cycle
  FROM (SELECT max(r.cycle) AS cycle
          FROM clearing_run r
         WHERE r.cycle < coalesce((SELECT min(u.cycle) FROM clearing_run u WHERE u.settled_at IS NULL), 9999999999)) s
 WHERE s.cycle > c.settled_cycle;

-- name: insert_dropped
-- $1 cycle bigint, $2 item text, $3 bank uuid, $4 stand_in uuid, $5 amount bigint, $6 reason text,
-- $7 dropped_at timestamptz, $8 direction smallint, $9 account uuid, $10 stand_in_account uuid
INSERT INTO dropped_item (cycle, item, bank, stand_in, amount, reason, dropped_at, direction, account,
                          stand_in_account)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING;

-- name: dropped_of_cycle
-- $1 cycle bigint
SELECT direction, bank, stand_in, count(*) AS count, sum(amount)::bigint AS amount
  FROM dropped_item
 WHERE cycle = $1
 GROUP BY direction, bank, stand_in;

-- name: dropped_moves
-- $1 cycle bigint
SELECT direction, account, folded_account(stand_in_account) AS stand_in_account, sum(amount)::bigint AS amount
  FROM dropped_item
 WHERE cycle = $1
 GROUP BY 1, 2, 3;

-- name: dropped_of_unsettled
-- $1 last cycle bigint
SELECT r.cycle, d.direction, d.bank, d.stand_in, count(*) AS count, sum(d.amount)::bigint AS amount
  FROM clearing_run r JOIN dropped_item d ON d.cycle = r.cycle
 WHERE r.settled_at IS NULL AND r.cycle <= $1
 GROUP BY r.cycle, d.direction, d.bank, d.stand_in;

-- name: note_pulled
-- The first time stays. $1 name text, $2 pulled_at timestamptz
INSERT INTO file_receipt AS r (name, pulled_at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET pulled_at = excluded.pulled_at WHERE r.pulled_at IS NULL;

-- name: note_acknowledged
-- The first time stays. $1 name text, $2 acknowledged_at timestamptz
INSERT INTO file_receipt AS r (name, acknowledged_at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET acknowledged_at = excluded.acknowledged_at WHERE r.acknowledged_at IS NULL;

-- name: receipts
-- What each bank has done with its files of the cycles that are watched: those of the last days, those not settled, and
-- those with an alarm. A file that a later one replaces need not be acknowledged. $1 published since timestamptz
SELECT p.cycle, p.bank, r.published_at,
       count(*) FILTER (WHERE t.pulled_at IS NOT NULL) > 0 AS has_pulled,
       count(*) FILTER (WHERE t.acknowledged_at IS NOT NULL) > 0
       AND count(*) FILTER (WHERE t.pulled_at IS NOT NULL AND t.acknowledged_at IS NULL AND NOT f.is_replaced) = 0
           AS has_acknowledged
  FROM (SELECT cycle, published_at FROM clearing_run WHERE published_at >= $1
         UNION SELECT cycle, published_at FROM clearing_run WHERE settled_at IS NULL AND published_at IS NOT NULL
         UNION SELECT c.cycle, c.published_at FROM clearing_run c
                WHERE c.cycle IN (SELECT a.cycle FROM clearing_alarm a WHERE a.ended_at IS NULL)
                  AND c.published_at IS NOT NULL) r
  JOIN net_position p ON p.cycle = r.cycle
  JOIN LATERAL (SELECT f.name,
                       EXISTS (SELECT FROM clearing_file x
                                WHERE x.bank = f.bank AND x.cycle = f.cycle AND x.replaces = f.name
                                  AND x.published_at IS NOT NULL) AS is_replaced
                  FROM clearing_file f
                 WHERE f.bank = p.bank AND f.cycle = p.cycle AND f.published_at IS NOT NULL) f ON true
  LEFT JOIN file_receipt t ON t.name = f.name
 GROUP BY p.cycle, p.bank, r.published_at;

-- name: raise_alarms
-- Those that were not on. $1 alarms clearing_alarm[]
INSERT INTO clearing_alarm AS a SELECT * FROM unnest($1::clearing_alarm[])
ON CONFLICT (cycle, bank, kind) DO UPDATE SET raised_at = excluded.raised_at, ended_at = NULL
 WHERE a.ended_at IS NOT NULL
RETURNING cycle, bank, kind;

-- name: end_alarms
-- $1 alarms clearing_alarm[], $2 ended_at timestamptz
UPDATE clearing_alarm a SET ended_at = $2
  FROM unnest($1::clearing_alarm[]) v
 WHERE a.cycle = v.cycle AND a.bank = v.bank AND a.kind = v.kind AND a.ended_at IS NULL;

-- name: alarms_on
SELECT cycle, bank, kind FROM clearing_alarm WHERE ended_at IS NULL;

-- name: net_debit_caps
-- What holds now, of banks that have a cap.
SELECT bank, cap
  FROM (SELECT DISTINCT ON (bank) bank, cap FROM net_debit_cap ORDER BY bank, n DESC) c
 WHERE cap IS NOT NULL;

-- name: insert_net_debit_cap
-- Once for each approval. $1 bank uuid, $2 cap bigint, $3 set_at timestamptz, $4 approval text
INSERT INTO net_debit_cap (bank, n, cap, set_at, approval)
SELECT $1, coalesce(max(c.n), 0) + 1, $2, $3, $4 FROM net_debit_cap c WHERE c.bank = $1
ON CONFLICT (approval) DO NOTHING;

-- name: keep_liquidity
-- Of the banks that have a cap, and of no other. $1 looks liquidity[]
WITH gone AS (
    DELETE FROM liquidity l WHERE NOT EXISTS (SELECT FROM unnest($1::liquidity[]) v WHERE v.bank = l.bank)
)
INSERT INTO liquidity AS l SELECT * FROM unnest($1::liquidity[])
ON CONFLICT (bank) DO UPDATE SET cap = excluded.cap, used = excluded.used, looked_at = excluded.looked_at;

-- name: has_bank
-- $1 bank uuid
SELECT EXISTS (SELECT FROM bank WHERE id = $1);

-- name: settlement_bank
SELECT id FROM bank WHERE is_settlement_bank;

-- name: cycles
-- Closed ones, newest first, below a cursor. $1 cycle from bigint, $2 cycle to bigint, $3 count bigint
SELECT cycle, closed_at, sealed_at, netted_at, built_at, published_at, settlement_date, settled_at
  FROM clearing_run
 WHERE cycle BETWEEN $1 AND $2
 ORDER BY cycle DESC
 LIMIT $3;

-- name: alarms_of_cycles
-- Every bank's, or one bank's. $1 cycles bigint[], $2 bank uuid
SELECT cycle, bank, kind, raised_at, ended_at
  FROM clearing_alarm
 WHERE cycle = ANY ($1::bigint[]) AND ($2::uuid IS NULL OR bank = $2)
 ORDER BY cycle DESC, raised_at, bank, kind;

-- name: files_of_cycle
-- Published ones with what their banks have done; every bank's, or one bank's. $1 cycle bigint, $2 bank uuid
SELECT f.name, f.bank, f.item_count, t.pulled_at, t.acknowledged_at
  FROM net_position p
  JOIN LATERAL (SELECT x.* FROM clearing_file x WHERE x.bank = p.bank AND x.cycle = p.cycle) f ON true
  LEFT JOIN file_receipt t ON t.name = f.name
 WHERE p.cycle = $1 AND ($2::uuid IS NULL OR p.bank = $2) AND f.published_at IS NOT NULL
 ORDER BY f.bank, f.name;

-- name: liquidity
-- $1 bank uuid
SELECT bank, cap, used, looked_at FROM liquidity WHERE $1::uuid IS NULL OR bank = $1 ORDER BY bank;
