-- The register of cards: persons, the physical cards in their hands, what channels have issued of the electronic one,
-- phones, and relatives who help. Personal data are sealed field by field and found by a keyed index; whether a card may
-- be used is not said here but by its payer's row alone, so it is the same wherever it is looked at.

-- What was sealed for the columns of `cardholder` can only be opened under their names, so these stay in use as places.
CREATE TABLE person (
    id              uuid        NOT NULL CONSTRAINT person_pkey PRIMARY KEY,
    region          integer     NOT NULL,
    id_number_index bytea       NOT NULL CONSTRAINT person_id_number_unique UNIQUE,
    id_number       bytea       NOT NULL,
    name            bytea       NOT NULL,
    phone           bytea,
    field_key_id    smallint    NOT NULL,
    registered_at   timestamptz NOT NULL
);
COMMENT ON TABLE person IS 'Personal data, apart from the books. Birth date and sex are in the ID number, and nowhere else.';

CREATE TABLE card (
    id                 uuid        NOT NULL CONSTRAINT card_pkey PRIMARY KEY,
    person             uuid        NOT NULL,
    region             integer     NOT NULL,  -- that has issued it
    bank               uuid        NOT NULL,
    bank_account       bytea,                 -- sealed; null: not activated
    bank_account_index bytea,
    field_key_id       smallint    NOT NULL,
    opened_at          timestamptz NOT NULL,
    ended_at           timestamptz,
    CONSTRAINT card_account_is_whole CHECK ((bank_account IS NULL) = (bank_account_index IS NULL))
);
COMMENT ON TABLE card IS 'One account and electronic card a person; its id is its payer''s. Physical cards may follow each other in it.';
CREATE UNIQUE INDEX card_one_a_person ON card (person) WHERE ended_at IS NULL;
COMMENT ON INDEX card_one_a_person IS 'Prevents a second card while there is one that was not cancelled.';

CREATE TABLE physical_card (
    card         uuid     NOT NULL,
    n            smallint NOT NULL,
    number_index bytea    NOT NULL CONSTRAINT physical_card_number_unique UNIQUE,
    number       bytea,                -- sealed; null: brought in before numbers were kept
    field_key_id smallint NOT NULL,
    issued_on    date     NOT NULL,
    valid_until  date     NOT NULL,
    ended_at     timestamptz,          -- the next one has replaced it
    CONSTRAINT physical_card_pkey PRIMARY KEY (card, n)
);
COMMENT ON TABLE physical_card IS 'Every physical card that there was; numbers are never given twice. The one in use is in card_number too.';
CREATE INDEX physical_card_valid_until ON physical_card (valid_until) WHERE ended_at IS NULL;
COMMENT ON INDEX physical_card_valid_until IS 'Cards whose time is over.';

CREATE TABLE card_sign (
    sign_no     uuid        NOT NULL CONSTRAINT card_sign_pkey PRIMARY KEY,
    card        uuid        NOT NULL,
    channel     uuid        NOT NULL,
    level       smallint    NOT NULL CONSTRAINT card_sign_level_known CHECK (level IN (1, 2)),
    linked_at   timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    unlinked_at timestamptz
);
COMMENT ON TABLE card_sign IS 'What a channel has issued of a person''s electronic card.';
CREATE UNIQUE INDEX card_sign_one_a_channel ON card_sign (card, channel) WHERE unlinked_at IS NULL;
COMMENT ON INDEX card_sign_one_a_channel IS 'One a person and channel; also, whether a channel may look at a card.';

CREATE TABLE card_device (
    device_no     bigint      NOT NULL CONSTRAINT card_device_pkey PRIMARY KEY,
    card          uuid        NOT NULL,
    registered_by uuid        NOT NULL,
    registered_at timestamptz NOT NULL,
    revoked_at    timestamptz
);
CREATE INDEX card_device_card ON card_device (card);
COMMENT ON INDEX card_device_card IS 'A card''s phones.';
COMMENT ON TABLE card_device IS 'What the lanes need not know of a phone in `device`; none for one that came with a sandbox.';

CREATE TABLE relative (
    id         uuid        NOT NULL CONSTRAINT relative_pkey PRIMARY KEY,
    guardian   uuid        NOT NULL,  -- the card whose personal account helps
    ward       uuid        NOT NULL,  -- the card that is helped
    relation   smallint    NOT NULL,
    proof      text        COLLATE "C" NOT NULL,  -- what shows it: a kind of document and the digest of its image
    linked_by  uuid        NOT NULL,
    linked_at  timestamptz NOT NULL,
    expires_on date        NOT NULL,
    ended_at   timestamptz,
    CONSTRAINT relative_is_somebody_else CHECK (guardian <> ward)
);
COMMENT ON TABLE relative IS 'Who helps whom, and why that is known. Whether it is done is said by the helped payer''s row.';
CREATE UNIQUE INDEX relative_once ON relative (guardian, ward) WHERE ended_at IS NULL;
COMMENT ON INDEX relative_once IS 'Prevents the same pair twice; also, whom a card helps.';
CREATE INDEX relative_expiring ON relative (expires_on) WHERE ended_at IS NULL;
COMMENT ON INDEX relative_expiring IS 'Links whose time is over.';

CREATE TABLE card_import (
    sha256      bytea       NOT NULL CONSTRAINT card_import_pkey PRIMARY KEY,
    operator    uuid        NOT NULL,
    report      bytea       NOT NULL,  -- msgpack: counts and the first faults
    finished_at timestamptz NOT NULL
);
COMMENT ON TABLE card_import IS 'Files of cards that were brought in to their end; the same bytes again are answered the same.';

ALTER TYPE changed_payer
    ADD ATTRIBUTE issue_level smallint,
    ADD ATTRIBUTE family      uuid;

-- A person's id is made of the first card's, with another kind in its eighth byte.
INSERT INTO person (id, region, id_number_index, id_number, name, field_key_id, registered_at)
SELECT encode(set_byte(uuid_send(c.card), 7, 80), 'hex')::uuid, c.region, c.id_number_index, c.id_number, c.name,
       c.field_key_id, now()
  FROM cardholder c;
INSERT INTO card (id, person, region, bank, field_key_id, opened_at, ended_at)
SELECT c.card, encode(set_byte(uuid_send(c.card), 7, 80), 'hex')::uuid, c.region, y.bank, c.field_key_id, now(),
       CASE WHEN y.status = 4 THEN now() END
  FROM cardholder c JOIN payer y ON y.id = c.card;
INSERT INTO physical_card (card, n, number_index, field_key_id, issued_on, valid_until)
SELECT k.card, 1, k.number_index, 1, date '2020-01-01', date '2040-01-01'
  FROM card_number k JOIN card c ON c.id = k.card;
DROP TABLE cardholder;

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'changed_payer'::regclass AND attnum > 0) = 20,
           'a batch hands over what it can change of a payer';
    ASSERT NOT EXISTS (SELECT FROM card c WHERE NOT EXISTS (SELECT FROM payer y WHERE y.id = c.id)),
           'a card is a payer''s';
END $$;
