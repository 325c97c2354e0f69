-- Looking at what regions know of a person: who may (consents and grants), what they have sent in, and where they are
-- asked themselves.

CREATE TABLE consent (
    id              uuid        NOT NULL CONSTRAINT consent_pkey PRIMARY KEY,
    card            uuid        NOT NULL,
    channel         uuid        NOT NULL,  -- that asks; or the client of a login
    department      uuid,                  -- for whom it asks; null: for the person alone
    scope           text        COLLATE "C" NOT NULL,
    purpose         text        COLLATE "C" NOT NULL,
    valid_from      date        NOT NULL,
    valid_until     date        NOT NULL,  -- its last day
    version         integer     NOT NULL,
    evidence_kind   text        COLLATE "C" NOT NULL,
    evidence_digest text        COLLATE "C" NOT NULL,
    given_at        timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_by      uuid,                  -- the channel, an operator, or the consent that took its place
    CONSTRAINT consent_ends CHECK (valid_until >= valid_from),
    CONSTRAINT consent_revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE consent IS 'What a person has agreed to, with what shows it. Rows are revoked, never deleted.';
CREATE UNIQUE INDEX consent_in_force ON consent (card, channel, scope, purpose, department) NULLS NOT DISTINCT
    WHERE revoked_at IS NULL;
COMMENT ON INDEX consent_in_force IS 'Whether a person has agreed to a look; prevents that one is withdrawn while its double goes on.';
CREATE INDEX consent_card ON consent (card, id);
COMMENT ON INDEX consent_card IS 'A card''s consents, newest first.';

CREATE TABLE access_grant (
    id             uuid        NOT NULL CONSTRAINT access_grant_pkey PRIMARY KEY,
    holder         uuid        NOT NULL,  -- a department (an agency) or a channel
    scope          text        COLLATE "C" NOT NULL,
    purpose        text        COLLATE "C" NOT NULL,
    region         integer     NOT NULL,  -- whose persons it is about, with all below it; 0 is the whole country
    region_last    integer     NOT NULL,  -- the highest number below it
    valid_from     date        NOT NULL,
    valid_until    date        NOT NULL,  -- its last day
    version        integer     NOT NULL,
    approval       text,                  -- that let it in; null: it came with a sandbox
    granted_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_by     uuid,
    revoked_reason text,
    CONSTRAINT access_grant_ends CHECK (valid_until >= valid_from),
    CONSTRAINT access_grant_regions CHECK (region_last >= region),
    CONSTRAINT access_grant_revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE access_grant IS 'What departments and channels may look at. Rows are revoked, never deleted.';
CREATE INDEX access_grant_in_force ON access_grant (scope, purpose, holder) WHERE revoked_at IS NULL;
COMMENT ON INDEX access_grant_in_force IS 'Whether a department or a channel may look at something: read with each look.';
CREATE INDEX access_grant_holder ON access_grant (holder, id);
COMMENT ON INDEX access_grant_holder IS 'What somebody may look at, newest first; and which version the next one is.';

CREATE TABLE inquiry_record (
    n            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT inquiry_record_pkey PRIMARY KEY,
    topic        text        COLLATE "C" NOT NULL,
    region       integer     NOT NULL,  -- that has sent it
    person_index bytea       NOT NULL,  -- as in `person`; the register need not know the person
    key_index    bytea       NOT NULL,  -- of what makes it the same record when it is sent again
    content      bytea       NOT NULL,  -- sealed JSON, one struct a topic
    field_key_id smallint    NOT NULL,
    sent_at      timestamptz NOT NULL,
    CONSTRAINT inquiry_record_once UNIQUE (person_index, topic, region, key_index)
);
COMMENT ON TABLE inquiry_record IS 'What regions have sent in about persons: found by a keyed index, sealed as a whole.';
CREATE INDEX inquiry_record_page ON inquiry_record (person_index, topic, n);
COMMENT ON INDEX inquiry_record_page IS 'A person''s records of a topic, page by page.';

CREATE TABLE inquiry_import (
    sha256      bytea       NOT NULL,
    topic       text        COLLATE "C" NOT NULL,
    region      integer     NOT NULL,  -- that whoever brought it in answers for: what lies elsewhere was not taken
    operator    uuid        NOT NULL,
    report      bytea       NOT NULL,  -- msgpack: counts and the first faults
    finished_at timestamptz NOT NULL,
    CONSTRAINT inquiry_import_pkey PRIMARY KEY (sha256, topic, region)
);
COMMENT ON TABLE inquiry_import IS 'Files of records that were brought in to their end; the same bytes again are answered the same.';

CREATE TABLE inquiry_source (
    region   integer     NOT NULL,  -- with all below it that has none of its own; 0 is the whole country
    topic    text        COLLATE "C" NOT NULL,
    base_url text        NOT NULL,
    approval text        NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT inquiry_source_pkey PRIMARY KEY (topic, region)
);
COMMENT ON TABLE inquiry_source IS 'Regions that are asked over HTTP; all others have sent in files.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_constraint WHERE conrelid = 'inquiry_record'::regclass AND contype = 'f') = 0,
           'records may be about persons whom the register does not know yet';
END $$;
