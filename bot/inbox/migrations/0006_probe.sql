-- One row that is written every few seconds: whether that succeeds tells whether deliveries can be stored.
CREATE TABLE probe (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  written_at REAL NOT NULL                    -- seconds since the epoch
) STRICT;

INSERT INTO probe (id, written_at) VALUES (1, 0);
