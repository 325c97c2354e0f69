-- name: cases
-- Newest first, behind the one that the last page ended with; what is null does not matter.
-- $1 kind text, $2 bank uuid, $3 kind of that one text, $4 subject of that one text, $5 count bigint
SELECT c.kind, c.subject, c.bank, c.reason, c.opened_at, coalesce(r.amount, f.amount) AS amount, r.payment, r.direction
  FROM (SELECT x.*
          FROM clearing_case x
          LEFT JOIN clearing_case e ON e.kind = $3 AND e.subject = $4
         WHERE ($1::text IS NULL OR x.kind = $1) AND ($2::uuid IS NULL OR x.bank = $2)
           AND ($3::text IS NULL OR (x.opened_at, x.kind, x.subject) < (e.opened_at, e.kind, e.subject))
         ORDER BY x.opened_at DESC, x.kind DESC, x.subject DESC
         LIMIT $5) c
  LEFT JOIN LATERAL (SELECT y.amount, y.payment, y.direction FROM returned_item y
                      WHERE c.kind = 'suspense' AND y.item = split_part(c.subject, ' ', 1)
                        AND y.direction = CASE split_part(c.subject, ' ', 2) WHEN 'DEBIT' THEN 1 ELSE 2 END
                      LIMIT 1) r ON true
  LEFT JOIN LATERAL (SELECT z.debit_total + z.credit_total AS amount FROM clearing_file z
                      WHERE c.kind = 'rejected' AND z.name = c.subject
                      LIMIT 1) f ON true
 ORDER BY c.opened_at DESC, c.kind DESC, c.subject DESC;

-- name: case
-- $1 kind text, $2 subject text
SELECT c.kind, c.subject, c.bank, c.reason, c.opened_at, coalesce(r.amount, f.amount) AS amount, r.payment, r.direction
  FROM clearing_case c
  LEFT JOIN LATERAL (SELECT y.amount, y.payment, y.direction FROM returned_item y
                      WHERE c.kind = 'suspense' AND y.item = split_part(c.subject, ' ', 1)
                        AND y.direction = CASE split_part(c.subject, ' ', 2) WHEN 'DEBIT' THEN 1 ELSE 2 END
                      LIMIT 1) r ON true
  LEFT JOIN LATERAL (SELECT z.debit_total + z.credit_total AS amount FROM clearing_file z
                      WHERE c.kind = 'rejected' AND z.name = c.subject
                      LIMIT 1) f ON true
 WHERE c.kind = $1 AND c.subject = $2;
