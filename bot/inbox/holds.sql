-- name: known
SELECT 1 FROM deliveries WHERE id = :id;

-- name: seen
SELECT delivery FROM bodies WHERE digest = :digest;

-- name: see
INSERT INTO bodies (digest, delivery, event, received_at) VALUES (:digest, :delivery, :event, :received_at)
ON CONFLICT (digest) DO UPDATE SET received_at = excluded.received_at;

-- name: count_held
SELECT count(*) AS of_all, count(*) FILTER (WHERE digest = :digest) AS of_body,
  count(*) FILTER (WHERE installation = :installation) AS of_installation
FROM deliveries INDEXED BY deliveries_held WHERE state = 'pending' AND hold IS NOT NULL;

-- name: held
SELECT id, event, target, hold_since, hold_until FROM deliveries INDEXED BY deliveries_held
WHERE state = 'pending' AND hold IS NOT NULL ORDER BY seq;

-- name: hold_on
UPDATE deliveries SET hold_until = :until WHERE id = :id AND state = 'pending' AND hold IS NOT NULL;

-- name: release
UPDATE deliveries SET hold = NULL, hold_since = NULL, hold_until = NULL, reason = ''
WHERE id = :id AND state = 'pending' AND hold IS NOT NULL
RETURNING digest, event;

-- name: refuse
UPDATE deliveries
SET state = 'ignored', reason = :reason, finished_at = :finished_at, body = x'', hold = NULL, hold_since = NULL,
  hold_until = NULL
WHERE id = :id AND state = 'pending' AND hold IS NOT NULL;

-- name: accounts
SELECT login, id FROM accounts;

-- name: know_account
INSERT INTO accounts (login, id, known_at) VALUES (:login, :id, :known_at) ON CONFLICT (login) DO NOTHING;
