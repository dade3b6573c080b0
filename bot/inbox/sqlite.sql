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

-- name: due
SELECT min(not_before) AS due FROM deliveries WHERE target = :target AND state = 'pending' AND hold IS NULL;

-- name: pending
SELECT seq, id, event, target, installation, actor_via, actor_login, actor_id, body, origin, attempts, interrupted,
  forced, max(not_before - :now, 0) AS wait,
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

-- name: targets
SELECT DISTINCT target FROM deliveries WHERE state = 'pending' AND hold IS NULL AND not_before <= :now ORDER BY target;

-- name: attempted
UPDATE deliveries SET attempts = attempts + :counts, interrupted = interrupted + 1
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'pending';

-- name: released
UPDATE deliveries SET attempts = max(attempts - :counts, 0), interrupted = 0
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'pending';

-- name: postpone
UPDATE deliveries SET reason = :reason, interrupted = 0, not_before = max(not_before, :not_before)
WHERE id = :id AND state = 'pending';

-- name: hurry
UPDATE deliveries SET not_before = 0 WHERE state = 'pending' AND not_before > 0;

-- name: wait
UPDATE deliveries SET state = 'waiting', reason = :reason, interrupted = 0 WHERE id = :id AND state = 'pending';

-- name: resume
UPDATE deliveries SET state = 'pending', attempts = 0, not_before = 0
WHERE state = 'waiting' AND (:everything OR target = :target OR installation = :installation)
RETURNING target;

-- name: reach
UPDATE deliveries SET installation = :installation
WHERE target IN (SELECT value FROM json_each(:targets)) AND installation <> :installation;

-- name: reopen
UPDATE deliveries
SET state = 'pending', reason = '', attempts = 0, interrupted = 0, not_before = 0, finished_at = NULL, body = :body,
  digest = :digest
WHERE id = :id AND state IN ('failed', 'denied', 'blocked', 'dead', 'waiting')
  -- An id of somebody else's may be known, and the body is then one that was captured: it came before, and not with
  -- this delivery.
  AND (digest IS :digest OR NOT EXISTS (SELECT 1 FROM bodies WHERE bodies.digest = :digest));

-- name: undo
DELETE FROM effects
WHERE delivery = :id AND state IN ('failed', 'denied', 'blocked', 'dead');

-- name: intend
INSERT INTO intents (delivery, branch, base, fields) VALUES (:delivery, :branch, :base, :fields)
ON CONFLICT (delivery, branch, base) DO UPDATE SET fields = excluded.fields;

-- name: withdraw
DELETE FROM intents WHERE delivery = :delivery AND branch = :branch AND base = :base;

-- name: intended
SELECT fields FROM intents WHERE delivery = :delivery AND branch = :branch;

-- name: settle
DELETE FROM intents WHERE delivery = :delivery AND branch = :branch;

-- name: writers
SELECT path, field, origin, delivery FROM writers
WHERE target = :target AND branch = :branch AND path IN (SELECT value FROM json_each(:paths))
UNION ALL
-- What may have landed counts as if it had, until it is known.
SELECT one.value ->> 0, one.value ->> 1, deliveries.origin, deliveries.id
FROM intents JOIN deliveries ON deliveries.id = intents.delivery, json_each(intents.fields) AS one
WHERE deliveries.target = :target AND intents.branch = :branch
  AND deliveries.id NOT IN (SELECT value FROM json_each(:besides))
ORDER BY origin;

-- name: written
INSERT INTO writers (target, branch, path, field, origin, delivery)
SELECT target, :branch, :path, :field, origin, id FROM deliveries WHERE id = :delivery
ON CONFLICT (target, branch, path, field) DO UPDATE SET origin = excluded.origin, delivery = excluded.delivery
-- What is found to have landed long ago is not what was written last.
WHERE excluded.origin >= writers.origin OR (SELECT forced FROM deliveries WHERE id = excluded.delivery);

-- name: effect
INSERT INTO effects (delivery, branch, state, reason, commit_oid, ended_at)
SELECT :delivery, :branch, :state, :reason, :commit_oid, :ended_at
WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = :delivery AND state = 'pending')
ON CONFLICT (delivery, branch) DO NOTHING;

-- name: effects
SELECT branch, state, reason FROM effects WHERE delivery = :delivery ORDER BY branch;

-- name: body
SELECT body FROM deliveries WHERE id = :delivery AND state = 'pending';

-- name: finish
UPDATE deliveries
SET state = :state, reason = :reason, finished_at = :finished_at, body = :body
WHERE id = :id AND state = 'pending';
