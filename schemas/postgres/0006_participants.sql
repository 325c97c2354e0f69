-- Who takes part is brought in over HTTP, by two operators: what banks and merchants have not had so far (versions,
-- suspension), agencies and operators, the history of keys, requests that wait for a second person, and the answers of
-- requests that are no ledger commands, so that they too are done once a key.

CREATE TABLE participant (
    id               uuid        PRIMARY KEY,
    version          integer     NOT NULL,
    is_suspended     boolean     NOT NULL,
    suspended_reason text,
    registered_at    timestamptz,
    changed_at       timestamptz NOT NULL
);
COMMENT ON TABLE participant IS 'What every participant has beside its own table. No row: never changed, not suspended. '
    'Version counts changes, so that what was asked for of an older one is not done to a newer one. Whether a merchant '
    'may pay is in its own row, which the lanes read.';

CREATE TABLE agency (
    id      uuid     PRIMARY KEY,
    code    text     NOT NULL CONSTRAINT agency_code_unique UNIQUE,
    region  integer  NOT NULL,
    item    smallint NOT NULL,
    bank    uuid     NOT NULL,  -- that keeps its account
    name_zh text     NOT NULL,
    name_en text     NOT NULL
);
COMMENT ON TABLE agency IS 'A handling institution that collects fees or pays benefits.';

CREATE TABLE operator (
    id      uuid     PRIMARY KEY,
    code    text     NOT NULL CONSTRAINT operator_code_unique UNIQUE,
    role    smallint NOT NULL,
    region  integer  NOT NULL,  -- and all below it; 0 is the whole country
    name_zh text     NOT NULL,
    name_en text     NOT NULL
);
COMMENT ON TABLE operator IS 'A person who runs the platform. Looked up by every change that it makes, so suspending it stops it at once.';

-- The region that an id carries: the first twenty bits of its second half. Layout: engine/core/ids.py.
CREATE FUNCTION region_in(id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || lpad(substr(replace(id::text, '-', ''), 17, 5), 8, '0'))::bit(32)::integer;

CREATE VIEW every_participant AS
SELECT x.id, x.kind, x.code, x.name_zh, x.name_en, x.region, b.cnaps AS bank, x.scenarios, x.item, x.role,
       x.is_settlement_bank, x.delivery, coalesce(x.is_suspended, p.is_suspended, false) AS is_suspended, p.suspended_reason,
       coalesce(p.version, 0) AS version, p.registered_at, p.changed_at
  FROM (SELECT m.id, 'merchant' AS kind, m.code, m.name_zh, m.name_en, m.region, m.bank, m.scenarios,
               NULL::smallint AS item, NULL::smallint AS role, NULL::boolean AS is_settlement_bank,
               NULL::smallint[] AS delivery, m.is_suspended
          FROM merchant m
         UNION ALL
        SELECT k.id, 'bank', lpad(k.cnaps::text, 12, '0'), k.name_zh, k.name_en, region_in(k.id), NULL, NULL,
               NULL, NULL, k.is_settlement_bank, k.delivery, NULL
          FROM bank k
         UNION ALL
        SELECT a.id, 'agency', a.code, a.name_zh, a.name_en, a.region, a.bank, NULL, a.item, NULL, NULL, NULL, NULL
          FROM agency a
         UNION ALL
        SELECT o.id, 'operator', o.code, o.name_zh, o.name_en, o.region, NULL, NULL, NULL, o.role, NULL, NULL, NULL
          FROM operator o) x
  LEFT JOIN participant p ON p.id = x.id
  LEFT JOIN bank b ON b.id = x.bank;
COMMENT ON VIEW every_participant IS 'Merchants, banks, agencies and operators in one list, newest first by id.';

CREATE INDEX caller_key_caller ON caller_key (caller);
COMMENT ON INDEX caller_key_caller IS 'A participant''s keys: listing, suspending and rotating them.';

CREATE TABLE key_record (
    keyid      text        PRIMARY KEY,
    caller     uuid        NOT NULL,
    alg        text        NOT NULL,
    added_at   timestamptz,
    added_by   uuid,
    retires_at timestamptz,
    revoked_at timestamptz,
    revoked_by uuid,      -- null: its overlap with its successor was over
    reason     text
);
COMMENT ON TABLE key_record IS 'The history of keys: a key id is never given twice. A key that is revoked has no caller_key row any more.';
CREATE INDEX key_record_caller ON key_record (caller);
COMMENT ON INDEX key_record_caller IS 'The history of one participant''s keys.';
CREATE INDEX key_record_retiring ON key_record (retires_at) WHERE revoked_at IS NULL AND retires_at IS NOT NULL;
COMMENT ON INDEX key_record_retiring IS 'Keys whose overlap with their successor ends.';

