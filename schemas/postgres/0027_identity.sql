-- Identity: whether somebody is who they say, who was let in by a shown code, and who has shown that a benefit is still
-- due. Personal data are in none of these tables: a person is a card's id, or an index under a key. No image is kept.

CREATE TABLE verification (
    id         uuid        NOT NULL CONSTRAINT verification_pkey PRIMARY KEY,
    caller     uuid        NOT NULL,
    subject    bytea       NOT NULL,                  -- the index of the ID number that was tried
    factors    smallint    NOT NULL CONSTRAINT verification_factors_known CHECK (factors BETWEEN 2 AND 4),
    is_match   boolean     NOT NULL,
    request_no text        COLLATE "C" NOT NULL,      -- the caller's own
    purpose    text        NOT NULL,
    at         timestamptz NOT NULL
);
COMMENT ON TABLE verification IS 'Every verification and what came of it; which factor did not fit is not kept either.';
CREATE INDEX verification_failed_subject ON verification (subject, at) WHERE NOT is_match;
COMMENT ON INDEX verification_failed_subject IS 'How often somebody was guessed at lately.';
CREATE INDEX verification_failed_caller ON verification (caller, at) WHERE NOT is_match;
COMMENT ON INDEX verification_failed_caller IS 'How often a caller has guessed lately.';

CREATE TABLE admission (
    id          uuid        NOT NULL CONSTRAINT admission_pkey PRIMARY KEY,
    caller      uuid        NOT NULL,
    card        uuid        NOT NULL,
    scenario    text        COLLATE "C" NOT NULL,
    terminal_id text        NOT NULL,
    purpose     text        NOT NULL,
    is_by_code  boolean     NOT NULL,
    has_face    boolean     NOT NULL,
    entitlement smallint    NOT NULL CONSTRAINT admission_entitlement_known CHECK (entitlement IN (1, 2, 3)),
    at          timestamptz NOT NULL
);
COMMENT ON TABLE admission IS 'Who was let in where, and as what. Nothing of it is in the books.';

CREATE TABLE beneficiary (
    id                uuid        NOT NULL CONSTRAINT beneficiary_pkey PRIMARY KEY,
    card              uuid        NOT NULL,
    benefit_code      text        COLLATE "C" NOT NULL,
    agency            uuid        NOT NULL,
    region            integer     NOT NULL,
    cycle_months      smallint    NOT NULL CONSTRAINT beneficiary_cycle_known CHECK (cycle_months BETWEEN 1 AND 24),
    due_on            date        NOT NULL,
    last_certified_on date,
    is_restored       boolean     NOT NULL,  -- the last certification has ended a suspension
    registered_at     timestamptz NOT NULL,
    CONSTRAINT beneficiary_once UNIQUE (card, benefit_code)
);
COMMENT ON TABLE beneficiary IS 'Who has to show, until when, that a benefit is still due. The state follows from the dates.';
COMMENT ON INDEX beneficiary_once IS 'Prevents a benefit twice; also, what a line of a disbursement waits for.';
CREATE INDEX beneficiary_agency ON beneficiary (agency, id);
COMMENT ON INDEX beneficiary_agency IS 'An agency''s own, newest first.';

CREATE TABLE certification (
    beneficiary  uuid        NOT NULL,
    n            integer     NOT NULL,
    method       smallint    NOT NULL CONSTRAINT certification_method_known CHECK (method BETWEEN 1 AND 4),
    is_pending   boolean     NOT NULL,                 -- nobody could say: it certifies nothing
    certified_on date        NOT NULL,
    certified_by uuid        NOT NULL,
    evidence     text        COLLATE "C" NOT NULL,     -- a kind and a digest, never what was shown
    at           timestamptz NOT NULL,
    CONSTRAINT certification_pkey PRIMARY KEY (beneficiary, n)
);
COMMENT ON TABLE certification IS 'Every time that somebody has shown that a benefit is due, or has tried to.';

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM beneficiary), 'nobody has to show anything until an agency says so';
END $$;
