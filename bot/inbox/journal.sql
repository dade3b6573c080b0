-- name: newest
SELECT number FROM drains WHERE target = :target;

-- name: attempted
UPDATE deliveries SET attempts = attempts + :counts, interrupted = interrupted + 1
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'pending';

-- name: released
UPDATE deliveries SET attempts = max(attempts - :counts, 0), interrupted = 0
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'pending';

-- name: postpone
UPDATE deliveries SET reason = :reason, interrupted = 0, not_before = max(not_before, :not_before)
WHERE id = :id AND state = 'pending';

-- name: wait
UPDATE deliveries SET state = 'waiting', reason = :reason, interrupted = 0, waits = waits + 1, not_before = :not_before
WHERE id = :id AND state = 'pending';

-- name: pace
UPDATE deliveries SET reason = :reason, paced_since = coalesce(paced_since, :now)
WHERE (paced_since IS NULL OR :reason <> reason)
  AND (:deliveries IS NULL OR id IN (SELECT value FROM json_each(:deliveries)))
  AND seq IN (
    -- No more go with the next push.
    SELECT seq FROM deliveries
    WHERE target = :target AND state = 'pending' AND hold IS NULL AND not_before <= :now AND event = :event
    ORDER BY not_before, seq LIMIT :most
  );

-- name: intend
INSERT INTO intents (delivery, branch, base, fields, drain) VALUES (:delivery, :branch, :base, :fields, :drain)
ON CONFLICT (delivery, branch, base) DO UPDATE SET fields = excluded.fields, drain = excluded.drain;

-- name: withdraw
DELETE FROM intents WHERE delivery = :delivery AND branch = :branch AND base = :base AND drain <= :drain;

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
