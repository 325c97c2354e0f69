-- Passkeys (WebAuthn): keys in a person's own devices, which sign only after the device has seen who uses it. With them
-- the person agrees to what a channel asks for, and to payments that wait. Nothing here is a secret of anybody's but the
-- links and challenges, of which only the digests are kept.

CREATE TABLE passkey (
    id            uuid        NOT NULL CONSTRAINT passkey_pkey PRIMARY KEY,
    card          uuid        NOT NULL,
    credential_id bytea       NOT NULL CONSTRAINT passkey_credential_unique UNIQUE,
    public_key    bytea       NOT NULL,  -- a COSE key
    sign_count    bigint      NOT NULL,
    label         bytea       NOT NULL,  -- sealed: people put names into it
    field_key_id  smallint    NOT NULL,
    registered_by uuid        NOT NULL,  -- the channel
    registered_at timestamptz NOT NULL,
    used_at       timestamptz,
    copied_at     timestamptz,           -- it has signed with a count that it must have passed: there are two of it
    revoked_at    timestamptz
);
COMMENT ON TABLE passkey IS 'A cardholder''s passkeys. One that is revoked or was copied agrees to nothing any more.';
CREATE INDEX passkey_card ON passkey (card, id DESC);
COMMENT ON INDEX passkey_card IS 'A card''s passkeys, newest first.';

CREATE TABLE passkey_challenge (
    digest      bytea       NOT NULL CONSTRAINT passkey_challenge_pkey PRIMARY KEY,  -- SHA-256
    card        uuid        NOT NULL,
    channel     uuid        NOT NULL,   -- that has asked for it, and for which alone it is signed
    act         text        COLLATE "C" NOT NULL,
    bound_to    text        COLLATE "C" NOT NULL,
    expires_at  timestamptz NOT NULL,   -- wall time, as of a signature
    passkey     uuid,
    evidence    bytea,                  -- SHA-256 of what was signed with it
    used_key    text        COLLATE "C",  -- of the request that it was signed for
    used_at     timestamptz,
    CONSTRAINT passkey_challenge_used_whole
        CHECK (num_nulls(passkey, evidence, used_key, used_at) IN (0, 4))
);
COMMENT ON TABLE passkey_challenge IS 'What a passkey may sign, once. Those that were signed stay: they show who has agreed to what.';
CREATE INDEX passkey_challenge_unused ON passkey_challenge (card, expires_at) WHERE used_at IS NULL;
COMMENT ON INDEX passkey_challenge_unused IS 'A card''s challenges that nobody has signed in time, to be removed with its next one.';

CREATE TABLE passkey_link (
    digest       bytea       NOT NULL CONSTRAINT passkey_link_pkey PRIMARY KEY,  -- SHA-256 of the token
    card         uuid        NOT NULL,
    channel      uuid        NOT NULL,
    payment      uuid,                  -- null: to register a passkey
    label        bytea,                 -- sealed
    field_key_id smallint    NOT NULL,
    expires_at   timestamptz NOT NULL,  -- wall time
    used_at      timestamptz,
    CONSTRAINT passkey_link_is_for_one_thing CHECK ((payment IS NULL) = (label IS NOT NULL))
);
COMMENT ON TABLE passkey_link IS 'Links to the engine''s own page, on which a person registers a passkey or confirms a payment, once.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_constraint WHERE conname = 'passkey_credential_unique') = 1,
           'a credential is one card''s';
END $$;
