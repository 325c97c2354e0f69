-- Regions: how many hold an electronic card in each city, day by day, and local platforms that move to the one model, a
-- region at a time. A file of cards is remembered together with the region that its operator answers for: the same
-- bytes from somebody who may do less have to be judged again.

CREATE TABLE activation_day (
    business_date date        NOT NULL CONSTRAINT activation_day_pkey PRIMARY KEY,
    counted_at    timestamptz NOT NULL
);
COMMENT ON TABLE activation_day IS 'Days whose figures are counted. The key makes it once a day, however many nodes look.';

CREATE TABLE activation (
    business_date date    NOT NULL,  -- as it stood when this day began, or when a node first saw it
    region        integer NOT NULL,  -- a city
    holders       bigint  NOT NULL,
    activated     bigint  NOT NULL,
    level_2       bigint  NOT NULL,
    CONSTRAINT activation_pkey PRIMARY KEY (business_date, region),
    CONSTRAINT activation_is_a_part CHECK (0 <= level_2 AND level_2 <= activated AND activated <= holders)
);
COMMENT ON TABLE activation IS 'Insert only. Card holders of a city, those with an electronic card, and those who can pay with it.';

CREATE INDEX card_region ON card (region) WHERE ended_at IS NULL;
COMMENT ON INDEX card_region IS 'The cards of a region whose local platform moves: how many there are, and which have no balance.';

CREATE TABLE local_platform (
    id               uuid        NOT NULL CONSTRAINT local_platform_pkey PRIMARY KEY,
    region           integer     NOT NULL CONSTRAINT local_platform_region_unique UNIQUE,  -- a city
    name             text        NOT NULL,
    state            smallint    NOT NULL,
    declared_cards   bigint      NOT NULL CONSTRAINT local_platform_cards_not_negative CHECK (declared_cards >= 0),
    declared_balance bigint      NOT NULL CONSTRAINT local_platform_balance_not_negative CHECK (declared_balance >= 0),
    prepared_by      uuid        NOT NULL,
    prepared_at      timestamptz NOT NULL,
    sha256           bytea,                 -- of the file of balances that counts
    opening_on       date,                  -- the business date on which its balances were let in
    proven_at        timestamptz,
    switched_on_at   timestamptz
);
COMMENT ON TABLE local_platform IS 'What a city worked with before. Until it is switched on, nothing is paid for in its region.';

CREATE TABLE local_balance (
    platform     uuid    NOT NULL,
    number_index bytea   NOT NULL,  -- of the card's number, as in physical_card: it is one card's for ever
    line         integer NOT NULL,
    amount       bigint  NOT NULL CONSTRAINT local_balance_not_negative CHECK (amount >= 0),
    is_opened    boolean NOT NULL DEFAULT false,
    CONSTRAINT local_balance_pkey PRIMARY KEY (platform, number_index)
);
COMMENT ON TABLE local_balance IS 'What a local platform says of each card. The key prevents a card that is named twice.';

ALTER TABLE card_import ADD COLUMN region integer;
UPDATE card_import i SET region = coalesce((SELECT o.region FROM operator o WHERE o.id = i.operator), 0);
ALTER TABLE card_import ALTER COLUMN region SET NOT NULL;
ALTER TABLE card_import DROP CONSTRAINT card_import_pkey;
ALTER TABLE card_import ADD CONSTRAINT card_import_pkey PRIMARY KEY (sha256, region);
COMMENT ON TABLE card_import IS 'Files of cards that were brought in to their end; the same bytes from an operator of the same region are '
    'answered the same.';

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM card_import i WHERE i.region IS NULL), 'every file was judged by somebody''s region';
END $$;
