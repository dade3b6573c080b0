-- What a delivery's body says (SHA-256 of its JSON in one form), NULL for those stored before digests were kept. A
-- redelivery must bring the same body.
ALTER TABLE deliveries ADD COLUMN digest BLOB;
-- Why a pending delivery is held back, NULL: it is not. Nothing that makes deliveries due ends a hold.
ALTER TABLE deliveries ADD COLUMN hold TEXT;
ALTER TABLE deliveries ADD COLUMN hold_since REAL;          -- seconds since the epoch
ALTER TABLE deliveries ADD COLUMN hold_until REAL;          -- when to look again whether it may go

DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (target, not_before, seq) WHERE state = 'pending' AND hold IS NULL;
CREATE INDEX deliveries_held ON deliveries (digest) WHERE state = 'pending' AND hold IS NOT NULL;

-- Each body that could have an effect, and with which delivery it came first. Under another id it may be a replay.
CREATE TABLE bodies (
  digest      BLOB NOT NULL PRIMARY KEY,
  delivery    TEXT NOT NULL,                  -- may be forgotten long before the body is
  event       TEXT NOT NULL,
  received_at TEXT NOT NULL                   -- ISO 8601, UTC: when it was last acted on
) STRICT, WITHOUT ROWID;
CREATE INDEX bodies_received ON bodies (received_at);

-- Which account a login in ALLOWED_ACCOUNTS meant when it was first seen: whoever gets the login later is not meant.
CREATE TABLE accounts (
  login    TEXT    NOT NULL PRIMARY KEY,      -- in lower case
  id       INTEGER NOT NULL,
  known_at TEXT    NOT NULL                   -- ISO 8601, UTC
) STRICT, WITHOUT ROWID;
