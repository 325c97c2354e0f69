-- Login by QR code, as an OpenID Connect provider: who may ask, the keys that tell them, and each login from the browser
-- that asks to the tokens that are told. A login is one row, here and not in Valkey, so that a lost cache logs nobody in
-- or out; no code and no token is stored: they follow from the master secret and the row.

CREATE TABLE login_client (
    id                  uuid        NOT NULL CONSTRAINT login_client_pkey PRIMARY KEY,
    region              integer     NOT NULL,
    name_zh             text        NOT NULL,
    name_en             text        NOT NULL,
    place               text        NOT NULL,
    redirect_uris       text[]      NOT NULL CONSTRAINT login_client_has_redirects CHECK (cardinality(redirect_uris) > 0),
    scopes              text[]      NOT NULL,
    secret_hash         bytea       NOT NULL,  -- SHA-256 of 32 random bytes
    earlier_secret_hash bytea,
    earlier_ends_at     timestamptz,
    state               smallint    NOT NULL CONSTRAINT login_client_state_known CHECK (state IN (1, 2, 3)),
    changed_by          uuid        NOT NULL,
    changed_at          timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    CONSTRAINT login_client_earlier_is_whole CHECK ((earlier_secret_hash IS NULL) = (earlier_ends_at IS NULL))
);
COMMENT ON TABLE login_client IS 'Portals that let people log in. `changed_by` may not be the one who lets it do so.';

CREATE TABLE login (
    token         bytea       NOT NULL CONSTRAINT login_pkey PRIMARY KEY,  -- in the QR code, for everybody to see
    client        uuid        NOT NULL,
    redirect_uri  text        NOT NULL,
    scopes        text[]      NOT NULL,  -- asked for
    client_state  text,
    nonce         text,
    challenge     text        NOT NULL,  -- PKCE, S256
    browser_hash  bytea       NOT NULL,  -- SHA-256 of the cookie that only the asking browser has
    state         smallint    NOT NULL CONSTRAINT login_state_known CHECK (state IN (1, 2, 3, 4, 5)),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,  -- business time, as all codes that are shown
    card          uuid,
    channel       uuid,
    agreed_scopes text[],
    act           text,                  -- the person's own act: its kind and the digest of what was sent
    confirmed_at  timestamptz,           -- the database's own time, as others' clocks have it
    redeemed_at   timestamptz,
    revoked_at    timestamptz,
    CONSTRAINT login_is_somebodys CHECK ((card IS NULL) = (channel IS NULL)),
    CONSTRAINT login_is_agreed CHECK ((confirmed_at IS NULL) = (agreed_scopes IS NULL) AND (confirmed_at IS NULL) = (act IS NULL)),
    CONSTRAINT login_is_agreed_by_somebody CHECK (confirmed_at IS NULL OR card IS NOT NULL),
    CONSTRAINT login_is_redeemed_once_agreed CHECK (redeemed_at IS NULL OR confirmed_at IS NOT NULL)
);
COMMENT ON TABLE login IS 'Logins of the last days. A scan binds one to a card and a channel; nothing undoes that.';
CREATE INDEX login_expired ON login (expires_at);
COMMENT ON INDEX login_expired IS 'Logins that are long over and go, a few with each new one.';

CREATE TABLE login_key (
    key_id       text        NOT NULL CONSTRAINT login_key_pkey PRIMARY KEY,
    secret       bytea       NOT NULL,  -- PKCS 8, encrypted with the field key
    field_key_id smallint    NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE login_key IS 'What id tokens are signed with (ES256). The newest signs; the one before is published until its tokens are dead.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_constraint WHERE conname LIKE 'login\_is\_%') = 4,
           'nobody is logged in without a card and an act of its own';
END $$;
