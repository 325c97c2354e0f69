-- The audit trail: who has looked at whose data, or was refused, and what for. Rows are only ever added. Each is a link of
-- a chain of hashes whose last one its chain's row keeps, so that an edit, a gap or an end cut off shows. There are
-- several chains, chosen by whom a look is about, for a chain's row is locked until its look is committed.
-- Also the keys under which fields are sealed, and the walk through a table by which a new key takes the place of an old.

CREATE TABLE audit_chain (
    chain          smallint NOT NULL CONSTRAINT audit_chain_pkey PRIMARY KEY,
    n              bigint   NOT NULL,  -- of its last entry; zero: none yet
    hash           bytea    NOT NULL,  -- of its last entry; 32 zero bytes: none yet
    hash_algorithm smallint NOT NULL   -- that the next entry is to be hashed with
);
COMMENT ON TABLE audit_chain IS 'Where each chain of the audit trail ends. Its row is locked while an entry is added.';
INSERT INTO audit_chain (chain, n, hash, hash_algorithm)
SELECT c, 0, decode(repeat('00', 32), 'hex'), 1 FROM generate_series(0, 15) c;

CREATE TABLE audit_entry (
    chain          smallint    NOT NULL,
    n              bigint      NOT NULL,
    at             timestamptz NOT NULL,  -- business time
    region         integer     NOT NULL,  -- of whom it is about, or of who has asked
    caller         uuid        NOT NULL,
    channel        uuid,
    subject        uuid,                  -- a card
    payment        uuid,
    action         text        COLLATE "C" NOT NULL,
    purpose        text        COLLATE "C",
    object         text        COLLATE "C",
    result         text        COLLATE "C" NOT NULL,
    trace_id       text        COLLATE "C" NOT NULL,
    hash_algorithm smallint    NOT NULL,
    prev           bytea       NOT NULL,
    hash           bytea       NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (chain, n)
);
COMMENT ON TABLE audit_entry IS 'Every look at personal data, and every refusal of one. Never updated or deleted.';
CREATE INDEX audit_entry_subject ON audit_entry (subject, at) WHERE subject IS NOT NULL;
COMMENT ON INDEX audit_entry_subject IS 'Who has looked at one card.';
CREATE INDEX audit_entry_payment ON audit_entry (payment, at) WHERE payment IS NOT NULL;
COMMENT ON INDEX audit_entry_payment IS 'Who has looked at one payment.';
CREATE INDEX audit_entry_channel ON audit_entry (channel, at) WHERE channel IS NOT NULL;
COMMENT ON INDEX audit_entry_channel IS 'What one channel has looked at.';
CREATE INDEX audit_entry_trace ON audit_entry (trace_id);
COMMENT ON INDEX audit_entry_trace IS 'What one request has looked at.';
CREATE INDEX audit_entry_at ON audit_entry (at, chain, n);
COMMENT ON INDEX audit_entry_at IS 'The list, newest first.';

CREATE TABLE field_key (
    id      smallint    NOT NULL CONSTRAINT field_key_pkey PRIMARY KEY CONSTRAINT field_key_id_counts CHECK (id >= 1),
    cipher  smallint    NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE field_key IS 'The keys that fields are sealed under, by number: they follow from the master secret. The last one is in use.';
INSERT INTO field_key (id, cipher, made_at) VALUES (1, 1, now());

CREATE TABLE index_hash (
    is_only        boolean  NOT NULL DEFAULT true CONSTRAINT index_hash_pkey PRIMARY KEY CHECK (is_only),
    hash_algorithm smallint                       -- null: nothing was indexed yet
);
COMMENT ON TABLE index_hash IS 'What blind indexes are hashed with: fixed when the first node starts, for an index is only found by its own.';
INSERT INTO index_hash (hash_algorithm) SELECT CASE WHEN EXISTS (SELECT FROM person) THEN 1 END;

CREATE TABLE person_key (
    person       uuid        NOT NULL CONSTRAINT person_key_pkey PRIMARY KEY,
    secret       bytea,                -- 32 random bytes, sealed under a field key; null: destroyed
    field_key_id smallint    NOT NULL,
    made_at      timestamptz NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT person_key_is_there_or_destroyed CHECK ((secret IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON TABLE person_key IS 'Each person''s own key: what is sealed under it is unreadable everywhere, in copies too, once this row''s secret is gone.';

CREATE FUNCTION with_person_key(secret bytea, sealed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN secret IS NULL OR sealed IS NULL THEN sealed
                ELSE '\xf5c2'::bytea || int2send(length(secret)::smallint) || secret || sealed END
$$;
COMMENT ON FUNCTION with_person_key IS 'A person''s sealed text behind the person''s key, as it is opened.';

CREATE FUNCTION sealed_texts(in_table regclass, in_column name, header bytea, after tid, until tid, count integer)
RETURNS TABLE (place tid, sealed bytea, owner uuid) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.ctid, t.%1$I, %2$s FROM %3$s t'
        ' WHERE t.ctid > $1 AND t.ctid < $2 AND substring(t.%1$I FOR length($3)) <> $3'
        ' ORDER BY t.ctid LIMIT $4',
        in_column,
        CASE in_table::text
            WHEN 'person' THEN 't.id'
            WHEN 'card' THEN 't.person'
            WHEN 'physical_card' THEN '(SELECT c.person FROM card c WHERE c.id = t.card)'
            WHEN 'application' THEN 't.person'
            WHEN 'application_step' THEN '(SELECT a.person FROM application a WHERE a.id = t.application)'
            WHEN 'application_attachment_part' THEN
                '(SELECT a.person FROM application_attachment f JOIN application a ON a.id = f.application'
                ' WHERE f.id = t.attachment)'
            ELSE 'NULL::uuid'
        END,
        in_table)
    USING after, until, header, count;
END $$;
COMMENT ON FUNCTION sealed_texts IS 'What is sealed under another key than the wanted one, and whose it is, in a part of a table.';

CREATE FUNCTION seal_anew(in_table regclass, in_column name, places tid[], earlier bytea[], sealed bytea[], key_id smallint)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    done integer := 0;
    changed integer;
    has_key_id boolean := EXISTS (SELECT FROM pg_attribute a
                                   WHERE a.attrelid = in_table AND a.attname = 'field_key_id' AND NOT a.attisdropped);
BEGIN
    FOR i IN 1 .. coalesce(array_length(places, 1), 0) LOOP
        -- A row that was changed meanwhile is somewhere else, or says something else: it is left to the next turn.
        EXECUTE format('UPDATE %1$s SET %2$I = $1%3$s WHERE ctid = $2 AND %2$I = $3', in_table, in_column,
                       CASE WHEN has_key_id THEN ', field_key_id = $4' ELSE '' END)
          USING sealed[i], places[i], earlier[i], key_id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        done := done + changed;
    END LOOP;
    RETURN done;
END $$;
COMMENT ON FUNCTION seal_anew IS 'Puts texts that were sealed anew in place of the earlier ones. Returns how many were still there.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM audit_chain) = 16, 'a chain is chosen by four bits';
END $$;
