-- name: add
INSERT INTO deliveries
  (id, event, target, installation, actor_via, actor_login, actor_id, body, origin, state, reason, finished_at, digest,
  hold, hold_since, hold_until)
VALUES
  (:id, :event, :target, :installation, :actor_via, :actor_login, :actor_id, :body, :origin, :state, :reason, :finished_at,
  :digest, :hold, :hold_since, :hold_until)
ON CONFLICT (id) DO NOTHING;

-- name: state
SELECT state FROM deliveries WHERE id = :id;

-- name: reason
SELECT reason, length(body) > 0 AS has_body FROM deliveries WHERE id = :id AND digest IS :digest;

-- name: due
SELECT min(not_before) AS due FROM deliveries WHERE target = :target AND state = 'pending' AND hold IS NULL;

-- name: pending
SELECT seq, id, event, target, installation, actor_via, actor_login, actor_id, body, origin, attempts, interrupted,
  waits, forced, paced_since, max(not_before - :now, 0) AS wait,
  (SELECT json_group_array(branch) FROM effects WHERE delivery = deliveries.id) AS ended,
  (SELECT json_group_array(json_array(branch, base)) FROM intents WHERE delivery = deliveries.id) AS intents
FROM deliveries
WHERE seq IN (
  -- Those that wait for their next attempt must not keep out what is due. Each part is in the order of the index.
  SELECT * FROM (
    SELECT seq FROM deliveries
    WHERE target = :target AND state = 'pending' AND hold IS NULL AND not_before > 0 AND not_before <= :now
    ORDER BY not_before, seq LIMIT :skip + :limit
  )
  UNION ALL
  SELECT * FROM (
    SELECT seq FROM deliveries WHERE target = :target AND state = 'pending' AND hold IS NULL AND not_before = 0
    ORDER BY seq LIMIT :skip + :limit
  )
  UNION ALL
  SELECT * FROM (
    SELECT seq FROM deliveries WHERE target = :target AND state = 'pending' AND hold IS NULL AND not_before > :now
    ORDER BY not_before, seq LIMIT :skip + :limit
  )
  LIMIT :limit OFFSET :skip
)
ORDER BY seq;

-- name: rouse
UPDATE deliveries SET state = 'pending', attempts = 0, not_before = 0 WHERE state = 'waiting' AND not_before <= :now;

-- name: targets
SELECT DISTINCT target FROM deliveries WHERE state = 'pending' AND hold IS NULL AND not_before <= :now ORDER BY target;

-- name: hurry
UPDATE deliveries SET not_before = 0 WHERE state IN ('pending', 'waiting') AND not_before > 0;

-- name: resume
UPDATE deliveries SET state = 'pending', attempts = 0, waits = 0, not_before = 0
WHERE state = 'waiting' AND (:everything OR target = :target OR installation = :installation)
RETURNING target;

-- name: reach
UPDATE deliveries SET installation = :installation
WHERE target IN (SELECT value FROM json_each(:targets)) AND installation <> :installation;

-- name: reopen
UPDATE deliveries
SET state = 'pending', reason = '', attempts = 0, interrupted = 0, waits = 0, not_before = 0, paced_since = NULL, finished_at = NULL,
  body = :body, digest = :digest
WHERE id = :id AND state IN ('failed', 'denied', 'blocked', 'dead', 'waiting')
  -- An id of somebody else's may be known, and the body is then one that was captured: it came before, and not with
  -- this delivery.
  AND (digest IS :digest OR NOT EXISTS (SELECT 1 FROM bodies WHERE bodies.digest = :digest));

-- name: undo
DELETE FROM effects
WHERE delivery = :id AND state IN ('failed', 'denied', 'blocked', 'dead');

-- name: begin
INSERT INTO drains (target, number) VALUES (:target, 1)
ON CONFLICT (target) DO UPDATE SET number = number + 1
RETURNING number;
