-- name: lock_migrations
-- One migrator at a time; the others wait and then find nothing to do. $1 lock bigint
SELECT pg_advisory_lock($1);

-- name: unlock_migrations
-- $1 lock bigint
SELECT pg_advisory_unlock($1);

-- name: create_migration_table
CREATE TABLE IF NOT EXISTS migration (
    name       text        PRIMARY KEY,
    sha256     bytea       NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations
SELECT to_regclass('migration') IS NOT NULL;

-- name: applied_migrations
SELECT name, sha256 FROM migration ORDER BY name;

-- name: record_migration
-- $1 name text, $2 sha256 bytea
INSERT INTO migration (name, sha256) VALUES ($1, $2);

-- name: clock
SELECT clock_timestamp();

-- name: open_books
-- The first open cycle; nothing happens when there is one. $1 business_date date, $2 cycle bigint, $3 cutoff_at timestamptz
INSERT INTO control (business_date, cycle, cutoff_at, published_cycle, sandbox_offset_us)
VALUES ($1, $2, $3, $2::bigint - 1, 0)
ON CONFLICT DO NOTHING;

-- name: ensure_partition
-- $1 parent text, $2 child text, $3 key text, $4 lower text, $5 upper text, $6 fillfactor integer
SELECT ensure_partition($1, $2, $3, $4, $5, $6);

-- name: partitions
-- $1 parent text
SELECT c.relname
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = to_regclass($1) AND NOT i.inhdetachpending
 ORDER BY c.relname;

-- name: detach_code_uses
-- Statements that take away the code uses of days before the given partition; each has to run alone. $1 first kept text
SELECT format('ALTER TABLE code_use DETACH PARTITION %I CONCURRENTLY', c.relname) AS detach,
       format('DROP TABLE %I', c.relname) AS drop
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'code_use'::regclass AND c.relname < $1
 ORDER BY c.relname;
