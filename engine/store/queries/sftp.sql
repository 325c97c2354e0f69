-- name: host_key
SELECT secret FROM sftp_host_key;

-- name: insert_host_key
-- Unless another node was first. $1 secret bytea, $2 field_key_id smallint
INSERT INTO sftp_host_key (secret, field_key_id, created_at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING;

-- name: keys_of_bank
-- What a bank signs with, by its number. $1 cnaps bigint
SELECT b.id, k.keyid, k.alg, k.secret
  FROM bank b JOIN caller_key k ON k.caller = b.id
 WHERE b.cnaps = $1 AND NOT k.is_suspended;

-- name: bank_has_key
-- $1 keyid text, $2 caller uuid
SELECT EXISTS (SELECT FROM caller_key WHERE keyid = $1 AND caller = $2 AND NOT is_suspended);

-- name: business_dates_of_bank
-- The days of its published files. $1 bank uuid
SELECT DISTINCT business_date FROM clearing_file WHERE bank = $1 AND published_at IS NOT NULL ORDER BY 1;

-- name: inbox
-- $1 bank uuid
SELECT id, name, size, writer, changed_at, is_whole, is_due, result, judged_at, is_removed
  FROM inbox_file WHERE bank = $1 ORDER BY name;

-- name: inbox_file
-- $1 bank uuid, $2 name text
SELECT id, name, size, writer, changed_at, is_whole, is_due, result, judged_at, is_removed
  FROM inbox_file WHERE bank = $1 AND name = $2;

-- name: inbox_use
-- How many files a bank's inbox holds, and how many bytes of files that are not judged. $1 bank uuid
SELECT count(*) AS files, coalesce(sum(size) FILTER (WHERE judged_at IS NULL), 0)::bigint AS bytes
  FROM inbox_file WHERE bank = $1;

-- name: drop_old_files
-- What was judged, or was given up half-way, long ago. $1 bank uuid, $2 judged days integer, $3 half days integer
WITH dropped AS (
    DELETE FROM inbox_file
     WHERE bank = $1 AND (judged_at < clock_timestamp() - make_interval(days => $2)
                          OR (NOT is_due AND changed_at < clock_timestamp() - make_interval(days => $3)))
    RETURNING id
)
DELETE FROM inbox_part p USING dropped d WHERE p.file = d.id;

-- name: drop_file
-- With a name that nothing is being read under. $1 bank uuid, $2 name text
WITH dropped AS (
    DELETE FROM inbox_file WHERE bank = $1 AND name = $2 AND (NOT is_due OR judged_at IS NOT NULL) RETURNING id
), parts AS (
    DELETE FROM inbox_part p USING dropped d WHERE p.file = d.id
)
SELECT count(*) FROM dropped;

-- name: begin_file
-- An empty file, unless there is one of that name. $1 bank uuid, $2 name text
INSERT INTO inbox_file (bank, name, size, writer, changed_at, is_whole, is_due, is_removed)
VALUES ($1, $2, 0, 1, clock_timestamp(), false, false, false)
ON CONFLICT DO NOTHING
RETURNING id, name, size, writer, changed_at, is_whole, is_due, result, judged_at, is_removed;

-- name: resume_file
-- Go on writing a file that is not judged and is not to be; its earlier writer cannot any more. $1 bank uuid, $2 name text
UPDATE inbox_file SET writer = writer + 1, is_whole = false, changed_at = clock_timestamp()
 WHERE bank = $1 AND name = $2 AND NOT is_due AND judged_at IS NULL
RETURNING id, name, size, writer, changed_at, is_whole, is_due, result, judged_at, is_removed;

-- name: append_part
-- At the file's end, by its last writer; nothing otherwise. $1 id bigint, $2 writer integer, $3 at bigint, $4 bytes bytea
WITH grown AS (
    UPDATE inbox_file SET size = size + length($4::bytea), changed_at = clock_timestamp()
     WHERE id = $1 AND writer = $2 AND size = $3 AND NOT is_whole
    RETURNING id
), part AS (
    INSERT INTO inbox_part (file, at, bytes) SELECT id, $3, $4::bytea FROM grown
)
SELECT count(*) FROM grown;

-- name: close_file
-- $1 id bigint, $2 writer integer, $3 size bigint, $4 is due bool
UPDATE inbox_file SET is_whole = true, is_due = $4, changed_at = clock_timestamp()
 WHERE id = $1 AND writer = $2 AND size = $3 AND NOT is_whole
RETURNING id;

-- name: rename_file
-- A file that is whole and not to be read yet, to a name that is free. $1 bank uuid, $2 name text, $3 new name text,
-- $4 is due bool
UPDATE inbox_file f SET name = $3, is_due = $4, changed_at = clock_timestamp()
 WHERE f.bank = $1 AND f.name = $2 AND f.is_whole AND NOT f.is_due
   AND NOT EXISTS (SELECT FROM inbox_file o WHERE o.bank = $1 AND o.name = $3)
RETURNING id;

-- name: hide_file
-- Leave only the result of a file that was judged. $1 bank uuid, $2 name text
UPDATE inbox_file SET is_removed = true
 WHERE bank = $1 AND name = $2 AND result IS NOT NULL AND NOT is_removed
RETURNING id;

-- name: drop_result
-- Of a file that was judged; the file itself, if its bank has not removed it, stays. $1 bank uuid, $2 name text
WITH dropped AS (
    DELETE FROM inbox_file WHERE bank = $1 AND name = $2 AND result IS NOT NULL AND is_removed RETURNING id
), emptied AS (
    UPDATE inbox_file SET result = NULL WHERE bank = $1 AND name = $2 AND result IS NOT NULL AND NOT is_removed
    RETURNING id
)
SELECT (SELECT count(*) FROM dropped) + (SELECT count(*) FROM emptied);

-- name: take_file
-- Read a file that is due, unless a node does. $1 id bigint, $2 seconds float8
UPDATE inbox_file SET taken_until = clock_timestamp() + make_interval(secs => $2)
 WHERE id = $1 AND is_due AND judged_at IS NULL AND (taken_until IS NULL OR taken_until < clock_timestamp())
RETURNING bank, name;

-- name: due_files
-- That no node reads, oldest first. $1 count bigint
SELECT id FROM inbox_file
 WHERE is_due AND judged_at IS NULL AND (taken_until IS NULL OR taken_until < clock_timestamp())
 ORDER BY id LIMIT $1;

-- name: release_file
-- Of a file that could not be read now; it may be taken again after a while. $1 id bigint, $2 seconds float8
UPDATE inbox_file SET taken_until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1 AND judged_at IS NULL;

-- name: file_parts
-- In order, from a place on. $1 id bigint, $2 at bigint, $3 count bigint
SELECT at, bytes FROM inbox_part WHERE file = $1 AND at >= $2 ORDER BY at LIMIT $3;

-- name: judge_file
-- Keep what became of a file; its bytes are not needed any more. $1 id bigint, $2 result bytea
WITH judged AS (
    UPDATE inbox_file SET result = $2, judged_at = clock_timestamp(), taken_until = NULL
     WHERE id = $1 AND is_due AND judged_at IS NULL
    RETURNING id
)
DELETE FROM inbox_part p USING judged j WHERE p.file = j.id;
