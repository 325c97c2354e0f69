-- name: insert_file
-- $1 file uuid, $2 now timestamptz
INSERT INTO import_file (id, started_at) VALUES ($1, $2);

-- name: insert_lines
-- $1 lines import_line[]
INSERT INTO import_line SELECT * FROM unnest($1::import_line[]);

-- name: mark_known
-- Which lines say of a participant exactly what is registered already. $1 file uuid
UPDATE import_line l
   SET is_known = k.is_known
  FROM (SELECT i.line,
               CASE i.kind
                   WHEN 'bank' THEN EXISTS (
                       SELECT 1 FROM bank b
                        WHERE b.cnaps = i.bank AND b.name_zh = i.name_zh AND b.name_en = i.name_en
                          AND region_in(b.id) = i.region)
                   WHEN 'merchant' THEN EXISTS (
                       SELECT 1 FROM merchant m JOIN bank b ON b.id = m.bank
                        WHERE m.code = i.code AND m.name_zh = i.name_zh AND m.name_en = i.name_en
                          AND m.region = i.region AND b.cnaps = i.bank AND m.scenarios = i.scenarios
                          AND (i.level IS NULL OR m.level = i.level)
                          AND NOT EXISTS (SELECT FROM unnest(i.terminals) t(id)
                                           WHERE NOT EXISTS (SELECT FROM terminal x
                                                              WHERE x.merchant = m.id AND x.terminal_id = t.id)))
                   WHEN 'agency' THEN EXISTS (
                       SELECT 1 FROM agency a JOIN bank b ON b.id = a.bank
                        WHERE a.code = i.code AND a.name_zh = i.name_zh AND a.name_en = i.name_en
                          AND a.region = i.region AND b.cnaps = i.bank AND a.item = i.item)
                   ELSE EXISTS (
                       SELECT 1 FROM merchant m
                        WHERE m.code = i.code
                          AND NOT EXISTS (SELECT FROM unnest(i.terminals) t(id)
                                           WHERE NOT EXISTS (SELECT FROM terminal x
                                                              WHERE x.merchant = m.id AND x.terminal_id = t.id)))
               END AS is_known
          FROM import_line i
         WHERE i.file = $1) k
 WHERE l.file = $1 AND l.line = k.line AND l.is_known <> k.is_known;

-- name: faults
-- What is wrong with lines beside each other and beside what is registered, in their order. $1 file uuid, $2 count bigint
SELECT f.line, f.field, f.reason
  FROM (SELECT l.line, 'code' AS field, 'named twice in this file' AS reason
          FROM import_line l
         WHERE l.file = $1 AND l.kind <> 'terminal'
           AND EXISTS (SELECT FROM import_line e
                        WHERE e.file = $1 AND e.kind = l.kind AND e.code = l.code AND e.line < l.line)
         UNION ALL
        SELECT l.line, 'code', 'registered already, and not as this line says'
          FROM import_line l
         WHERE l.file = $1 AND NOT l.is_known
           AND CASE l.kind
                   WHEN 'bank' THEN EXISTS (SELECT FROM bank b WHERE b.cnaps = l.bank)
                   WHEN 'merchant' THEN EXISTS (SELECT FROM merchant m WHERE m.code = l.code)
                   WHEN 'agency' THEN EXISTS (SELECT FROM agency a WHERE a.code = l.code)
                   ELSE false
               END
         UNION ALL
        SELECT l.line, 'bank', 'no bank of this number takes part'
          FROM import_line l
         WHERE l.file = $1 AND l.kind IN ('merchant', 'agency')
           AND NOT EXISTS (SELECT FROM bank b WHERE b.cnaps = l.bank)
           AND NOT EXISTS (SELECT FROM import_line e
                            WHERE e.file = $1 AND e.kind = 'bank' AND e.code = lpad(l.bank::text, 12, '0'))
         UNION ALL
        SELECT l.line, 'code', 'no merchant of this code takes part'
          FROM import_line l
         WHERE l.file = $1 AND l.kind = 'terminal'
           AND NOT EXISTS (SELECT FROM merchant m WHERE m.code = l.code)
           AND NOT EXISTS (SELECT FROM import_line e
                            WHERE e.file = $1 AND e.kind = 'merchant' AND e.code = l.code)) f
 ORDER BY f.line, f.field
 LIMIT $2;

