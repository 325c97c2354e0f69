-- Files in several forms, of several cycles, in several versions.
--
-- A bank may get its files at the end of some of a day's cycles only; a file then covers all of them since the last one.
-- Which they are is kept when the cycle is netted, and so is what a file's heading says that no posting knows: any file
-- can be made again, byte by byte, from what is here.

ALTER TABLE bank ADD COLUMN delivery smallint[];
COMMENT ON COLUMN bank.delivery IS
    'The places in the day of the cycles at whose end the bank gets its files; null: of every cycle. '
    'The last cycle of a day always delivers.';

ALTER TABLE clearing_run
    ADD COLUMN settlement_bank uuid,  -- through which the net positions of the cycle move
    ADD COLUMN forms           text[] NOT NULL DEFAULT '{flat}';
COMMENT ON COLUMN clearing_run.forms IS 'The forms that its files were made in: a later one is no reason to miss any.';

ALTER TABLE net_position ADD COLUMN delivers_from bigint;
COMMENT ON COLUMN net_position.delivers_from IS
    'The first of the cycles whose items the bank gets at the end of this one; null: they wait for a later one.';
CREATE INDEX net_position_of_bank ON net_position (bank, cycle);
COMMENT ON INDEX net_position_of_bank IS 'Which cycles a bank has still to get files of, and its list of positions.';

ALTER TABLE clearing_file
    ADD COLUMN first_cycle     bigint,
    ADD COLUMN created_at      timestamptz,  -- as the file says
    ADD COLUMN previous_sha256 bytea NOT NULL DEFAULT '',  -- as the file says
    ADD COLUMN status          text  NOT NULL DEFAULT 'published';
COMMENT ON COLUMN clearing_file.status IS 'What the bank has said of the file; nothing else of a published file changes.';
COMMENT ON TABLE clearing_file IS 'A file''s manifest. Once it is published nothing of it changes but its status.';
CREATE UNIQUE INDEX clearing_file_replaced_once ON clearing_file (replaces) WHERE replaces IS NOT NULL;
COMMENT ON INDEX clearing_file_replaced_once IS 'Prevents two corrections of one file, and finds the one there is.';

-- Cycles whose files are not made yet are netted once more; of the others it is known what their files say.
DELETE FROM net_position n USING clearing_run r WHERE r.cycle = n.cycle AND r.built_at IS NULL;
DELETE FROM clearing_route n USING clearing_run r WHERE r.cycle = n.cycle AND r.built_at IS NULL;
UPDATE clearing_run SET netted_at = NULL WHERE built_at IS NULL;
UPDATE clearing_run SET settlement_bank = (SELECT b.id FROM bank b WHERE b.is_settlement_bank)
 WHERE netted_at IS NOT NULL;
UPDATE net_position SET delivers_from = cycle;
UPDATE clearing_file f
   SET first_cycle = f.cycle, created_at = r.closed_at,
       previous_sha256 = coalesce((SELECT p.sha256 FROM clearing_file p
                                    WHERE p.bank = f.bank AND p.kind = f.kind AND p.form = f.form AND p.cycle < f.cycle
                                    ORDER BY p.cycle DESC LIMIT 1), '')
  FROM clearing_run r
 WHERE r.cycle = f.cycle;
ALTER TABLE clearing_file
    ALTER COLUMN first_cycle SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL;

-- What a netted cycle and its files hand over, as arrays: columns that others add to the tables do not matter here.
CREATE TYPE netted_bank AS (
    bank          uuid,
    debits        bigint,
    credits       bigint,
    debit_count   bigint,
    credit_count  bigint,
    delivers_from bigint
);
CREATE TYPE routed_account AS (account uuid, bank uuid);
CREATE TYPE file_manifest AS (
    name            text,
    bank            uuid,
    cycle           bigint,
    first_cycle     bigint,
    kind            text,
    form            text,
    version         smallint,
    business_date   date,
    item_count      bigint,
    debit_total     bigint,
    credit_total    bigint,
    size            bigint,
    sha256          bytea,
    range_from      text,
    range_to        text,
    root            bytea,
    key_id          text,
    signature       bytea,
    created_at      timestamptz,
    previous_sha256 bytea,
    replaces        text,
    published_at    timestamptz
);

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM clearing_run r JOIN net_position n ON n.cycle = r.cycle
                        WHERE r.built_at IS NULL OR n.delivers_from IS NULL),
           'every position that is kept has its files';
END $$;
