-- A hospital's grade is brought in, changed and shown like everything else about a participant; and an order that is
-- shown may say which bill it pays.

-- As before, with the grade behind what there was.
CREATE OR REPLACE VIEW every_participant AS
SELECT x.id, x.kind, x.code, x.name_zh, x.name_en, x.region, b.cnaps AS bank, x.scenarios, x.item, x.role,
       x.is_settlement_bank, x.delivery, coalesce(x.is_suspended, p.is_suspended, false) AS is_suspended, p.suspended_reason,
       coalesce(p.version, 0) AS version, p.registered_at, p.changed_at, x.level
  FROM (SELECT m.id, 'merchant' AS kind, m.code, m.name_zh, m.name_en, m.region, m.bank, m.scenarios,
               NULL::smallint AS item, NULL::smallint AS role, NULL::boolean AS is_settlement_bank,
               NULL::smallint[] AS delivery, m.is_suspended, m.level
          FROM merchant m
         UNION ALL
        SELECT k.id, 'bank', lpad(k.cnaps::text, 12, '0'), k.name_zh, k.name_en, region_in(k.id), NULL, NULL,
               NULL, NULL, k.is_settlement_bank, k.delivery, NULL, NULL
          FROM bank k
         UNION ALL
        SELECT a.id, 'agency', a.code, a.name_zh, a.name_en, a.region, a.bank, NULL, a.item, NULL, NULL, NULL, NULL, NULL
          FROM agency a
         UNION ALL
        SELECT o.id, 'operator', o.code, o.name_zh, o.name_en, o.region, NULL, NULL, NULL, o.role, NULL, NULL, NULL, NULL
          FROM operator o) x
  LEFT JOIN participant p ON p.id = x.id
  LEFT JOIN bank b ON b.id = x.bank;

ALTER TABLE import_line ADD COLUMN level smallint;
COMMENT ON COLUMN import_line.level IS 'Grade of a merchant; null: the line says nothing of it.';

ALTER TABLE pay_order
    ADD COLUMN bill_no text COLLATE "C",
    ADD COLUMN bill    bytea,
    ADD CONSTRAINT pay_order_is_of_one_bill CHECK (bill_no IS NULL OR bill IS NULL);
COMMENT ON COLUMN pay_order.bill_no IS 'What an agency has billed.';
COMMENT ON COLUMN pay_order.bill IS 'msgpack of a medical bill; whoever pays decides what the insurance makes of it.';

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM every_participant WHERE (kind = 'merchant') <> (level IS NOT NULL)),
           'a merchant has a grade, if only 0, and nobody else has';
END $$;