-- name: counts
-- How many lines of each kind are new, and how many are known. $1 file uuid
SELECT kind, count(*) FILTER (WHERE NOT is_known) AS fresh, count(*) FILTER (WHERE is_known) AS known
  FROM import_line
 WHERE file = $1
 GROUP BY kind;

-- name: set_approval
-- $1 file uuid, $2 approval uuid
UPDATE import_file SET approval = $2 WHERE id = $1;

-- name: import_banks
-- $1 file uuid
INSERT INTO bank (id, cnaps, name_zh, name_en, is_settlement_bank)
SELECT l.participant, l.bank, l.name_zh, l.name_en, false
  FROM import_line l
 WHERE l.file = $1 AND l.kind = 'bank' AND NOT l.is_known;

-- name: import_merchants
-- $1 file uuid
INSERT INTO merchant (id, code, region, bank, is_suspended, scenarios, level, name_zh, name_en)
SELECT l.participant, l.code, l.region, b.id, false, l.scenarios, coalesce(l.level, 0), l.name_zh, l.name_en
  FROM import_line l JOIN bank b ON b.cnaps = l.bank
 WHERE l.file = $1 AND l.kind = 'merchant' AND NOT l.is_known;

-- name: import_agencies
-- $1 file uuid
INSERT INTO agency (id, code, region, item, bank, name_zh, name_en)
SELECT l.participant, l.code, l.region, l.item, b.id, l.name_zh, l.name_en
  FROM import_line l JOIN bank b ON b.cnaps = l.bank
 WHERE l.file = $1 AND l.kind = 'agency' AND NOT l.is_known;

-- name: import_terminals
-- $1 file uuid
INSERT INTO terminal (merchant, terminal_id)
SELECT m.id, t.id
  FROM import_line l JOIN merchant m ON m.code = l.code CROSS JOIN LATERAL unnest(l.terminals) t(id)
 WHERE l.file = $1 AND l.kind IN ('merchant', 'terminal') AND NOT l.is_known
ON CONFLICT DO NOTHING;

-- name: import_participants
-- $1 file uuid, $2 now timestamptz
INSERT INTO participant (id, version, is_suspended, registered_at, changed_at)
SELECT l.participant, 1, false, $2, $2
  FROM import_line l
 WHERE l.file = $1 AND l.kind <> 'terminal' AND NOT l.is_known;

-- name: import_keys
-- $1 file uuid, $2 field_key_id smallint
INSERT INTO caller_key (keyid, caller, alg, secret, field_key_id, is_suspended)
SELECT l.keyid, l.participant, l.alg, l.secret, $2, false
  FROM import_line l
 WHERE l.file = $1 AND l.keyid IS NOT NULL AND NOT l.is_known;

-- name: record_keys
-- $1 file uuid, $2 now timestamptz, $3 operator uuid
INSERT INTO key_record (keyid, caller, alg, added_at, added_by)
SELECT l.keyid, l.participant, l.alg, $2, $3
  FROM import_line l
 WHERE l.file = $1 AND l.keyid IS NOT NULL AND NOT l.is_known;

-- name: drop_file
-- $1 file uuid
WITH gone AS (
    DELETE FROM import_line WHERE file = $1
)
DELETE FROM import_file WHERE id = $1;

-- name: unwanted_files
-- What was given up while it was checked, or will not be approved any more. $1 started before timestamptz, $2 count bigint
SELECT f.id
  FROM import_file f LEFT JOIN approval a ON a.id = f.approval
 WHERE CASE WHEN f.approval IS NULL THEN f.started_at < $1 ELSE a.state <> 1 END
 LIMIT $2;