CREATE TABLE approval (
    id             uuid        PRIMARY KEY,
    kind           smallint    NOT NULL,
    state          smallint    NOT NULL,
    region         integer     NOT NULL,
    subject        text        NOT NULL,
    payload        bytea       NOT NULL,  -- canonical JSON
    payload_sha256 bytea       NOT NULL CONSTRAINT approval_payload_is_whole CHECK (payload_sha256 = sha256(payload)),
    reason         text        NOT NULL,
    requested_by   uuid        NOT NULL,
    requested_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    decided_by     uuid,
    decided_at     timestamptz,
    note           text,
    outcome        smallint,
    result         bytea,                 -- JSON
    CONSTRAINT approval_has_four_eyes CHECK (state <> 2 OR decided_by <> requested_by),
    CONSTRAINT approval_is_decided_whole CHECK ((state IN (2, 3)) = (decided_by IS NOT NULL)),
    CONSTRAINT approval_outcome_follows CHECK ((state = 2) = (outcome IS NOT NULL))
);
COMMENT ON TABLE approval IS 'What waits for a second operator, and what became of it.';
CREATE INDEX approval_pending ON approval (expires_at) WHERE state = 1;
COMMENT ON INDEX approval_pending IS 'Requests whose time is over.';
CREATE INDEX approval_under_way ON approval (id) WHERE outcome = 1;
COMMENT ON INDEX approval_under_way IS 'Approved requests that have still to be carried out; nearly always none.';

CREATE TABLE approval_event (
    approval uuid        NOT NULL,
    n        smallint    NOT NULL,
    at       timestamptz NOT NULL,
    move     smallint    NOT NULL,
    operator uuid,                        -- null: the engine itself
    note     text,
    PRIMARY KEY (approval, n)
);
COMMENT ON TABLE approval_event IS 'Insert only: who did what to a request, and when.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER approval_event_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approval_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_what_was_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.kind, NEW.region, NEW.subject, NEW.payload, NEW.reason, NEW.requested_by, NEW.requested_at,
        NEW.expires_at)
       IS DISTINCT FROM (OLD.id, OLD.kind, OLD.region, OLD.subject, OLD.payload, OLD.reason, OLD.requested_by,
                         OLD.requested_at, OLD.expires_at)
       OR (OLD.state <> 1 AND (NEW.state, NEW.decided_by, NEW.decided_at) IS DISTINCT FROM
                              (OLD.state, OLD.decided_by, OLD.decided_at)) THEN
        RAISE EXCEPTION 'what was asked for and decided stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_stays BEFORE UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION keep_what_was_asked();
CREATE TRIGGER approval_is_kept BEFORE DELETE OR TRUNCATE ON approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE request_answer (
    caller       uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    facts        bytea       NOT NULL,  -- canonical JSON of what was asked for
    status       smallint,
    body         bytea,                 -- encrypted with the field key: it may show a secret
    field_key_id smallint    NOT NULL,
    answered_at  timestamptz NOT NULL,
    PRIMARY KEY (caller, operation, key)
);
COMMENT ON TABLE request_answer IS 'The answers of requests that change something and are no ledger commands, one a key; written in the transaction of what they answer.';

CREATE TABLE import_file (
    id         uuid        PRIMARY KEY,
    started_at timestamptz NOT NULL,
    approval   uuid                    -- null: still being checked
);
COMMENT ON TABLE import_file IS 'Files of participants that are being checked, or wait for a second operator.';

CREATE TABLE import_line (
    file        uuid       NOT NULL,
    line        integer    NOT NULL,
    kind        text       NOT NULL,  -- of a participant, or terminal
    code        text       NOT NULL,  -- of a terminal: its merchant's
    name_zh     text       NOT NULL,
    name_en     text       NOT NULL,
    region      integer    NOT NULL,
    bank        bigint,               -- CNAPS number: a bank's own, or of the bank of an account
    scenarios   smallint[] NOT NULL,
    terminals   text[]     NOT NULL,
    item        smallint,
    participant uuid,                 -- the id that it gets
    keyid       text,                 -- of its first key, if the line has one
    alg         text,
    secret      bytea,                -- that key, sealed as in caller_key
    is_known    boolean    NOT NULL,  -- registered already, exactly so
    PRIMARY KEY (file, line)
);
COMMENT ON TABLE import_line IS 'The lines of those files: nothing of them takes part yet.';
CREATE INDEX import_line_code ON import_line (file, kind, code, line);
COMMENT ON INDEX import_line_code IS 'Finding what a file names twice, and what its lines refer to.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_trigger WHERE tgname IN ('approval_event_is_insert_only', 'approval_stays')) = 2,
           'what was decided cannot be decided again';
    ASSERT region_in('019ab1c2-d3e4-0705-1ae1-5fedcba98765') = 110101, 'an id carries its region';
END $$;
