-- Uploads of banks as they came, and reconciliation: what the banks' statements say beside what their files told them.
--
-- An upload's bytes are kept, so that what was compared can be compared again on any node. Its lines are staged in
-- tables of one session and leave only what is worth keeping: the matches, packed, and the differences.

CREATE TABLE upload (
    id              uuid        PRIMARY KEY,
    bank            uuid        NOT NULL,
    started_at      timestamptz NOT NULL,  -- by the database's own clock: what is too old was cut short
    kind            text,                  -- from here on null until the upload is accepted
    form            text,
    file_id         text COLLATE "C",
    idempotency_key text,
    size            bigint,
    sha256          bytea,
    line_count      bigint,
    debit_total     bigint,
    credit_total    bigint,
    accepted_at     timestamptz
);
COMMENT ON TABLE upload IS 'A file that a bank has sent: complete and checked once it is accepted, and never changed then.';
CREATE UNIQUE INDEX upload_file_once ON upload (bank, file_id);
COMMENT ON INDEX upload_file_once IS 'Prevents a second file of one id, whoever sends it at the same instant.';
CREATE UNIQUE INDEX upload_key_once ON upload (bank, idempotency_key) WHERE idempotency_key IS NOT NULL;
COMMENT ON INDEX upload_key_once IS 'Prevents a second file under one idempotency key.';
CREATE INDEX upload_cut_short ON upload (started_at) WHERE accepted_at IS NULL;
COMMENT ON INDEX upload_cut_short IS 'What an upload that did not come to its end has left, to be taken away.';

CREATE TABLE upload_chunk (
    upload uuid    NOT NULL,
    part   integer NOT NULL,
    bytes  bytea   NOT NULL,
    PRIMARY KEY (upload, part)
);
COMMENT ON TABLE upload_chunk IS 'The bytes of an upload in parts, as they came.';
ALTER TABLE upload_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE reconciliation (
    id            uuid        PRIMARY KEY,
    upload        uuid        NOT NULL CONSTRAINT reconciliation_of_one_upload UNIQUE,
    bank          uuid        NOT NULL,
    business_date date        NOT NULL,
    cycle_from    bigint      NOT NULL,  -- the cycles whose files it is about, both included
    cycle_to      bigint      NOT NULL,
    is_whole_day  boolean     NOT NULL,
    files         text[]      NOT NULL,  -- fixed when the statement was accepted; a match names one by its place
    state         smallint    NOT NULL,
    created_at    timestamptz NOT NULL,
    reconciled_at timestamptz,
    our_count     bigint,
    our_debits    bigint,
    our_credits   bigint,
    matched_count bigint,
    superseded_by uuid
);
COMMENT ON TABLE reconciliation IS 'One statement beside the clearing files that it is about.';
CREATE INDEX reconciliation_of_bank ON reconciliation (bank, id);
COMMENT ON INDEX reconciliation_of_bank IS 'A bank''s list, newest first.';
CREATE INDEX reconciliation_of_day ON reconciliation (business_date, bank) WHERE superseded_by IS NULL;
COMMENT ON INDEX reconciliation_of_day IS
    'What stands of a date: for statements that replace it, for loose ends, for a payment''s timeline.';
CREATE INDEX reconciliation_pending ON reconciliation (id) WHERE state = 1;
COMMENT ON INDEX reconciliation_pending IS 'What was cut short and has to be taken up again.';

CREATE TABLE reconciliation_match (
    reconciliation uuid  NOT NULL,
    first          bytea NOT NULL,  -- payment id of the first record, as in the record
    records        bytea NOT NULL,  -- of equal size, by payment id: id without prefix, place of the file, line of it, line
                                    -- of the statement; a payment's are never in two rows
    PRIMARY KEY (reconciliation, first)
);
COMMENT ON TABLE reconciliation_match IS 'Everything that matched, packed: a payment''s timeline looks up one row.';
ALTER TABLE reconciliation_match ALTER COLUMN records SET STORAGE EXTERNAL;

CREATE TABLE difference (
    reconciliation uuid        NOT NULL,
    n              integer     NOT NULL,
    bank           uuid        NOT NULL,
    kind           smallint    NOT NULL,
    effect         smallint    NOT NULL,
    cause          smallint    NOT NULL,
    found_kind     smallint    NOT NULL,  -- what it was within its own statement
    found_effect   smallint    NOT NULL,
    found_cause    smallint    NOT NULL,
    is_loose       boolean     NOT NULL,  -- one side only, and the other may turn up in another statement
    payment_id     text COLLATE "C" NOT NULL,  -- empty: the bank gave none
    leg            text        NOT NULL,
    our_direction  smallint,
    our_amount     bigint,
    our_date       date,
    our_file       text COLLATE "C",
    our_seq        integer,
    order_no       text        NOT NULL,
    direction      smallint,
    amount         bigint,
    booked_on      date,
    line           integer,
    bank_ref       text        NOT NULL,
    account        text        NOT NULL,  -- token of the account at the bank
    tied_to        uuid,                  -- the difference of another statement that is its other side
    tied_n         integer,
    state          smallint    NOT NULL,
    first_seen_at  timestamptz NOT NULL,
    first_seen_on  date        NOT NULL,  -- business date
    owner          text        NOT NULL,
    is_handled     boolean     NOT NULL,  -- a person has dealt with it: nothing changes it by itself any more
    handling       smallint,
    resolution     text        NOT NULL,  -- id of the approval and of the posting that settle it
    settled_at     timestamptz,
    PRIMARY KEY (reconciliation, n),
    CONSTRAINT difference_has_a_side CHECK (our_amount IS NOT NULL OR amount IS NOT NULL)
);
COMMENT ON TABLE difference IS 'What does not agree, or agrees only by another date. One row a case, kept for ever.';
CREATE INDEX difference_loose ON difference (bank, payment_id) WHERE is_loose;
COMMENT ON INDEX difference_loose IS 'A payment''s loose ends, in all statements of its bank.';
CREATE INDEX difference_early ON difference (bank, our_date) WHERE is_loose AND line IS NOT NULL AND our_date IS NOT NULL;
COMMENT ON INDEX difference_early IS 'Lines that were tied to an item before a statement was about it.';
CREATE INDEX difference_of_payment ON difference (payment_id) WHERE payment_id <> '';
COMMENT ON INDEX difference_of_payment IS 'A payment''s timeline.';
CREATE INDEX difference_unsettled ON difference (reconciliation) WHERE state IN (1, 2);
COMMENT ON INDEX difference_unsettled IS 'Whether a reconciliation is balanced.';
CREATE INDEX difference_alike ON difference (bank, account) WHERE is_loose AND state = 1 AND account <> '';
COMMENT ON INDEX difference_alike IS 'Lines that may be an item that is missing: of the same account.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE c.relname IN ('upload_file_once', 'upload_key_once') AND i.indisunique) = 2,
           'one file id and one idempotency key are one upload';
END $$;
