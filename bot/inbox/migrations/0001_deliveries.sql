-- The durable record: one row for each delivery, stored before it is answered.
CREATE TABLE deliveries (
  seq         INTEGER PRIMARY KEY,            -- the order of arrival
  id          TEXT    NOT NULL UNIQUE,        -- X-GitHub-Delivery
  event       TEXT    NOT NULL,               -- X-GitHub-Event
  target      INTEGER NOT NULL,               -- repository id, 0 where there is none
  actor_via   TEXT    NOT NULL,
  actor_login TEXT    NOT NULL,
  actor_id    INTEGER,
  body        BLOB    NOT NULL,               -- empty once it is finished
  origin      TEXT    NOT NULL,               -- ISO 8601, UTC
  attempts    INTEGER NOT NULL DEFAULT 0,
  interrupted INTEGER NOT NULL DEFAULT 0,     -- attempts in a row that neither ended nor postponed it
  state       TEXT    NOT NULL DEFAULT 'pending',  -- or how it ended: committed, no_change, …
  reason      TEXT    NOT NULL DEFAULT '',
  commit_oid  TEXT,
  finished_at TEXT
) STRICT;

CREATE INDEX deliveries_pending ON deliveries (target, seq) WHERE state = 'pending';
