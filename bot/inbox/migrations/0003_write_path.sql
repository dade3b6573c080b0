-- What is about to be written, on which commit: after an answer that never came it is looked for, before anything is
-- written again.
CREATE TABLE intents (
  delivery TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  branch   TEXT NOT NULL,
  base     TEXT NOT NULL,                     -- the commit it is to be made on
  fields   TEXT NOT NULL,                     -- what it writes, as JSON: [[path, field], …]
  PRIMARY KEY (delivery, branch, base)
) STRICT, WITHOUT ROWID;

-- Which delivery wrote a field last: one that is older by its origin does not write it any more.
CREATE TABLE writers (
  target   INTEGER NOT NULL,
  branch   TEXT NOT NULL,
  path     TEXT NOT NULL,
  field    TEXT NOT NULL,                     -- a field path, or the name of a regex and its group
  origin   TEXT NOT NULL,                     -- ISO 8601, UTC
  delivery TEXT NOT NULL,
  PRIMARY KEY (target, branch, path, field)
) STRICT, WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN installation INTEGER NOT NULL DEFAULT 0;  -- 0 where there is none
ALTER TABLE deliveries ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;        -- 1: written even if a newer one wrote

-- What the last delivery of a repository waits for is asked by both.
CREATE INDEX deliveries_waiting ON deliveries (installation, target) WHERE state = 'waiting';
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
