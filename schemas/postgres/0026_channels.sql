-- Channels: the apps through which people use their cards. Who may connect, for what and where; what stops them; how
-- they have shown that they work; and what they do wrong, counted.

CREATE TABLE channel (
    id            uuid        NOT NULL CONSTRAINT channel_pkey PRIMARY KEY,
    channel_no    text        COLLATE "C" NOT NULL CONSTRAINT channel_no_unique UNIQUE,
    owner_class   smallint    NOT NULL,
    parent        uuid,                    -- the tier-1 channel through which a tier-2 one takes part
    name_zh       text        NOT NULL,
    name_en       text        NOT NULL,
    contact       bytea,                   -- sealed; null: older than contacts
    field_key_id  smallint    NOT NULL,
    region        integer     NOT NULL,    -- that answers for it; 0 is the whole country
    products      smallint[]  NOT NULL,
    regions       integer[]   NOT NULL,    -- each with all below it; 0 is the whole country
    addresses     text[]      NOT NULL,    -- networks that it may call from; empty: any
    callback_urls text[]      NOT NULL,
    state         smallint    NOT NULL,
    version       integer     NOT NULL,
    applied_by    uuid,
    applied_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
COMMENT ON TABLE channel IS 'Who may connect as a channel. One that is stopped keeps its row and its past. '
    'Version counts changes, so that what was asked for of an older one is not done to a newer one.';
CREATE INDEX channel_parent ON channel (parent) WHERE parent IS NOT NULL;
COMMENT ON INDEX channel_parent IS 'The tier-2 channels that a tier-1 one takes along.';

CREATE TABLE channel_stop (
    id                uuid        NOT NULL CONSTRAINT channel_stop_pkey PRIMARY KEY,
    channel           uuid        NOT NULL,
    kind              smallint    NOT NULL,
    product           smallint,                -- null: all
    region            integer     NOT NULL,    -- with all below it; 0 is the whole country
    reason            text        NOT NULL,
    evidence          text        NOT NULL,
    restore_condition text        NOT NULL,
    operator          uuid,                    -- null: a rule has
    effective_at      timestamptz NOT NULL,
    lifted_at         timestamptz,
    lifted_by         uuid
);
COMMENT ON TABLE channel_stop IS 'Orders that stop a channel, whole or for a product or a region, and what became of them. Never deleted.';
CREATE INDEX channel_stop_in_force ON channel_stop (channel) WHERE lifted_at IS NULL;
COMMENT ON INDEX channel_stop_in_force IS 'What stops a channel now: every request of it, and the rules that every batch reads.';
CREATE INDEX channel_stop_channel ON channel_stop (channel, id);
COMMENT ON INDEX channel_stop_channel IS 'A channel''s orders, newest first.';

CREATE TABLE channel_move (
    channel  uuid        NOT NULL,
    version  integer     NOT NULL,
    move     smallint    NOT NULL,
    operator uuid,                    -- null: the engine itself
    at       timestamptz NOT NULL,
    reason   text        NOT NULL,
    CONSTRAINT channel_move_pkey PRIMARY KEY (channel, version)
);
COMMENT ON TABLE channel_move IS 'Insert only: how a channel came to the state that it has.';
CREATE TRIGGER channel_move_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON channel_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE channel_figure (
    channel            uuid        NOT NULL,
    minute             timestamptz NOT NULL,
    requests           integer     NOT NULL,
    errors             integer     NOT NULL,
    signature_failures integer     NOT NULL,
    CONSTRAINT channel_figure_pkey PRIMARY KEY (channel, minute)
) WITH (fillfactor = 50);
COMMENT ON TABLE channel_figure IS 'What a channel asked for and did wrong, minute by minute, all processes together. Kept for some days.';
CREATE INDEX channel_figure_minute ON channel_figure (minute);
COMMENT ON INDEX channel_figure_minute IS 'Figures that are old enough to be dropped.';

CREATE TABLE conformance_run (
    id           uuid        NOT NULL CONSTRAINT conformance_run_pkey PRIMARY KEY,
    channel      uuid        NOT NULL,
    callback_url text        NOT NULL,
    secret       bytea       NOT NULL,    -- sealed: what the notifications of the run are signed with
    field_key_id smallint    NOT NULL,
    opened_at    timestamptz NOT NULL
);
COMMENT ON TABLE conformance_run IS 'One attempt of a channel to show that it works. Sandbox only.';
CREATE INDEX conformance_run_channel ON conformance_run (channel, id);
COMMENT ON INDEX conformance_run_channel IS 'A channel''s runs, newest first.';

CREATE TABLE conformance_step (
    run      uuid        NOT NULL,
    n        integer     NOT NULL,
    at       timestamptz NOT NULL,
    body     bytea       NOT NULL,    -- JSON: what the channel did, or answered
    CONSTRAINT conformance_step_pkey PRIMARY KEY (run, n)
);
COMMENT ON TABLE conformance_step IS 'Insert only: everything that a run is judged by, in its order.';
CREATE TRIGGER conformance_step_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON conformance_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Channels that have had keys so far go on as they were: live, for everything and everywhere.
INSERT INTO channel (id, channel_no, owner_class, name_zh, name_en, field_key_id, region, products, regions, addresses,
                     callback_urls, state, version, applied_at, changed_at)
SELECT k.caller, lpad(row_number() OVER (ORDER BY k.caller)::text, 10, '0'), 6, '渠道', 'Channel', 1, 0, '{1,2,3,4,5,6}', '{0}',
       '{}', '{}', 5, 1, now(), now()
  FROM (SELECT DISTINCT caller FROM caller_key WHERE get_byte(uuid_send(caller), 7) = 6) k;
