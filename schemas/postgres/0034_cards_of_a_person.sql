-- Every card that a person has or had. The index there was before knows only the one that is in use, so who asked by the
-- person's ID number made the database look through all cards; and a benefit follows the person to the next card.

CREATE INDEX card_person ON card (person);
COMMENT ON INDEX card_person IS 'All cards of a person: the search by ID number, benefits, and erasure.';

DO $$
BEGIN
    ASSERT (SELECT i.indpred IS NULL FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = 'card_person'),
           'cards that have ended are found as well';
END $$;
