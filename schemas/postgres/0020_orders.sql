-- Orders that are shown to be paid: as a picture that the cardholder's app scans, or as a page with a link of its own.

CREATE TABLE pay_order (
    id          uuid     NOT NULL,          -- with its token and its number the same in all versions
    merchant    uuid     NOT NULL,
    order_no    text COLLATE "C" NOT NULL,
    token       uuid     NOT NULL,          -- 128 random bits: who knows them may see what is to be paid, and pay it
    version     integer  NOT NULL CONSTRAINT pay_order_version_positive CHECK (version > 0),
    amount      bigint   NOT NULL CONSTRAINT pay_order_amount_positive CHECK (amount > 0),
    scenario    smallint NOT NULL,
    terminal_id text     NOT NULL,
    description text,
    items       bytea    NOT NULL,          -- msgpack of the lines to be shown
    return_url  text,
    lives_s     integer  NOT NULL,
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,       -- of this version
    CONSTRAINT pay_order_pkey PRIMARY KEY (id),
    CONSTRAINT pay_order_once_a_number UNIQUE (merchant, order_no),
    CONSTRAINT pay_order_token_unique UNIQUE (token)
) WITH (fillfactor = 80);
COMMENT ON TABLE pay_order IS 'What a merchant shows, in its newest version, which is the one that can be paid. Whether it '
    'is paid or cancelled is in order_ref alone. The token is kept as it is: it lets nobody do more than reading this table does.';
CREATE INDEX pay_order_of_merchant ON pay_order (merchant, id);
COMMENT ON INDEX pay_order_of_merchant IS 'A merchant''s list of its orders, newest first.';

-- An order as a lane has read it. Every later version ends at another time, whatever else is different in it.
CREATE TYPE pay_order_read AS (id uuid, amount bigint, expires_at timestamptz);

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index WHERE indrelid = 'pay_order'::regclass AND indisunique) = 3,
           'an order is one row, by its id, its number and its token';
END $$;
