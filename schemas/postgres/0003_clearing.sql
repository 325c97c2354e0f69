-- Clearing: how far each closed cycle has come, what the banks owe each other, and the files that they pull.
--
-- A cycle that is closed never changes, so each step here can be taken again after a crash and comes out the same:
-- what a step needs beside the postings (when the cycle was closed, which bank an account cleared through) is kept.

CREATE TABLE clearing_run (
    cycle        bigint      PRIMARY KEY,
    closed_at    timestamptz NOT NULL,  -- also what its files give as the time they were made
    sealed_at    timestamptz,           -- every lane has passed the barrier: nothing can be added to the cycle
    netted_at    timestamptz,
    built_at     timestamptz,
    published_at timestamptz
);
COMMENT ON TABLE clearing_run IS 'How far a closed cycle has come; every step can be taken again.';
CREATE INDEX clearing_run_unpublished ON clearing_run (cycle) WHERE published_at IS NULL;
COMMENT ON INDEX clearing_run_unpublished IS 'What the timetable has still to publish, asked every second.';

CREATE TABLE clearing_route (
    cycle   bigint NOT NULL,
    account uuid   NOT NULL,  -- a merchant's, or a pooled fund's
    bank    uuid   NOT NULL,
    PRIMARY KEY (cycle, account)
);
COMMENT ON TABLE clearing_route IS
    'The bank that an account cleared through: a merchant that changes its bank stays where it was in closed cycles.';

CREATE TABLE net_position (
    cycle        bigint NOT NULL,
    bank         uuid   NOT NULL,
    debits       bigint NOT NULL,
    credits      bigint NOT NULL,
    debit_count  bigint NOT NULL,
    credit_count bigint NOT NULL,
    PRIMARY KEY (cycle, bank)
);
COMMENT ON TABLE net_position IS
    'What each bank pays and gets in a cycle, every bank that takes part included; the nets of a cycle sum to zero.';

CREATE TABLE clearing_file (
    name          text COLLATE "C" PRIMARY KEY,
    bank          uuid        NOT NULL,
    cycle         bigint      NOT NULL,
    kind          text        NOT NULL,
    form          text        NOT NULL,
    version       smallint    NOT NULL,
    business_date date        NOT NULL,
    item_count    bigint      NOT NULL,
    debit_total   bigint      NOT NULL,
    credit_total  bigint      NOT NULL,
    size          bigint      NOT NULL,
    sha256        bytea       NOT NULL,
    range_from    text        NOT NULL,  -- the batches of its cycle, as lane.seq of each lane that had any: the first,
    range_to      text        NOT NULL,  -- and the last
    root          bytea       NOT NULL,  -- of the cycle's seal
    key_id        text        NOT NULL,
    signature     bytea       NOT NULL,
    replaces      text COLLATE "C",
    published_at  timestamptz,           -- null: made, and seen by nobody yet
    CONSTRAINT clearing_file_once UNIQUE (bank, cycle, kind, form, version)
);
COMMENT ON TABLE clearing_file IS 'A file''s manifest. Once it is published nothing of it changes.';
CREATE INDEX clearing_file_of_bank ON clearing_file (bank, cycle, name);
COMMENT ON INDEX clearing_file_of_bank IS 'A bank''s list of its files, newest first.';

CREATE TABLE clearing_chunk (
    name  text COLLATE "C" NOT NULL,
    part  integer          NOT NULL,
    bytes bytea            NOT NULL,
    PRIMARY KEY (name, part)
);
COMMENT ON TABLE clearing_chunk IS 'The bytes of a file in parts of equal size (the last may be shorter), for ranges and streaming.';
ALTER TABLE clearing_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Personal accounts clear through their region's fund, so those of one region fold into one account: the cardholder's
-- part of the id (time, shard, entropy) is zeroed; the kind (0x80) and the region stay. Layout: engine/core/ids.py.
CREATE FUNCTION folded_account(account uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN substr(account::text, 17, 2) = '80'
            THEN ('00000000-0000-00' || substr(account::text, 17, 9) || '00000000000')::uuid
            ELSE account END;

DO $$
BEGIN
    ASSERT folded_account('019ab1c2-d3e4-0780-1ae1-5fedcba98765') = '00000000-0000-0080-1ae1-500000000000'::uuid,
           'a personal account keeps its kind and its region';
    ASSERT folded_account('019ab1c2-d3e4-0784-1ae1-5fedcba98765') = '019ab1c2-d3e4-0784-1ae1-5fedcba98765'::uuid,
           'every other account stays as it is';
END $$;
