-- The books: what a lane reads and writes, and what everything else is proved against.
--
-- Ids are 128 bits that carry their region, their shard and the time they were made (engine/core/ids.py), so region is
-- in every key, and ranges of ids are ranges of time. The hot path uses no sequence, foreign key, trigger or
-- database-made value: the lane has checked existence under lock, and `engine verify` proves the references.

CREATE TABLE control (
    one               boolean     PRIMARY KEY DEFAULT true CONSTRAINT control_is_one_row CHECK (one),
    business_date     date        NOT NULL,
    cycle             bigint      NOT NULL,  -- the open one: yyyymmdd * 100 + sequence
    cutoff_at         timestamptz NOT NULL,  -- when the open cycle is due to be closed
    published_cycle   bigint      NOT NULL,  -- every cycle up to this one has its files out
    sandbox_offset_us bigint      NOT NULL   -- what the sandbox adds to the clock of business time
);
COMMENT ON TABLE control IS 'One row, read plainly by every batch after it holds its lane row; never locked by a lane.';

CREATE TABLE lane (
    id    smallint PRIMARY KEY,
    epoch bigint   NOT NULL,  -- grows with each session that takes the lane: the fence
    seq   bigint   NOT NULL,  -- of its last committed batch; without gaps, a rollback gives it back
    head  bytea    NOT NULL,  -- hash of its last committed batch
    node  text     NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE lane IS 'One row a lane; each batch locks its own first and updates it last.';

CREATE TABLE payer (
    id              uuid     NOT NULL,
    status          smallint NOT NULL,
    issue_level     smallint NOT NULL,
    bank            uuid     NOT NULL,
    bank_allowance  bigint   NOT NULL CONSTRAINT payer_bank_allowance_not_negative CHECK (bank_allowance >= 0),
    tender_order    smallint NOT NULL,
    debits_pending  bigint   NOT NULL CONSTRAINT payer_debits_pending_not_negative CHECK (debits_pending >= 0),
    debits_posted   bigint   NOT NULL CONSTRAINT payer_debits_posted_not_negative CHECK (debits_posted >= 0),
    credits_pending bigint   NOT NULL CONSTRAINT payer_credits_pending_not_negative CHECK (credits_pending >= 0),
    credits_posted  bigint   NOT NULL CONSTRAINT payer_not_overdrawn
                                       CHECK (credits_posted >= debits_posted + debits_pending),
    limit_day       date     NOT NULL,
    spent           bigint   NOT NULL CONSTRAINT payer_spent_not_negative CHECK (spent >= 0),
    CONSTRAINT payer_pkey PRIMARY KEY (id)
) WITH (fillfactor = 70);
COMMENT ON TABLE payer IS 'Everything a payment must check and change for one cardholder. Fixed width, no other index: HOT.';

CREATE TABLE balance (
    account         uuid     NOT NULL,
    lane            smallint NOT NULL,
    debits_pending  bigint   NOT NULL,
    debits_posted   bigint   NOT NULL,
    credits_pending bigint   NOT NULL,
    credits_posted  bigint   NOT NULL,
    seq             bigint   NOT NULL,  -- of the batch that wrote it last
    CONSTRAINT balance_pkey PRIMARY KEY (account, lane)
) WITH (fillfactor = 50);
COMMENT ON TABLE balance IS
    'Totals of every account that has no limit, kept by lane so that lanes never wait for each other. '
    'The account''s total is the sum over lanes; one lane''s pending may be below zero when another resolved its hold.';

CREATE TABLE payment (
    id            uuid        NOT NULL,
    region        integer     NOT NULL,
    merchant      uuid        NOT NULL,
    payer         uuid        NOT NULL,
    order_no      text        NOT NULL,
    amount        bigint      NOT NULL CONSTRAINT payment_amount_positive CHECK (amount > 0),
    scenario      smallint    NOT NULL,
    mode          smallint    NOT NULL,
    terminal_id   text        NOT NULL,
    description   text,
    state         smallint    NOT NULL,
    refusal       text,
    captured      bigint      NOT NULL,
    refunded      bigint      NOT NULL,
    tenders       bytea       NOT NULL,  -- msgpack of the tenders
    business_date date        NOT NULL,
    cycle         bigint,                -- of the first capture
    limit_day     date        NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    captured_at   timestamptz,
    CONSTRAINT payment_pkey PRIMARY KEY (id),
    CONSTRAINT payment_sums CHECK (captured <= amount AND refunded <= captured)
) PARTITION BY RANGE (id);
CREATE INDEX payment_of_merchant ON payment (merchant, id);
COMMENT ON INDEX payment_of_merchant IS 'A merchant''s list of its payments, newest first; both columns never change.';
COMMENT ON TABLE payment IS 'A projection of the events: the payment as it stands. Partitioned by the month of its id.';

CREATE TABLE refund (
    payment       uuid        NOT NULL,
    refund_no     text        NOT NULL,
    id            uuid        NOT NULL,
    amount        bigint      NOT NULL CONSTRAINT refund_amount_positive CHECK (amount > 0),
    tenders       bytea       NOT NULL,
    reason        text,
    business_date date        NOT NULL,
    cycle         bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT refund_pkey PRIMARY KEY (payment, refund_no)
) PARTITION BY RANGE (payment);
COMMENT ON TABLE refund IS 'Insert only. The key makes a refund number good once a payment, whatever the idempotency key.';

CREATE TABLE hold (
    due     timestamptz NOT NULL,
    payment uuid        NOT NULL,
    CONSTRAINT hold_pkey PRIMARY KEY (due, payment)
);
COMMENT ON TABLE hold IS 'Open authorizations by the instant they lapse. A partial index on state would make payments cold.';

CREATE TABLE posting (
    business_date date     NOT NULL,
    lane          smallint NOT NULL,
    seq           bigint   NOT NULL,
    n             smallint NOT NULL,
    event         smallint NOT NULL,  -- n of the event that made it
    cycle         bigint   NOT NULL,
    region        integer  NOT NULL,
    payment       uuid     NOT NULL,  -- or the card whose balance was brought in
    phase         smallint NOT NULL,
    kind          smallint NOT NULL,
    debit         uuid     NOT NULL,
    credit        uuid     NOT NULL,
    amount        bigint   NOT NULL CONSTRAINT posting_amount_positive CHECK (amount > 0),
    CONSTRAINT posting_pkey PRIMARY KEY (business_date, lane, seq, n),
    CONSTRAINT posting_two_accounts CHECK (debit <> credit)
) PARTITION BY RANGE (business_date);
COMMENT ON TABLE posting IS 'Insert only, for ever. Covered by the lane''s hash chain.';

CREATE TABLE event (
    business_date date        NOT NULL,
    lane          smallint    NOT NULL,
    seq           bigint      NOT NULL,
    n             smallint    NOT NULL,
    kind          smallint    NOT NULL,
    region        integer     NOT NULL,
    payment       uuid        NOT NULL,  -- sixteen zeros when it is about none
    at            timestamptz NOT NULL,
    body          bytea       NOT NULL,  -- msgpack: what was asked, what was answered
    CONSTRAINT event_pkey PRIMARY KEY (business_date, lane, seq, n)
) PARTITION BY RANGE (business_date);
COMMENT ON TABLE event IS 'Insert only: stored answer, outbox, timeline and journal leaf in one row. Covered by the chain.';
CREATE INDEX event_payment ON event (payment);
COMMENT ON INDEX event_payment IS 'A payment''s timeline.';

CREATE TABLE answer (
    caller        uuid     NOT NULL,
    operation     smallint NOT NULL,
    key           text     NOT NULL,
    business_date date     NOT NULL,
    lane          smallint NOT NULL,
    seq           bigint   NOT NULL,
    n             smallint NOT NULL,
    CONSTRAINT answer_pkey PRIMARY KEY (caller, operation, key)
);
COMMENT ON TABLE answer IS 'An idempotency key and the event that answered it; kept until that event is archived.';

CREATE TABLE order_ref (
    merchant uuid NOT NULL,
    order_no text NOT NULL,
    payment  uuid,  -- null: a tombstone
    CONSTRAINT order_ref_pkey PRIMARY KEY (merchant, order_no)
);
COMMENT ON TABLE order_ref IS 'What claims an order number, for ever: a payment that is not declined, or a tombstone.';

CREATE TABLE code_use (
    step    bigint   NOT NULL,
    device  bigint   NOT NULL,
    refresh smallint NOT NULL,
    CONSTRAINT code_use_pkey PRIMARY KEY (step, device, refresh)
) PARTITION BY RANGE (step);
COMMENT ON TABLE code_use IS 'A code is good once. Keyed by device, never by merchant or region; dropped after two days.';

CREATE TABLE batch (
    lane          smallint    NOT NULL,
    seq           bigint      NOT NULL,
    at            timestamptz NOT NULL,
    business_date date        NOT NULL,
    cycle         bigint      NOT NULL,
    n             smallint    NOT NULL,  -- events in it
    prev          bytea       NOT NULL,
    hash          bytea       NOT NULL,
    CONSTRAINT batch_pkey PRIMARY KEY (lane, seq)
);
COMMENT ON TABLE batch IS 'One link of a lane''s hash chain; seq has no gaps.';
CREATE INDEX batch_cycle ON batch (cycle, lane, seq);
COMMENT ON INDEX batch_cycle IS 'The batches of one cycle: sealing it and building its files.';

CREATE TABLE seal (
    cycle     bigint      NOT NULL,
    at        timestamptz NOT NULL,
    lanes     bytea       NOT NULL,  -- msgpack of (lane, seq, head), by lane
    root      bytea       NOT NULL,  -- Merkle root over them
    key_id    text        NOT NULL,
    signature bytea       NOT NULL,  -- Ed25519 over the root
    CONSTRAINT seal_pkey PRIMARY KEY (cycle)
);
COMMENT ON TABLE seal IS 'The chains up to a cycle''s end, tied together and signed; the root is in every manifest.';

-- What a lane hands over and reads back, as arrays of one type each.
CREATE TYPE claim AS (
    n         smallint,
    caller    uuid,
    operation smallint,
    key       text,    -- null: the engine's own command
    device_no bigint,  -- and the ways to a payer, in the order they are tried
    payment   uuid,
    card      uuid,
    merchant  uuid,
    order_no  text
);
CREATE TYPE order_key AS (merchant uuid, order_no text);
CREATE TYPE answer_key AS (caller uuid, operation smallint, key text);
CREATE TYPE remembered AS (caller uuid, operation smallint, key text, body bytea);
CREATE TYPE refund_key AS (payment uuid, refund_no text);

-- Partitions are made apart and attached: CREATE TABLE … PARTITION OF waits for every reader and stops inserts behind it.
CREATE FUNCTION ensure_partition(parent text, child text, key text, lower text, upper text, fill integer)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- Two makers of one partition: the second waits, and then finds it there.
    PERFORM pg_advisory_xact_lock(7202000003);
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(child)) THEN
        RETURN false;
    END IF;
    IF to_regclass(child) IS NOT NULL THEN
        RAISE EXCEPTION 'table % exists and is no partition: look at what is in it, then attach or drop it', child;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) '
                   'WITH (fillfactor = %s)', child, parent, fill);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%I >= %L AND %I < %L)',
                   child, child || '_range', key, lower, key, upper);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, lower, upper);
    RETURN true;
END $$;

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             WHERE c.relname = 'payer' AND c.relnamespace = current_schema()::regnamespace) = 1,
           'the payer has one index, so its updates stay HOT';
END $$;
