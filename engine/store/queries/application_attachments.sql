-- name: begin_attachment
-- $1 id uuid, $2 application uuid, $3 started_at timestamptz
INSERT INTO application_attachment (id, application, started_at) VALUES ($1, $2, $3);

-- name: insert_attachment_part
-- $1 attachment uuid, $2 part smallint, $3 bytes bytea, $4 field_key_id smallint
INSERT INTO application_attachment_part (attachment, part, bytes, field_key_id) VALUES ($1, $2, $3, $4);

-- name: keep_attachment
-- Nothing comes back if it took so long that it was given up. $1 id uuid, $2 sha256 bytea, $3 media_type text,
-- $4 size integer, $5 kept_at timestamptz
UPDATE application_attachment SET sha256 = $2, media_type = $3, size = $4, kept_at = $5
 WHERE id = $1
RETURNING id;

-- name: attachments
-- $1 application uuid
SELECT t.id, t.sha256, t.media_type, t.size, t.kept_at
  FROM application_attachment t
 WHERE t.application = $1 AND t.kept_at IS NOT NULL
 ORDER BY t.kept_at, t.id;

-- name: attachment_part
-- $1 attachment uuid, $2 part smallint
SELECT bytes FROM application_attachment_part WHERE attachment = $1 AND part = $2;

-- name: drop_attachment
-- What has not come to its end, or was there already. $1 id uuid
WITH dropped AS (
    DELETE FROM application_attachment WHERE id = $1 AND kept_at IS NULL RETURNING id
)
DELETE FROM application_attachment_part p USING dropped d WHERE p.attachment = d.id;

-- name: attachments_cut_short
-- $1 before timestamptz
SELECT id FROM application_attachment WHERE kept_at IS NULL AND started_at < $1;
