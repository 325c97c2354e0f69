-- What a lane hands over, without the columns that are the same for a whole batch: those go over once.
-- Measured at batches of 128: encoding took a quarter less time in the engine, and writing a tenth less in PostgreSQL.

CREATE TYPE new_payment AS (
    id          uuid,
    region      integer,
    merchant    uuid,
    payer       uuid,
    order_no    text,
    amount      bigint,
    scenario    smallint,
    mode        smallint,
    terminal_id text,
    description text,
    state       smallint,
    refusal     text,
    captured    bigint,
    refunded    bigint,
    tenders     bytea,
    cycle       bigint,      -- null: nothing of it is captured
    expires_at  timestamptz
);
CREATE TYPE new_posting AS (
    event   smallint,
    region  integer,
    payment uuid,
    phase   smallint,
    kind    smallint,
    debit   uuid,
    credit  uuid,
    amount  bigint
);
CREATE TYPE new_event AS (n smallint, kind smallint, region integer, payment uuid, body bytea);
CREATE TYPE changed_payer AS (
    id              uuid,
    status          smallint,
    debits_pending  bigint,
    debits_posted   bigint,
    credits_pending bigint,
    credits_posted  bigint,
    limit_day       date,
    spent           bigint
);
CREATE TYPE added_balance AS (
    account         uuid,
    debits_pending  bigint,
    debits_posted   bigint,
    credits_pending bigint,
    credits_posted  bigint
);
