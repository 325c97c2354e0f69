-- Banks' files over SFTP: the key that the server proves itself with, and what banks put into their inboxes.

CREATE TABLE sftp_host_key (
    id           boolean     PRIMARY KEY DEFAULT true CONSTRAINT sftp_host_key_is_one CHECK (id),
    secret       bytea       NOT NULL,  -- PKCS 8, encrypted with the field key
    field_key_id smallint    NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE sftp_host_key IS 'What every node proves itself with to SFTP clients (Ed25519): one key, so that they meet one server.';

CREATE TABLE inbox_file (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bank          uuid        NOT NULL,
    name          text        COLLATE "C" NOT NULL,
    size          bigint      NOT NULL,
    writer        integer     NOT NULL,  -- counts openings: only the last one may write
    changed_at    timestamptz NOT NULL,
    is_whole      boolean     NOT NULL,  -- its writer has closed it
    is_due        boolean     NOT NULL,  -- to be read, under a name that says it is ready
    taken_until   timestamptz,           -- a node is reading it; after that, another one may
    result        bytea,                 -- JSON: what became of it
    judged_at     timestamptz,
    is_removed    boolean     NOT NULL,  -- its bank has removed it, and only its result is left
    CONSTRAINT inbox_file_is_whole_before_it_is_due CHECK (is_whole OR NOT is_due),
    CONSTRAINT inbox_file_is_judged_or_not CHECK (judged_at IS NOT NULL OR result IS NULL)
);
COMMENT ON TABLE inbox_file IS 'What banks have put into their inboxes, whole or not, and what became of it.';
CREATE UNIQUE INDEX inbox_file_name ON inbox_file (bank, name);
COMMENT ON INDEX inbox_file_name IS 'A bank''s inbox; prevents two files of one name.';
CREATE INDEX inbox_file_due ON inbox_file (id) WHERE is_due AND judged_at IS NULL;
COMMENT ON INDEX inbox_file_due IS 'Files that have still to be read; nearly always none.';

CREATE TABLE inbox_part (
    file  bigint NOT NULL,
    at    bigint NOT NULL,  -- where in the file it begins
    bytes bytea  NOT NULL,
    PRIMARY KEY (file, at)
);
COMMENT ON TABLE inbox_part IS 'The bytes of files that are not judged yet.';
ALTER TABLE inbox_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
