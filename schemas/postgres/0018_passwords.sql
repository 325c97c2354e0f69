-- Passwords of cards and the numbers printed on them: what a payment is confirmed with, and what a terminal reads off a
-- physical card. Neither can be read out of these tables without the master secret.

CREATE TABLE card_password (
    card    uuid        NOT NULL,
    version integer     NOT NULL CONSTRAINT card_password_version_positive CHECK (version > 0),
    hash    text        COLLATE "C" NOT NULL CONSTRAINT card_password_is_argon2id CHECK (hash LIKE '$argon2id$%'),
    set_at  timestamptz NOT NULL,
    CONSTRAINT card_password_pkey PRIMARY KEY (card, version)
);
COMMENT ON TABLE card_password IS
    'Never updated. The version that the payer''s row names is good: one that was written down and then not taken into use '
    'changes nothing.';

CREATE TABLE card_number (
    number_index bytea NOT NULL,  -- keyed blind index of the number on the physical card
    card         uuid  NOT NULL,
    CONSTRAINT card_number_pkey PRIMARY KEY (number_index)
);
COMMENT ON TABLE card_number IS 'Whose card it is that a terminal has read; the number itself is not kept.';

CREATE TABLE password_key (
    key_id       text        PRIMARY KEY,
    secret       bytea       NOT NULL,  -- PKCS 8, encrypted with the field key
    field_key_id smallint    NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE password_key IS
    'What passwords are sealed for on their way here (P-256). The newest is published; old ones stay, for terminals that '
    'have kept an older list.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_constraint WHERE conname = 'card_password_is_argon2id') = 1,
           'no password is kept as it is';
END $$;
