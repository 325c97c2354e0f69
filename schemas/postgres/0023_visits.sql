-- Bills of one visit are given back newest first: each was split on what those before it had left of the year.

CREATE TABLE visit_settlement (
    payer    uuid    NOT NULL,
    merchant uuid    NOT NULL,
    visit_no text    COLLATE "C" NOT NULL,
    number   integer NOT NULL CONSTRAINT visit_settlement_number_positive CHECK (number > 0),
    payment  uuid    NOT NULL,
    CONSTRAINT visit_settlement_pkey PRIMARY KEY (payer, merchant, visit_no, payment)
);
COMMENT ON TABLE visit_settlement IS 'The bills of each visit that are settled and not given back; written under the card''s '
    'lock, by batches that are about visits only. Payments that are older than this table are not in it, and wait for nobody.';
COMMENT ON COLUMN visit_settlement.number IS 'Grows within the visit: the highest is the newest.';

CREATE TYPE visit_key AS (payer uuid, merchant uuid, visit_no text);

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index WHERE indrelid = 'visit_settlement'::regclass AND indisunique) = 1,
           'a payment is in its visit once';
END $$;
