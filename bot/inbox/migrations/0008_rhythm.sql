-- Since when a delivery waits for the next push to its repository, in seconds since the epoch; NULL: it does not.
ALTER TABLE deliveries ADD COLUMN paced_since REAL;
