-- How often a repository was drained. A drain that slept for minutes finds here that a newer one has begun.
CREATE TABLE drains (
  target INTEGER NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;

ALTER TABLE intents ADD COLUMN drain INTEGER NOT NULL DEFAULT 0;    -- the drain that noted it

-- How often in a row a delivery was set aside, which makes the pause longer. It ends at `not_before`.
ALTER TABLE deliveries ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_set_aside ON deliveries (not_before) WHERE state = 'waiting';
