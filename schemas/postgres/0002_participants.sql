-- Who takes part: merchants, banks and their callers; whose card and phone it is; which bank holds a fund.
-- Maps from a device to its card never change, so they may be followed before a lock is held.

CREATE TABLE bank (
    id                 uuid    PRIMARY KEY,
    cnaps              bigint  NOT NULL CONSTRAINT bank_cnaps_unique UNIQUE,  -- twelve digits
    name_zh            text    NOT NULL,
    name_en            text    NOT NULL,
    is_settlement_bank boolean NOT NULL
);
CREATE UNIQUE INDEX bank_one_settlement_bank ON bank (is_settlement_bank) WHERE is_settlement_bank;
COMMENT ON INDEX bank_one_settlement_bank IS 'Prevents a second settlement bank: net positions are settled at one.';

CREATE TABLE fund (
    region   integer NOT NULL,  -- the pooling area
    pay_type integer NOT NULL,
    bank     uuid    NOT NULL,
    PRIMARY KEY (region, pay_type)
);
COMMENT ON TABLE fund IS 'Which bank holds a pooling area''s money of one fund pay type (310200: the personal accounts).';

CREATE TABLE merchant (
    id           uuid       PRIMARY KEY,
    code         text       NOT NULL CONSTRAINT merchant_code_unique UNIQUE,
    region       integer    NOT NULL,
    bank         uuid       NOT NULL,
    is_suspended boolean    NOT NULL,
    scenarios    smallint[] NOT NULL,
    name_zh      text       NOT NULL,
    name_en      text       NOT NULL
);

CREATE TABLE terminal (
    merchant    uuid NOT NULL,
    terminal_id text NOT NULL,
    PRIMARY KEY (merchant, terminal_id)
);

CREATE TABLE caller_key (
    keyid        text     PRIMARY KEY,
    caller       uuid     NOT NULL,
    alg          text     NOT NULL,
    secret       bytea    NOT NULL,  -- encrypted with the field key
    field_key_id smallint NOT NULL,
    is_suspended boolean  NOT NULL
);
COMMENT ON TABLE caller_key IS 'What a caller signs with: a shared secret, or a public key.';

CREATE TABLE engine_key (
    key_id       text        PRIMARY KEY,
    secret       bytea       NOT NULL,  -- PKCS 8, encrypted with the field key
    field_key_id smallint    NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE engine_key IS 'What the engine signs files and seals with (Ed25519). Old keys stay: old files stay checkable.';

CREATE TABLE cardholder (
    card             uuid     PRIMARY KEY,
    region           integer  NOT NULL,
    name             bytea    NOT NULL,  -- encrypted
    id_number        bytea    NOT NULL,  -- encrypted
    id_number_index  bytea    NOT NULL CONSTRAINT cardholder_one_card_a_person UNIQUE,  -- keyed blind index
    field_key_id     smallint NOT NULL
);
COMMENT ON TABLE cardholder IS 'Personal data, apart from the books and encrypted field by field.';

CREATE TABLE device (
    device_no  bigint   PRIMARY KEY,
    card       uuid     NOT NULL,
    key_id     smallint NOT NULL,
    is_revoked boolean  NOT NULL
);
COMMENT ON TABLE device IS 'A phone that shows codes. Its card never changes; its first three digits are the card''s shard.';
CREATE INDEX device_card ON device (card);
COMMENT ON INDEX device_card IS 'The devices of a card, for showing its code in the sandbox.';

CREATE TYPE merchant_state AS (id uuid, region integer, is_suspended boolean, scenarios smallint[]);
