-- Dynamic risk control: how operators want the rules, what was decided by them, and what waits for an operator. The
-- rules themselves are a table in the code (engine/core/risk.py), and what they count is a hint that is kept elsewhere.

CREATE TABLE risk_rule (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule      text        NOT NULL,
    region    integer     NOT NULL,  -- with all below it; 0 is the whole country
    merchant  uuid,                  -- null: every merchant of the region
    threshold bigint      CONSTRAINT risk_rule_threshold_positive CHECK (threshold > 0),  -- null: as without this scope
    action    smallint,
    set_by    uuid        NOT NULL,
    set_at    timestamptz NOT NULL,
    reason    text        NOT NULL,
    CONSTRAINT risk_rule_is_whole CHECK ((threshold IS NULL) = (action IS NULL))
);
COMMENT ON TABLE risk_rule IS 'How operators want a rule for a region or a merchant. Insert only; the last one of a rule and scope holds.';

CREATE TABLE risk_decision (
    id          uuid        PRIMARY KEY,
    payment     uuid        NOT NULL,
    merchant    uuid        NOT NULL,
    region      integer     NOT NULL,
    terminal_id text        NOT NULL,
    action      smallint    NOT NULL,
    rules       text[]      NOT NULL,
    found       bigint[]    NOT NULL,
    thresholds  bigint[]    NOT NULL,
    actions     smallint[]  NOT NULL,
    decided_at  timestamptz NOT NULL,  -- business time
    caller      uuid        NOT NULL,
    trace_id    text        NOT NULL,
    CONSTRAINT risk_decision_hits CHECK (
        cardinality(rules) > 0 AND cardinality(rules) = cardinality(found)
        AND cardinality(rules) = cardinality(thresholds) AND cardinality(rules) = cardinality(actions)
    )
);
COMMENT ON TABLE risk_decision IS 'Every payment that risk control did not just let pass, and the rules that hit. Insert only; nothing of it is told to merchants.';
CREATE INDEX risk_decision_payment ON risk_decision (payment);
COMMENT ON INDEX risk_decision_payment IS 'What was decided about one payment.';

CREATE TABLE risk_review (
    payment    uuid        PRIMARY KEY,
    merchant   uuid        NOT NULL,
    region     integer     NOT NULL,
    rules      text[]      NOT NULL,
    state      smallint    NOT NULL,
    opened_at  timestamptz NOT NULL,  -- business time, like the other two
    decided_by uuid,
    decided_at timestamptz,
    reason     text,
    done_at    timestamptz,           -- the payment was let go or given up; null: still to be done
    refusal    text,                  -- why it could not be
    CONSTRAINT risk_review_is_decided_or_open CHECK (
        (state = 1) = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)
        AND (decided_by IS NULL) = (reason IS NULL) AND (decided_by IS NOT NULL OR done_at IS NULL)
        AND (done_at IS NOT NULL OR refusal IS NULL)
    )
);
COMMENT ON TABLE risk_review IS 'Payments whose money is held until an operator has looked at them. Decided once.';
CREATE INDEX risk_review_open ON risk_review (payment) WHERE state = 1;
COMMENT ON INDEX risk_review_open IS 'What waits for an operator.';
CREATE INDEX risk_review_under_way ON risk_review (decided_at) WHERE state <> 1 AND done_at IS NULL;
COMMENT ON INDEX risk_review_under_way IS 'What was decided and is still to be done; nearly always nothing.';
