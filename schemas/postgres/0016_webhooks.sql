-- Notifications: where merchants, agencies and channels want to be told, and what they are told. The events themselves
-- are the outbox: they are written in the commit of what they tell, and read lane by lane behind a cursor.

CREATE TABLE webhook_endpoint (
    id             uuid        PRIMARY KEY,
    owner          uuid        NOT NULL,
    url            text        NOT NULL,
    types          text[]      NOT NULL,  -- empty: every type, those of later versions included
    description    text,
    secret         bytea       NOT NULL,  -- encrypted with the field key
    earlier_secret bytea,                 -- signs along until it ends
    earlier_ends   timestamptz,
    field_key_id   smallint    NOT NULL,
    state          smallint    NOT NULL,  -- 1 enabled, 2 disabled, 3 removed
    is_gone        boolean     NOT NULL,  -- disabled because the receiver said so (410)
    created_at     timestamptz NOT NULL,  -- business time: it is told what happens from then on
    CONSTRAINT webhook_endpoint_earlier_secret_ends CHECK ((earlier_secret IS NULL) = (earlier_ends IS NULL))
);
CREATE INDEX webhook_endpoint_of_owner ON webhook_endpoint (owner, id);
COMMENT ON INDEX webhook_endpoint_of_owner IS 'An owner''s list of its endpoints, newest first.';

CREATE TABLE webhook_message (
    endpoint      uuid        NOT NULL,
    id            uuid        NOT NULL,  -- made of the event: the same for every attempt and every endpoint
    payment       uuid,                  -- null: a test, about nothing
    sequence      integer,
    type          text        NOT NULL,
    business_date date,                  -- and lane, seq, n: the event that it tells
    lane          smallint,
    seq           bigint,
    n             smallint,
    happened_at   timestamptz NOT NULL,  -- business time
    state         smallint    NOT NULL,  -- 1 pending, 2 delivered, 3 dead
    attempt       integer     NOT NULL,  -- since it was last set going
    next_at       timestamptz NOT NULL,  -- this and what follows: wall time
    give_up_at    timestamptz NOT NULL,
    done_at       timestamptz,
    last_status   smallint,              -- what the receiver answered last
    last_fault    text,                  -- or why it did not
    CONSTRAINT webhook_message_pkey PRIMARY KEY (endpoint, id),
    CONSTRAINT webhook_message_is_done_or_not CHECK ((done_at IS NULL) = (state = 1))
) WITH (fillfactor = 80);
COMMENT ON CONSTRAINT webhook_message_pkey ON webhook_message IS
    'An endpoint''s messages, newest first; prevents that an event is told twice.';
CREATE INDEX webhook_message_of_payment ON webhook_message (endpoint, payment, sequence);
COMMENT ON INDEX webhook_message_of_payment IS 'What comes before and after a message about the same payment.';
CREATE INDEX webhook_message_due ON webhook_message (endpoint, next_at) WHERE state = 1;
COMMENT ON INDEX webhook_message_due IS 'What is to be sent next to an endpoint.';
CREATE INDEX webhook_message_dead ON webhook_message (endpoint, id) WHERE state = 3;
COMMENT ON INDEX webhook_message_dead IS 'An endpoint''s dead letters, newest first; nearly always none.';
CREATE INDEX webhook_message_done ON webhook_message (done_at) WHERE state <> 1;
COMMENT ON INDEX webhook_message_done IS 'What has been kept for long enough.';

CREATE TABLE webhook_cursor (
    lane smallint PRIMARY KEY,
    seq  bigint   NOT NULL  -- every batch of the lane up to this one has been looked at
);
COMMENT ON TABLE webhook_cursor IS 'How far the lanes have been read; lanes commit their sequences apart, so each has its own.';
INSERT INTO webhook_cursor (lane, seq) SELECT id, seq FROM lane;

-- A message that is new, as the spooler hands it over.
CREATE TYPE new_webhook_message AS (
    endpoint uuid, id uuid, payment uuid, sequence integer, type text, business_date date, lane smallint, seq bigint,
    n smallint, happened_at timestamptz
);

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM lane l LEFT JOIN webhook_cursor c ON c.lane = l.id WHERE c.seq IS DISTINCT FROM l.seq),
           'nobody is told what happened before there was anybody to tell';
END $$;
