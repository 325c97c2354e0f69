-- name: lanes
SELECT id FROM lane ORDER BY id;

-- name: pass_lane
-- Waits for the lane's batch, if it has one under way, and lets go at once: its own transaction. $1 lane smallint
SELECT 1 FROM lane WHERE id = $1 FOR NO KEY UPDATE;
