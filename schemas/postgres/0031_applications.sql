-- Applications to offices and banks: who takes which of them where, what was applied for, its course, and its files.
-- Forms, notes and files are personal data and sealed; what a form has to look like is in schemas/forms.

CREATE TABLE application_office (
    kind      smallint    NOT NULL CONSTRAINT application_office_kind_known CHECK (kind BETWEEN 1 AND 6),
    region    integer     NOT NULL,
    office    uuid        NOT NULL,  -- an agency, of kind 6 a bank
    opened_by uuid        NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_by uuid,
    closed_at timestamptz,
    CONSTRAINT application_office_pkey PRIMARY KEY (kind, region, office, opened_at),
    CONSTRAINT application_office_closed_whole CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
COMMENT ON TABLE application_office IS 'Who takes applications of a kind in a region and below it; the nearest one above the applicant''s counts.';
CREATE UNIQUE INDEX application_office_one_agency ON application_office (kind, region) WHERE closed_at IS NULL AND kind <> 6;
COMMENT ON INDEX application_office_one_agency IS 'Prevents two agencies for the same kind and region.';
CREATE UNIQUE INDEX application_office_once ON application_office (kind, region, office) WHERE closed_at IS NULL;
COMMENT ON INDEX application_office_once IS 'Prevents the same bank twice; also, who is open for a kind and region.';

CREATE TABLE application (
    id           uuid        NOT NULL CONSTRAINT application_pkey PRIMARY KEY,
    item         text        COLLATE "C" NOT NULL,  -- the name of its file in schemas/forms
    kind         smallint    NOT NULL,
    person       uuid        NOT NULL,
    card         uuid        NOT NULL,
    region       integer     NOT NULL,              -- where it is to be handled
    channel      uuid        NOT NULL,
    office       uuid        NOT NULL,
    state        smallint    NOT NULL CONSTRAINT application_state_known CHECK (state BETWEEN 1 AND 9),
    form         bytea       NOT NULL,              -- sealed JSON
    field_key_id smallint    NOT NULL,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    submitted_at timestamptz                        -- first; null: no office has ever seen it
);
COMMENT ON TABLE application IS 'What a person has applied for, and where it stands.';
CREATE UNIQUE INDEX application_one_open ON application (person, item) WHERE state <= 5;
COMMENT ON INDEX application_one_open IS 'Prevents a second application for an item while one of the person is open.';
CREATE INDEX application_channel ON application (channel, id);
COMMENT ON INDEX application_channel IS 'A channel''s own, newest first.';
CREATE INDEX application_office_list ON application (office, id) WHERE submitted_at IS NOT NULL;
COMMENT ON INDEX application_office_list IS 'What an office was handed, newest first.';
CREATE INDEX application_person ON application (person, id) WHERE submitted_at IS NOT NULL;
COMMENT ON INDEX application_person IS 'Everything that a person has handed in, through whichever channel, newest first.';
CREATE INDEX application_region ON application (region, id);
COMMENT ON INDEX application_region IS 'Operators'' view of a region.';

CREATE TABLE application_step (
    application  uuid        NOT NULL,
    n            smallint    NOT NULL,
    move         smallint    NOT NULL,
    state        smallint    NOT NULL,  -- that it led to
    by           uuid        NOT NULL,
    at           timestamptz NOT NULL,
    note         bytea,                 -- sealed
    field_key_id smallint    NOT NULL,
    act_kind     text        COLLATE "C",
    act_digest   text        COLLATE "C",
    CONSTRAINT application_step_pkey PRIMARY KEY (application, n),
    CONSTRAINT application_step_act_whole CHECK ((act_kind IS NULL) = (act_digest IS NULL))
);
COMMENT ON TABLE application_step IS 'The course of an application, never changed: who has done what when, and what showed that the person wanted it.';

CREATE TABLE application_attachment (
    id          uuid        NOT NULL CONSTRAINT application_attachment_pkey PRIMARY KEY,
    application uuid        NOT NULL,
    started_at  timestamptz NOT NULL,  -- the database's own clock
    sha256      bytea,                 -- of the file as it was sent
    media_type  text        COLLATE "C",
    size        integer,
    kept_at     timestamptz,           -- null: not all of it has come
    CONSTRAINT application_attachment_kept_whole CHECK (
        num_nulls(sha256, media_type, size, kept_at) IN (0, 4)
    )
);
COMMENT ON TABLE application_attachment IS 'Files of applications. One that is cut short is dropped when the next one comes.';
CREATE UNIQUE INDEX application_attachment_once ON application_attachment (application, sha256);
COMMENT ON INDEX application_attachment_once IS 'An application''s files by their hash; prevents the same one twice.';
CREATE INDEX application_attachment_cut_short ON application_attachment (started_at) WHERE kept_at IS NULL;
COMMENT ON INDEX application_attachment_cut_short IS 'Files that have not come to their end.';

CREATE TABLE application_attachment_part (
    attachment   uuid     NOT NULL,
    part         smallint NOT NULL,
    bytes        bytea    NOT NULL,  -- sealed
    field_key_id smallint NOT NULL,
    CONSTRAINT application_attachment_part_pkey PRIMARY KEY (attachment, part)
);
ALTER TABLE application_attachment_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE application_attachment_part IS 'The bytes of a file, each part sealed by itself, so that none has to be held whole.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE c.relname = 'application_one_open' AND i.indisunique AND i.indpred IS NOT NULL) = 1,
           'one open application a person and item';
END $$;
