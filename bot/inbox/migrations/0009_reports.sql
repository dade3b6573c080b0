-- The check runs that are still to be made. What is to be said of an outcome is stored with it.
CREATE TABLE reports (
  id           INTEGER PRIMARY KEY,
  target       INTEGER NOT NULL,              -- repository id
  installation INTEGER NOT NULL,
  full_name    TEXT    NOT NULL,              -- of the repository
  head         TEXT    NOT NULL,              -- the commit that it is made on
  name         TEXT    NOT NULL,
  external_id  TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,              -- seconds since the epoch
  attempts     INTEGER NOT NULL DEFAULT 0,
  not_before   REAL    NOT NULL,              -- when to try it next, in seconds since the epoch
  doubtful     INTEGER NOT NULL DEFAULT 0,    -- 1: it may be there, the answer to a request for it is not known
  reason       TEXT    NOT NULL DEFAULT '',   -- why the last attempt failed
  bytes        INTEGER NOT NULL,              -- of check_run
  deliveries   TEXT    NOT NULL,              -- the ids of those whose outcomes it says, as JSON
  check_run    TEXT    NOT NULL               -- as JSON
) STRICT;

CREATE UNIQUE INDEX reports_key ON reports (target, head, name, external_id);
CREATE INDEX reports_turns ON reports (installation, target, not_before);
CREATE INDEX reports_age ON reports (created_at);
