-- When a delivery is to be tried again, in seconds since the epoch; what is never postponed is due at once.
ALTER TABLE deliveries ADD COLUMN not_before REAL NOT NULL DEFAULT 0;

DROP INDEX deliveries_pending;
CREATE INDEX deliveries_due ON deliveries (target, not_before, seq) WHERE state = 'pending';
