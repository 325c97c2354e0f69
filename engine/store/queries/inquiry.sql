-- name: put_records
-- What is sent again takes the place of what was there; what is new is newer the later its line. Two files about the same
-- records may wait for each other in a circle: then one of them is told to run again. $1 topic text, $2 region integer[], $3 person_index bytea[], $4 key_index bytea[], $5 content bytea[],
-- $6 field_key_id smallint, $7 sent_at timestamptz
INSERT INTO inquiry_record (topic, region, person_index, key_index, content, field_key_id, sent_at)
SELECT $1, r.region, r.person_index, r.key_index, r.content, $6, $7
  FROM unnest($2::integer[], $3::bytea[], $4::bytea[], $5::bytea[]) WITH ORDINALITY
       AS r(region, person_index, key_index, content, place)
 ORDER BY r.place
    ON CONFLICT (person_index, topic, region, key_index)
    DO UPDATE SET content = excluded.content, field_key_id = excluded.field_key_id, sent_at = excluded.sent_at;

-- name: import_report
-- $1 sha256 bytea, $2 topic text, $3 region integer
SELECT i.report FROM inquiry_import i WHERE i.sha256 = $1 AND i.topic = $2 AND i.region = $3;

-- name: keep_import_report
-- $1 sha256 bytea, $2 topic text, $3 region integer, $4 operator uuid, $5 report bytea, $6 finished_at timestamptz
INSERT INTO inquiry_import (sha256, topic, region, operator, report, finished_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING;

-- name: source_of_region
-- The nearest one above a region. $1 topic text, $2 regions integer[]
SELECT s.region, s.topic, s.base_url, s.approval, s.at
  FROM inquiry_source s
 WHERE s.topic = $1 AND s.region = ANY ($2)
 ORDER BY s.region DESC
 LIMIT 1;

-- name: sources
-- $1 topic text, $2 lowest region integer, $3 highest region integer, $4 after integer, $5 count bigint
SELECT s.region, s.topic, s.base_url, s.approval, s.at
  FROM inquiry_source s
 WHERE s.topic = $1 AND s.region BETWEEN $2 AND $3 AND s.region > $4
 ORDER BY s.region
 LIMIT $5;

-- name: set_source
-- $1 region integer, $2 topic text, $3 base_url text, $4 approval text, $5 at timestamptz
INSERT INTO inquiry_source (region, topic, base_url, approval, at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (topic, region) DO UPDATE SET base_url = excluded.base_url, approval = excluded.approval, at = excluded.at;

-- name: drop_source
-- $1 region integer, $2 topic text
DELETE FROM inquiry_source WHERE region = $1 AND topic = $2;
