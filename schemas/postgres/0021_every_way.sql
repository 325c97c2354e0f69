-- Every way to pay: what a payment has to know of its cardholder beside the money, and what it keeps of how it was paid.

ALTER TABLE payer
    ADD COLUMN spent_unconfirmed bigint NOT NULL DEFAULT 0
               CONSTRAINT payer_spent_unconfirmed_not_negative CHECK (spent_unconfirmed >= 0),
    ADD COLUMN spent_offline     bigint NOT NULL DEFAULT 0
               CONSTRAINT payer_spent_offline_not_negative CHECK (spent_offline >= 0),
    ADD COLUMN limit_a_day       bigint NOT NULL DEFAULT 500000,
    ADD COLUMN limit_unconfirmed bigint NOT NULL DEFAULT 100000,
    ADD COLUMN limit_offline     bigint NOT NULL DEFAULT 50000,
    ADD COLUMN no_password_up_to bigint NOT NULL DEFAULT 100000,
    ADD COLUMN password_version  integer NOT NULL DEFAULT 0,
    ADD COLUMN password_tries    smallint NOT NULL DEFAULT 0,
    ADD COLUMN insured_region    integer NOT NULL DEFAULT 0,
    ADD COLUMN insurance         smallint NOT NULL DEFAULT 0,
    ADD COLUMN person_type       smallint NOT NULL DEFAULT 0,
    ADD COLUMN benefit_year      smallint NOT NULL DEFAULT 0,
    ADD COLUMN deductible_used   bigint NOT NULL DEFAULT 0
               CONSTRAINT payer_deductible_not_negative CHECK (deductible_used >= 0),
    ADD COLUMN fund_paid         bigint NOT NULL DEFAULT 0
               CONSTRAINT payer_fund_paid_not_negative CHECK (fund_paid >= 0),
    ADD COLUMN family            uuid,
    ADD COLUMN blocked_scenarios bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN payer.spent IS 'From the bank card on limit_day, in all classes of limits.';
COMMENT ON COLUMN payer.no_password_up_to IS 'The cardholder''s own setting; the scenario has one too, and the lower counts.';
COMMENT ON COLUMN payer.insured_region IS 'Whose benefit plan pays; 0: not insured.';
COMMENT ON COLUMN payer.fund_paid IS 'With deductible_used: what counts in benefit_year, which never goes backwards.';
COMMENT ON COLUMN payer.family IS 'The relative whose personal account helps with medical bills.';
COMMENT ON COLUMN payer.blocked_scenarios IS 'Bit n: scenario n is closed until an unpaid ride is paid.';

ALTER TYPE changed_payer
    ADD ATTRIBUTE spent_unconfirmed bigint,
    ADD ATTRIBUTE spent_offline     bigint,
    ADD ATTRIBUTE tender_order      smallint,
    ADD ATTRIBUTE no_password_up_to bigint,
    ADD ATTRIBUTE password_version  integer,
    ADD ATTRIBUTE password_tries    smallint,
    ADD ATTRIBUTE benefit_year      smallint,
    ADD ATTRIBUTE deductible_used   bigint,
    ADD ATTRIBUTE fund_paid         bigint,
    ADD ATTRIBUTE blocked_scenarios bigint;

-- Payments made before are as they were: confirmed by nobody, first of their kind.
ALTER TABLE payment
    ADD COLUMN sequence    integer  NOT NULL DEFAULT 1,
    ADD COLUMN limit_class smallint NOT NULL DEFAULT 2,
    ADD COLUMN details     bytea,
    ADD COLUMN family      uuid;
COMMENT ON COLUMN payment.sequence IS 'Grows with each event about it.';
COMMENT ON COLUMN payment.limit_class IS 'Which limit of limit_day its bank card part counts against.';
COMMENT ON COLUMN payment.details IS 'msgpack of what most payments do not have: claim, confirmation, quote, order, channel, ticket.';
COMMENT ON COLUMN payment.family IS 'The relative whose personal account pays a part; never changes, so a lane locks that card too.';

ALTER TYPE new_payment
    ADD ATTRIBUTE limit_class smallint,
    ADD ATTRIBUTE details     bytea,
    ADD ATTRIBUTE family      uuid,
    ADD ATTRIBUTE sequence    integer;

ALTER TYPE claim ADD ATTRIBUTE needs_family boolean;

ALTER TABLE merchant
    ADD COLUMN level smallint NOT NULL DEFAULT 0 CONSTRAINT merchant_level_known CHECK (level BETWEEN 0 AND 3);
COMMENT ON COLUMN merchant.level IS 'Grade of a hospital, which decides what the funds pay; 0: none.';
ALTER TYPE merchant_state ADD ATTRIBUTE level smallint;

CREATE TABLE unpaid_ride (
    card     uuid     NOT NULL,
    scenario smallint NOT NULL,
    merchant uuid     NOT NULL,
    order_no text     NOT NULL,
    CONSTRAINT unpaid_ride_pkey PRIMARY KEY (card, scenario, merchant, order_no)
);
COMMENT ON TABLE unpaid_ride IS 'Rides that a gate let through and that could not be taken; written under the card''s lock. '
    'A payment with the ride''s order number clears it.';

CREATE TABLE quote (
    id         uuid        NOT NULL CONSTRAINT quote_pkey PRIMARY KEY,
    merchant   uuid        NOT NULL,
    payer      uuid        NOT NULL,
    scenario   smallint    NOT NULL,
    bill       bytea       NOT NULL,  -- msgpack of the bill
    split      bytea       NOT NULL,  -- msgpack of what it was split into
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE quote IS 'Pre-settlements as they were shown. Nothing is posted; the payment decides anew and compares.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'changed_payer'::regclass AND attnum > 0) = 18,
           'a batch hands over what it can change of a payer';
END $$;
