-- Returns: what banks give back or do not take, what stands in for it meanwhile, and when it is presented again.
--
-- An item is one end of a cleared posting, named by lane.seq.n and the direction: the one that a bank was to take
-- (debit) or to give (credit). Each item is given back once at most. What is presented again is a new item.

CREATE TABLE return_batch (
    id            uuid        PRIMARY KEY,  -- the upload's, if it was one
    bank          uuid        NOT NULL,
    rejected_file text COLLATE "C",         -- every item of which is given back; null: the items are named
    reason        text        NOT NULL DEFAULT '',  -- for all of it; empty: each item has its own
    accepted_at   timestamptz NOT NULL,
    done_at       timestamptz               -- null: some of it has still to be posted
);
COMMENT ON TABLE return_batch IS 'What a bank has given back at once: a file of returns, or what an acknowledgement does not take.';
CREATE INDEX return_batch_open ON return_batch (id) WHERE done_at IS NULL;
COMMENT ON INDEX return_batch_open IS 'What has still to be posted, asked every second.';

CREATE TABLE item_return (
    batch      uuid        NOT NULL,
    n          integer     NOT NULL,
    line       integer     NOT NULL,  -- of the upload; 0: the whole file was rejected
    bank       uuid        NOT NULL,
    item       text COLLATE "C" NOT NULL,
    direction  smallint    NOT NULL,  -- 1 debit, 2 credit
    payment    uuid        NOT NULL,  -- or what else it is about
    cycle      bigint      NOT NULL,
    leg        text        NOT NULL,
    amount     bigint      NOT NULL,
    account    uuid        NOT NULL,  -- at the bank's end; for a personal one, the fund that pays
    stand_in   uuid        NOT NULL,  -- what holds the amount from now on
    file       text COLLATE "C",      -- the flat file that the item was in, and its place
    seq        integer,
    reason     text        NOT NULL,
    return_ref text        NOT NULL,
    original   text COLLATE "C",      -- the item that was presented first; this and what follows: null until it is decided
    kind       smallint,              -- of its posting
    place      smallint,              -- the how manieth return of the original, from one
    is_posted  boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (batch, n),
    CONSTRAINT item_return_once UNIQUE (item, direction)
);
COMMENT ON TABLE item_return IS 'Each item that a bank has given back.';
COMMENT ON CONSTRAINT item_return_once ON item_return IS 'Prevents a second return of one item, whoever sends it.';
CREATE INDEX item_return_open ON item_return (batch, n) WHERE NOT is_posted;
COMMENT ON INDEX item_return_open IS 'What has still to be posted of a batch.';
CREATE INDEX item_return_payment ON item_return (payment);
COMMENT ON INDEX item_return_payment IS 'A payment''s timeline.';
CREATE INDEX item_return_file ON item_return (file) WHERE file IS NOT NULL;
COMMENT ON INDEX item_return_file IS 'What of a file its bank does not book.';

CREATE TABLE returned_item (
    item          text COLLATE "C" NOT NULL,  -- as it was presented first
    direction     smallint    NOT NULL,
    bank          uuid        NOT NULL,
    payment       uuid        NOT NULL,
    leg           text        NOT NULL,
    amount        bigint      NOT NULL,
    account       uuid        NOT NULL,
    stand_in      uuid        NOT NULL,
    file          text COLLATE "C",
    seq           integer,
    cycle         bigint      NOT NULL,  -- of the item that is with the bank now, or was last
    current_item  text COLLATE "C" NOT NULL,
    reason        text        NOT NULL,  -- of the last return
    state         smallint    NOT NULL,
    return_count  smallint    NOT NULL,
    present_count smallint    NOT NULL DEFAULT 0,
    returned_at   timestamptz NOT NULL,
    PRIMARY KEY (item, direction),
    CONSTRAINT returned_item_current UNIQUE (current_item, direction)
);
COMMENT ON TABLE returned_item IS 'What became of each item that was ever given back.';
CREATE INDEX returned_item_payment ON returned_item (payment);
COMMENT ON INDEX returned_item_payment IS 'Whether something of a payment is returned.';
CREATE INDEX returned_item_due ON returned_item (item, direction) WHERE state IN (1, 2);
COMMENT ON INDEX returned_item_due IS 'What is to be presented again, and what may be collected by now.';

CREATE TABLE clearing_case (
    kind      text        NOT NULL,
    subject   text COLLATE "C" NOT NULL,  -- a file's name, or an item and its direction
    bank      uuid        NOT NULL,
    reason    text        NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (kind, subject)
);
COMMENT ON TABLE clearing_case IS 'What a person has to take up with a bank: a rejected file, an item in suspense.';

CREATE TABLE acknowledgement (
    file        text COLLATE "C" PRIMARY KEY,
    bank        uuid        NOT NULL,
    batch       uuid        NOT NULL,
    status      text        NOT NULL,
    content     bytea       NOT NULL,  -- SHA-256 of what it says
    received_at timestamptz NOT NULL
);
COMMENT ON TABLE acknowledgement IS 'What a bank has said of a file: once, for good.';

CREATE INDEX clearing_file_digest ON clearing_file (bank, sha256);
COMMENT ON INDEX clearing_file_digest IS 'The file that a flat acknowledgement is about.';

-- What drops out of a cycle stays in its nets: the bank that stands in takes the place of the one that gave it back.
ALTER TABLE dropped_item RENAME COLUMN debtor TO bank;
ALTER TABLE dropped_item RENAME COLUMN creditor TO stand_in;
ALTER TABLE dropped_item
    ADD COLUMN direction        smallint NOT NULL,
    ADD COLUMN account          uuid     NOT NULL,
    ADD COLUMN stand_in_account uuid     NOT NULL,
    DROP CONSTRAINT dropped_item_pkey,
    ADD PRIMARY KEY (cycle, item, direction);
COMMENT ON COLUMN dropped_item.account IS 'That the item moved at its bank''s end, as the cycle routed it.';
COMMENT ON COLUMN dropped_item.stand_in_account IS 'That it moved instead.';

-- Cardholders' debts are cleared through one bank, so they fold into one account.
CREATE OR REPLACE FUNCTION folded_account(account uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE substr(account::text, 17, 2)
            WHEN '80' THEN ('00000000-0000-00' || substr(account::text, 17, 9) || '00000000000')::uuid
            WHEN '86' THEN '00000000-0000-0086-0000-000000000000'::uuid
            ELSE account END;

DO $$
BEGIN
    ASSERT folded_account('019ab1c2-d3e4-0780-1ae1-5fedcba98765') = '00000000-0000-0080-1ae1-500000000000'::uuid,
           'a personal account keeps its kind and its region';
    ASSERT folded_account('019ab1c2-d3e4-0786-1ae1-5fedcba98765') = '00000000-0000-0086-0000-000000000000'::uuid,
           'a cardholder''s debt keeps its kind';
    ASSERT folded_account('019ab1c2-d3e4-0784-1ae1-5fedcba98765') = '019ab1c2-d3e4-0784-1ae1-5fedcba98765'::uuid,
           'every other account stays as it is';
END $$;
