-- The roll-out of scenarios by region: where each may be paid for, decided by operators.

CREATE TABLE scenario_switch (
    region   integer     NOT NULL,  -- GB/T 2260; 0 is the whole country
    scenario smallint    NOT NULL,
    is_on    boolean     NOT NULL,
    operator uuid        NOT NULL,  -- that switched it off, or asked for it to be on
    at       timestamptz NOT NULL,
    reason   text        NOT NULL,
    PRIMARY KEY (region, scenario)
);
COMMENT ON TABLE scenario_switch IS 'What was decided about a scenario in a region and below it; the nearest one above a '
    'merchant counts, and without one the scenario is on. Every change counts up control.rules_version, which each batch reads.';
