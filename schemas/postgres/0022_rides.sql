-- Gates bring in tickets days after the ride: the uses of their codes are kept as long.

COMMENT ON TABLE code_use IS 'A code is good once. Keyed by device, never by merchant or region; dropped once no code can '
    'come from its day any more, not even on the ticket of a gate.';

DO $$
BEGIN
    ASSERT obj_description('code_use'::regclass) LIKE '%ticket of a gate.', 'the table says how long it keeps a use';
END $$;
