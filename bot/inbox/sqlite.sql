-- name: add
INSERT INTO deliveries (id, event, target, actor_via, actor_login, actor_id, body, origin, state, reason, finished_at)
VALUES (:id, :event, :target, :actor_via, :actor_login, :actor_id, :body, :origin, :state, :reason, :finished_at)
ON CONFLICT (id) DO NOTHING;

-- name: state
SELECT state FROM deliveries WHERE id = :id;

-- name: pending
SELECT id, event, target, actor_via, actor_login, actor_id, body, origin, attempts, interrupted
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

-- name: finish
UPDATE deliveries
SET state = :state, reason = :reason, commit_oid = :commit_oid, finished_at = :finished_at, body = x''
WHERE id = :id AND state = 'pending';
