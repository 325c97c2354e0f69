-- Bills of agencies: premiums, exam fees and training fees, each paid once, in full, before its deadline.

CREATE TABLE bill (
    bill_no     text COLLATE "C" PRIMARY KEY,  -- the agency's own; good once, for ever, whoever's it is
    id          uuid        NOT NULL,
    agency      uuid        NOT NULL,
    item        smallint    NOT NULL,
    card        uuid,                          -- whose holder has to pay; null: anybody may
    amount      bigint      NOT NULL CONSTRAINT bill_amount_positive CHECK (amount > 0),
    deadline    timestamptz NOT NULL,
    description text,
    created_at  timestamptz NOT NULL,
    state       smallint    NOT NULL,          -- 1 billed, 2 paid, 3 refunded, 4 withdrawn
    payment     uuid,                          -- that pays it, or has paid it and was given back
    CONSTRAINT bill_is_paid_by_a_payment CHECK ((payment IS NOT NULL) = (state IN (2, 3)))
) WITH (fillfactor = 80);
COMMENT ON TABLE bill IS 'What an agency asks for. A lane reads it with a payment that names it, and writes state and payment '
    'only if they are as it read them: of two payments at once one is told that the other was first.';
CREATE INDEX bill_of_agency ON bill (agency, id);
COMMENT ON INDEX bill_of_agency IS 'An agency''s list of its bills, newest first.';

ALTER TABLE payment ADD COLUMN bill_no text COLLATE "C";  -- null: the merchant earns it
COMMENT ON COLUMN payment.bill_no IS 'What it pays, for the account of the agency that has billed it.';
ALTER TYPE new_payment ADD ATTRIBUTE bill_no text;

-- A change of a bill: what it becomes, and the state that it was read in.
CREATE TYPE changed_bill AS (bill_no text, state smallint, payment uuid, state_before smallint);

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'payment'::regclass AND attname = 'bill_no') = 1,
           'a payment says what it pays';
END $$;
