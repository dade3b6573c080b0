-- name: add
INSERT INTO deliveries (id, event, target, actor_via, actor_login, actor_id, body, origin, state, reason, finished_at)
VALUES (:id, :event, :target, :actor_via, :actor_login, :actor_id, :body, :origin, :state, :reason, :finished_at)
ON CONFLICT (id) DO NOTHING;

-- name: state
SELECT state FROM deliveries WHERE id = :id;

-- name: pending
SELECT id, event, target, actor_via, actor_login, actor_id, body, origin, attempts, interrupted,
  (SELECT json_group_array(branch) FROM effects WHERE delivery = deliveries.id) AS ended
FROM deliveries
WHERE target = :target AND state = 'pending'
ORDER BY seq
LIMIT :limit;

-- name: targets
SELECT DISTINCT target FROM deliveries WHERE state = 'pending' ORDER BY target;

-- name: attempted
UPDATE deliveries SET attempts = attempts + 1, interrupted = interrupted + 1 WHERE id = :id AND state = 'pending';

-- name: postpone
UPDATE deliveries SET reason = :reason, interrupted = 0 WHERE id = :id AND state = 'pending';

-- name: reopen
UPDATE deliveries
SET state = 'pending', reason = '', attempts = 0, interrupted = 0, finished_at = NULL, body = :body
WHERE id = :id AND state IN ('failed', 'denied', 'blocked', 'dead');

-- name: undo
DELETE FROM effects
WHERE delivery = :id AND state IN ('failed', 'denied', 'blocked', 'dead');

-- name: effect
INSERT INTO effects (delivery, branch, state, reason, commit_oid, ended_at)
SELECT :delivery, :branch, :state, :reason, :commit_oid, :ended_at
WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = :delivery AND state = 'pending')
ON CONFLICT (delivery, branch) DO NOTHING;

-- name: effects
SELECT branch, state, reason FROM effects WHERE delivery = :delivery ORDER BY branch;

-- name: finish
UPDATE deliveries
SET state = :state, reason = :reason, finished_at = :finished_at, body = x''
WHERE id = :id AND state = 'pending';
