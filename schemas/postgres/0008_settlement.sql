-- Settlement: when cycles take their steps, what the settlement bank is told and answers, and what people are warned of.
--
-- What was published never changes, so settling keeps its own record beside it: each attempt with the nets that it
-- moved, and the items that dropped out of a cycle before it was instructed.

ALTER TABLE control ADD COLUMN settled_cycle bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN control.settled_cycle IS
    'Every cycle up to this one is settled; later ones may be, too, while an earlier one waits.';

ALTER TABLE clearing_run ADD COLUMN settlement_date date, ADD COLUMN settled_at timestamptz;
COMMENT ON COLUMN clearing_run.settlement_date IS
    'T+1 on working days as they were known when the cycle was closed: its files say it, so it never changes.';
COMMENT ON COLUMN clearing_run.settled_at IS 'Final: whatever was wrong is corrected by opposite postings in a later cycle.';
CREATE INDEX clearing_run_unsettled ON clearing_run (cycle) WHERE settled_at IS NULL;
COMMENT ON INDEX clearing_run_unsettled IS 'What has still to be settled, asked every second.';
CREATE INDEX clearing_run_published ON clearing_run (published_at);
COMMENT ON INDEX clearing_run_published IS 'The cycles of the last days, whose banks are watched.';

CREATE FUNCTION are_cut_offs(times time[]) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN cardinality(times) BETWEEN 1 AND 99 AND times[cardinality(times)] = '23:00'
       AND times = ARRAY(SELECT DISTINCT t FROM unnest(times) t ORDER BY t);

CREATE TABLE timetable (
    one             boolean PRIMARY KEY DEFAULT true CONSTRAINT timetable_is_one_row CHECK (one),
    cut_offs        time[]  NOT NULL DEFAULT '{23:00}' CONSTRAINT timetable_cut_offs CHECK (are_cut_offs(cut_offs)),
    net_after_s     integer NOT NULL DEFAULT 0,
    publish_after_s integer NOT NULL DEFAULT 0,
    pull_by         time    NOT NULL DEFAULT '06:00',
    acknowledge_by  time    NOT NULL DEFAULT '08:00',
    instruct_at     time    NOT NULL DEFAULT '09:00',
    CONSTRAINT timetable_order CHECK (net_after_s >= 0 AND net_after_s <= publish_after_s)
);
COMMENT ON TABLE timetable IS
    'The national timetable, times of Shanghai. Cut-offs that are changed hold from the next cycle that opens.';
INSERT INTO timetable DEFAULT VALUES;

CREATE TABLE working_day (
    day        date    PRIMARY KEY,
    is_working boolean NOT NULL,
    reason     text    NOT NULL
);
COMMENT ON TABLE working_day IS
    'Days that are decided otherwise than the calendar knows: a new notice, or a year that it lacks.';

CREATE TABLE net_debit_cap (
    bank     uuid        NOT NULL,
    n        integer     NOT NULL,  -- of the bank's changes, from one; the last one holds
    cap      bigint      CONSTRAINT net_debit_cap_not_negative CHECK (cap >= 0),  -- null: none
    set_at   timestamptz NOT NULL,
    approval text        NOT NULL CONSTRAINT net_debit_cap_approval_once UNIQUE,
    PRIMARY KEY (bank, n)
);
COMMENT ON TABLE net_debit_cap IS
    'What a bank may owe over everything that is not settled. Insert only; each change was approved by two.';

CREATE TABLE liquidity (
    bank      uuid        PRIMARY KEY,
    cap       bigint      NOT NULL,
    used      bigint      NOT NULL,
    looked_at timestamptz NOT NULL
);
COMMENT ON TABLE liquidity IS 'How much of its cap each bank had used when the timetable last looked, the open cycle included.';

CREATE TABLE settlement (
    cycle           bigint      NOT NULL,
    attempt         smallint    NOT NULL,
    settlement_date date        NOT NULL,
    instructed_at   timestamptz NOT NULL,
    outcome         text,                 -- null: the settlement bank has not answered
    reference       text,
    answered_at     timestamptz,
    PRIMARY KEY (cycle, attempt),
    CONSTRAINT settlement_reference_once UNIQUE (cycle, reference),
    CONSTRAINT settlement_answered_whole CHECK (num_nulls(outcome, reference, answered_at) IN (0, 3))
);
CREATE UNIQUE INDEX settlement_one_open ON settlement (cycle) WHERE outcome IS NULL;
COMMENT ON INDEX settlement_one_open IS 'Prevents a second instruction while the first may still be carried out.';
COMMENT ON TABLE settlement IS 'Each attempt to settle a cycle. Answered once; a confirmation is final.';

CREATE TABLE settlement_net (
    cycle        bigint   NOT NULL,
    attempt      smallint NOT NULL,
    bank         uuid     NOT NULL,
    debits       bigint   NOT NULL,
    credits      bigint   NOT NULL,
    debit_count  bigint   NOT NULL,
    credit_count bigint   NOT NULL,
    PRIMARY KEY (cycle, attempt, bank)
);
COMMENT ON TABLE settlement_net IS
    'What an attempt takes from each bank and gives to it: the cycle''s positions less what had dropped out by then.';

CREATE TABLE dropped_item (
    cycle      bigint      NOT NULL,
    item       text        NOT NULL,  -- what names it within its cycle: lane.seq.n of its posting
    debtor     uuid        NOT NULL,  -- banks
    creditor   uuid        NOT NULL,
    amount     bigint      NOT NULL CONSTRAINT dropped_item_amount_positive CHECK (amount > 0),
    reason     text        NOT NULL,
    dropped_at timestamptz NOT NULL,
    PRIMARY KEY (cycle, item)
);
COMMENT ON TABLE dropped_item IS 'Items that are not settled with their cycle: returned or rejected before it was instructed.';

CREATE TABLE file_receipt (
    name            text COLLATE "C" PRIMARY KEY,
    pulled_at       timestamptz,
    acknowledged_at timestamptz
);
COMMENT ON TABLE file_receipt IS 'When a bank first pulled a file to its end, and when it first acknowledged it.';

CREATE TABLE clearing_alarm (
    cycle     bigint      NOT NULL,
    bank      uuid        NOT NULL,
    kind      text        NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at  timestamptz,           -- null: it is on
    PRIMARY KEY (cycle, bank, kind)
);
CREATE INDEX clearing_alarm_on ON clearing_alarm (cycle) WHERE ended_at IS NULL;
COMMENT ON INDEX clearing_alarm_on IS 'The alarms that are on.';
COMMENT ON TABLE clearing_alarm IS 'What a person has to look at. An alarm ends when its reason does, and may be raised again.';

DO $$
BEGIN
    ASSERT are_cut_offs('{11:00,17:00,23:00}'), 'several cut-offs a day';
    ASSERT NOT are_cut_offs('{17:00,11:00,23:00}'), 'in order';
    ASSERT NOT are_cut_offs('{11:00,11:00,23:00}'), 'each once';
    ASSERT NOT are_cut_offs('{11:00}') AND NOT are_cut_offs('{}'), 'the last one is the cut-over';
END $$;
