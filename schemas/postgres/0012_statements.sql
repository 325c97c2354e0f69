-- What a merchant did on a day beside paying: its captures of holds, its refunds and its cancellations.
--
-- Its payments that were captured at once are found by their ids, which are in order of time; a later capture or a refund
-- is of a payment of any age. These are few, so that payments pay nothing for the index.

CREATE INDEX answer_later_move ON answer (caller, business_date, lane, seq, n) WHERE operation IN (2, 4, 5);
COMMENT ON INDEX answer_later_move IS
    'A merchant''s statement: the captures (2), refunds (4) and cancellations (5) of a business date.';

DO $$
BEGIN
    ASSERT (SELECT pg_get_expr(i.indpred, i.indrelid) FROM pg_index i
             WHERE i.indexrelid = 'answer_later_move'::regclass) !~ '\m1\M',
           'payments (1) are not in it';
END $$;
