-- Gates without a network: what their terminals sign tickets with, and how many tickets of each have come in.

CREATE TABLE terminal_key (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant    uuid        NOT NULL,
    terminal_id text        NOT NULL,
    public_key  bytea       NOT NULL CONSTRAINT terminal_key_is_ed25519 CHECK (octet_length(public_key) = 32),
    valid_from  timestamptz NOT NULL,
    retired_at  timestamptz,
    CONSTRAINT terminal_key_is_retired_after_it_was_valid CHECK (retired_at >= valid_from)
);
COMMENT ON TABLE terminal_key IS 'Public keys of terminals (Ed25519). Retired ones stay: tickets taken before are brought in '
    'after.';
CREATE INDEX terminal_key_of_terminal ON terminal_key (merchant, terminal_id);
COMMENT ON INDEX terminal_key_of_terminal IS 'Every key of the terminals whose tickets come in.';
CREATE UNIQUE INDEX terminal_key_in_use ON terminal_key (merchant, terminal_id) WHERE retired_at IS NULL;
COMMENT ON INDEX terminal_key_in_use IS 'Prevents a second key in use: a gate is one device.';

CREATE TABLE gate_progress (
    merchant      uuid   NOT NULL,
    terminal_id   text   NOT NULL,
    last_sequence bigint NOT NULL CONSTRAINT gate_progress_counts CHECK (last_sequence >= 0),
    PRIMARY KEY (merchant, terminal_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE gate_progress IS 'Up to which number the tickets of a terminal have come in, without a gap; never less than '
    'before.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_index WHERE indrelid = 'terminal_key'::regclass AND indisunique) = 2,
           'one key of a terminal is in use';
END $$;
