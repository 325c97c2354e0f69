-- Plans of insurances: the rules by which medical bills are split, as data; and a version of everything that lanes keep in
-- memory and operators change, so that a batch sees in the row that it reads anyway whether what it keeps still holds.

CREATE TABLE benefit_plan (
    id         text        COLLATE "C" PRIMARY KEY,  -- whoever wrote the plan chose it
    region     integer     NOT NULL,
    insurance  smallint    NOT NULL,  -- 310 employees, 390 residents
    valid_from date        NOT NULL,
    valid_to   date,                  -- the first day on which it no longer holds; null: not decided
    body       bytea       NOT NULL,  -- JSON, the whole plan
    loaded_at  timestamptz NOT NULL,
    CONSTRAINT benefit_plan_holds_for_a_day CHECK (valid_to > valid_from)
);
COMMENT ON TABLE benefit_plan IS 'Every plan that was ever loaded. Its terms never change, only its end: payments name the plan they were split by.';
CREATE UNIQUE INDEX benefit_plan_begin ON benefit_plan (region, insurance, valid_from);
COMMENT ON INDEX benefit_plan_begin IS
    'Prevents two plans from beginning together; that none begins while another holds is checked under the control row.';

ALTER TABLE control ADD COLUMN rules_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN control.rules_version IS 'Grows with each change of plans or of the roll-out of scenarios, in its transaction.';

DO $$
BEGIN
    ASSERT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'control'::regclass AND attname = 'rules_version') = 1,
           'control says which version of the rules holds';
END $$;
