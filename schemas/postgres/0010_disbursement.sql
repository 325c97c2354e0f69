-- Benefits paid out in batches: checked whole, approved by two operators, sent to the payees' banks line by line.

CREATE TABLE disbursement (
    id             uuid        PRIMARY KEY,
    agency         uuid        NOT NULL,
    region         integer     NOT NULL,  -- of the agency
    state          smallint    NOT NULL,  -- 1 being read, 2 given up, 3 draft, 4 withdrawn, 5 approved
    upload         uuid        CONSTRAINT disbursement_upload_unique UNIQUE,  -- null while it is being read
    batch_no       text COLLATE "C",      -- the agency's own
    line_count     bigint      NOT NULL DEFAULT 0,  -- as uploaded; what is issued again is not counted
    amount         bigint      NOT NULL DEFAULT 0,
    pending_count  bigint      NOT NULL DEFAULT 0,  -- to be sent; kept with the lines, in the same statements
    held_count     bigint      NOT NULL DEFAULT 0,
    returned_count bigint      NOT NULL DEFAULT 0,
    reissued_count bigint      NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    approval       uuid,                  -- the last one that was asked for
    approved_at    timestamptz,           -- null: nothing is sent yet
    asked_cycle    bigint      NOT NULL DEFAULT 0  -- the last cycle in which held lines were looked at again
);
COMMENT ON TABLE disbursement IS 'A batch of benefits. What has been paid follows from its lines and from the cycles that are settled.';
CREATE INDEX disbursement_of_agency ON disbursement (agency, id);
COMMENT ON INDEX disbursement_of_agency IS 'An agency''s list of its batches, newest first.';
CREATE INDEX disbursement_due ON disbursement (id) WHERE approved_at IS NOT NULL AND (pending_count > 0 OR held_count > 0);
COMMENT ON INDEX disbursement_due IS 'What has still to be sent, asked every second.';
CREATE INDEX disbursement_unwanted ON disbursement (id) WHERE state IN (1, 2, 4);
COMMENT ON INDEX disbursement_unwanted IS 'Whose lines are taken away; nearly always none but those that are withdrawn.';

CREATE TABLE disbursement_fund (
    batch      uuid    NOT NULL,
    region     integer NOT NULL,  -- the pooling area
    pay_type   integer NOT NULL,
    line_count bigint  NOT NULL,
    amount     bigint  NOT NULL,
    PRIMARY KEY (batch, region, pay_type)
);
COMMENT ON TABLE disbursement_fund IS 'What a batch takes from each fund: what is approved, and posted as owed.';

CREATE TABLE disbursement_line (
    id           uuid     PRIMARY KEY,
    batch        uuid     NOT NULL,
    n            integer  NOT NULL,  -- its place in the batch, from one
    line_ref     text COLLATE "C" NOT NULL,  -- the agency's own
    card         uuid     NOT NULL,
    benefit_code text COLLATE "C" NOT NULL,
    period       integer  NOT NULL,  -- the month that it is for, yyyymm
    region       integer  NOT NULL,  -- of the fund
    pay_type     integer  NOT NULL,
    amount       bigint   NOT NULL CONSTRAINT disbursement_line_amount_positive CHECK (amount > 0),
    bank         uuid,               -- that keeps the payee's account; null: no such card, so the batch is refused
    state        smallint NOT NULL,  -- 1 pending, 2 held, 3 sent, 4 returned, 5 issued again
    reason       text,               -- why it is held, or was returned
    cycle        bigint,             -- in which it was sent
    replaces     uuid,               -- the returned line in whose place it is
    CONSTRAINT disbursement_line_place UNIQUE (batch, n),
    CONSTRAINT disbursement_line_replaces_once UNIQUE (replaces)
) WITH (fillfactor = 85);
COMMENT ON TABLE disbursement_line IS 'One benefit for one person and month.';
COMMENT ON CONSTRAINT disbursement_line_replaces_once ON disbursement_line IS 'Prevents issuing a returned line again twice.';
CREATE UNIQUE INDEX disbursement_line_once ON disbursement_line (card, period, benefit_code, pay_type, region)
 WHERE replaces IS NULL;
COMMENT ON INDEX disbursement_line_once IS 'Prevents paying the same benefit twice to the same person for the same month from the same fund, for ever.';
CREATE UNIQUE INDEX disbursement_line_ref ON disbursement_line (batch, line_ref) WHERE replaces IS NULL;
COMMENT ON INDEX disbursement_line_ref IS 'Prevents two lines of one batch under the same reference.';

CREATE TABLE disbursement_cycle (
    batch           uuid   NOT NULL,
    cycle           bigint NOT NULL,
    sent_count      bigint NOT NULL,
    sent_amount     bigint NOT NULL,
    returned_count  bigint NOT NULL,
    returned_amount bigint NOT NULL,
    PRIMARY KEY (batch, cycle)
);
COMMENT ON TABLE disbursement_cycle IS 'What of a batch was sent in each cycle, and what of that came back.';

-- What is handed over of a line, in the order of the table's columns as far as they are told.
CREATE TYPE staged_line AS (
    id           uuid,
    n            integer,
    line         integer,  -- of the upload
    line_ref     text,
    card         uuid,
    benefit_code text,
    period       integer,
    region       integer,
    pay_type     integer,
    amount       bigint
);
CREATE TYPE sent_line AS (id uuid, cycle bigint);
CREATE TYPE returned_line AS (id uuid, reason text);

DO $$
BEGIN
    ASSERT (SELECT indisunique FROM pg_index WHERE indexrelid = 'disbursement_line_once'::regclass),
           'a benefit is paid once';
END $$;
