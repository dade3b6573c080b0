-- name: doubt
UPDATE reports SET doubtful = 1, not_before = 0;

-- name: store
INSERT INTO reports
  (target, installation, full_name, head, name, external_id, created_at, not_before, bytes, deliveries, check_run)
VALUES
  (:target, :installation, :full_name, :head, :name, :external_id, :created_at, :not_before, :bytes, :deliveries,
  :check_run)
-- The same delivery may end again on the same head: after a replay, say. What it ended with last is to be said.
ON CONFLICT (target, head, name, external_id) DO UPDATE SET
  installation = excluded.installation, full_name = excluded.full_name, created_at = excluded.created_at,
  not_before = excluded.not_before, attempts = 0, reason = '', bytes = excluded.bytes, deliveries = excluded.deliveries,
  check_run = excluded.check_run;

-- name: count
SELECT (SELECT count(*) FROM reports WHERE target = :target) AS of_target,
  (SELECT count(*) FROM reports WHERE installation = :installation) AS of_installation;

-- name: drop_of_target
DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE target = :target ORDER BY id LIMIT :surplus)
RETURNING *;

-- name: drop_of_installation
DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE installation = :installation ORDER BY id LIMIT :surplus)
RETURNING *;

-- name: of
SELECT * FROM reports WHERE target = :target
  AND (head, name, external_id) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:keys))
ORDER BY id;

-- name: installations
SELECT installation FROM reports WHERE not_before <= :now GROUP BY installation ORDER BY min(not_before);

-- name: due
SELECT * FROM reports
WHERE id IN (
  SELECT min(id) FROM reports WHERE installation = :installation AND not_before <= :now GROUP BY target
  -- Those behind the target that had its turn last, then from the start.
  ORDER BY target <= :after, target LIMIT :limit
)
ORDER BY target <= :after, target;

-- name: said
DELETE FROM reports WHERE id = :id AND created_at = :created_at;

-- name: put_off
UPDATE reports
SET not_before = :not_before, reason = :reason, attempts = attempts + :attempted, doubtful = doubtful OR :doubtful
WHERE id = :id AND created_at = :created_at;

-- name: room
SELECT :most - coalesce(sum(bytes), 0) AS room FROM reports WHERE installation = :installation;

-- name: detail
UPDATE reports SET check_run = :check_run, bytes = :bytes WHERE id = :id AND created_at = :created_at;

-- name: rest
UPDATE reports SET not_before = :not_before, reason = CASE reason WHEN '' THEN :reason ELSE reason END
WHERE target = :target AND not_before < :not_before;

-- name: hurry
UPDATE reports SET not_before = 0
-- A report without a reason was not tried yet: the drain that stored it is about to make it.
WHERE not_before > 0 AND reason <> '' AND (:everything OR target = :target OR installation = :installation);

-- name: reach
UPDATE reports SET installation = :installation
WHERE target IN (SELECT value FROM json_each(:targets)) AND installation <> :installation;

-- name: old
DELETE FROM reports WHERE created_at < :before RETURNING *;
