-- What banks pull: files that never change once they are published.

CREATE TABLE clearing_file (
    name          text        PRIMARY KEY,
    bank          uuid        NOT NULL,
    cycle         bigint      NOT NULL,
    kind          text        NOT NULL,
    form          text        NOT NULL,
    version       smallint    NOT NULL,
    business_date date        NOT NULL,
    item_count    bigint      NOT NULL,
    debit_total   bigint NOT NULL,
    credit_total  bigint NOT NULL,
    size          bigint      NOT NULL,
    sha256        bytea       NOT NULL,
    range_from    text        NOT NULL,  -- where in the journal its items begin and end
    range_to      text        NOT NULL,
    root          bytea       NOT NULL,  -- of the cycle's seal
    key_id        text        NOT NULL,
    signature     bytea       NOT NULL,
    replaces      text,
    published_at  timestamptz NOT NULL,
    CONSTRAINT clearing_file_once UNIQUE (bank, cycle, kind, form, version)
);
CREATE INDEX clearing_file_of_bank ON clearing_file (bank, cycle);
COMMENT ON INDEX clearing_file_of_bank IS 'A bank''s list of its files.';

CREATE TABLE clearing_chunk (
    name  text    NOT NULL,
    part  integer NOT NULL,
    bytes bytea   NOT NULL,
    PRIMARY KEY (name, part)
);
COMMENT ON TABLE clearing_chunk IS 'The bytes of a file in parts of equal size (the last may be shorter), for ranges and streaming.';
ALTER TABLE clearing_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE net_position (
    cycle   bigint      NOT NULL,
    bank    uuid        NOT NULL,
    debits  bigint NOT NULL,
    credits bigint NOT NULL,
    PRIMARY KEY (cycle, bank)
);
COMMENT ON TABLE net_position IS 'What each bank pays and gets in a cycle; the nets of a cycle sum to zero.';

CREATE TABLE clearing_run (
    cycle        bigint      PRIMARY KEY,
    closed_at    timestamptz NOT NULL,
    netted_at    timestamptz,
    published_at timestamptz
);
COMMENT ON TABLE clearing_run IS 'How far a closed cycle has come; every step can be taken again.';
