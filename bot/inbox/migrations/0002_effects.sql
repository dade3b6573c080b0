-- How a delivery ended on each branch that it goes to: one may be done while another still waits.
CREATE TABLE effects (
  delivery   TEXT NOT NULL REFERENCES deliveries (id),
  branch     TEXT NOT NULL,                   -- '' where it ended before any branch was looked at
  state      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  commit_oid TEXT,
  ended_at   TEXT NOT NULL,                   -- ISO 8601, UTC
  PRIMARY KEY (delivery, branch)
) STRICT, WITHOUT ROWID;

INSERT INTO effects (delivery, branch, state, reason, commit_oid, ended_at)
SELECT id, '', state, reason, commit_oid, finished_at FROM deliveries
WHERE finished_at IS NOT NULL AND state != 'ignored';

ALTER TABLE deliveries DROP COLUMN commit_oid;
