-- name: list
SELECT id, event, target, installation, actor_login, origin, attempts, not_before, forced, state, reason, finished_at
FROM deliveries
WHERE (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
  AND (:target IS NULL OR target = :target)
  AND origin >= :since
ORDER BY seq DESC
LIMIT :limit;

-- name: one
SELECT id, event, target, installation, actor_login, origin, attempts, not_before, forced, state, reason, finished_at, body,
  hold
FROM deliveries WHERE id = :id;

-- name: beginning
SELECT id FROM deliveries WHERE id >= :id AND id < :id || char(1114111) ORDER BY id LIMIT 4;

-- name: latest
SELECT id FROM deliveries ORDER BY seq DESC LIMIT 1000;

-- name: effects
SELECT branch, state, reason, commit_oid, ended_at FROM effects WHERE delivery = :id ORDER BY branch;

-- name: intents
SELECT branch, base, fields FROM intents WHERE delivery = :id ORDER BY branch, base;

-- name: reports
SELECT name, head, attempts, not_before, reason FROM reports
WHERE EXISTS (SELECT 1 FROM json_each(deliveries) WHERE value = :id) ORDER BY id;

-- name: replay
UPDATE deliveries
SET state = 'pending', reason = 'replayed by the operator', attempts = 0, interrupted = 0, waits = 0,
  not_before = 0, paced_since = NULL, finished_at = NULL, forced = :forced
WHERE id = :id;

-- name: hurry
UPDATE deliveries SET not_before = 0, attempts = 0 WHERE id = :id;

-- name: forget_effects
DELETE FROM effects WHERE delivery = :id;

-- name: forget_intents
DELETE FROM intents WHERE delivery = :id;

-- name: forget
DELETE FROM deliveries WHERE id = :id;

-- name: die
UPDATE deliveries SET state = 'dead', reason = :reason, finished_at = :now, body = :body, hold = NULL WHERE id = :id;

-- name: dead_effect
INSERT INTO effects (delivery, branch, state, reason, commit_oid, ended_at)
VALUES (:id, '', 'dead', :reason, NULL, :now)
ON CONFLICT (delivery, branch) DO NOTHING;

-- name: waited
SELECT id, body FROM deliveries WHERE state = 'waiting' AND origin < :before LIMIT :limit;

-- name: old
SELECT id FROM deliveries WHERE finished_at < :before ORDER BY finished_at LIMIT :limit;

-- name: forget_writers
DELETE FROM writers WHERE (target, branch, path, field) IN (
  SELECT target, branch, path, field FROM writers
  WHERE origin < :before AND NOT EXISTS (SELECT 1 FROM deliveries WHERE id = writers.delivery)
  LIMIT :limit
);

-- name: forget_bodies
DELETE FROM bodies WHERE digest IN (
  SELECT digest FROM bodies WHERE received_at < :before ORDER BY received_at LIMIT :limit
);
