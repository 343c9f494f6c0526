-- What was done to the platform, by whom. Rows are added and never changed: each carries a hash over its content and the hash before
-- it, and the head says where the chain ends, so that what was changed, removed or moved is found out.
-- No foreign keys: what was done stays written when whom it was done to, or by, is gone.
CREATE TABLE audit_events (
    sequence INTEGER NOT NULL PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    organization_id BLOB NULL,
    actor_id BLOB NULL,
    credential TEXT NULL,
    ip TEXT NULL,
    user_agent TEXT NULL,
    action TEXT NOT NULL,
    subject TEXT NULL,
    outcome TEXT NOT NULL,
    -- As it was hashed, which a database's own form of JSON would not keep.
    data TEXT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (created_at, id);
CREATE INDEX audit_events_of_organization ON audit_events (organization_id, created_at, id);

CREATE TABLE audit_head (
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_head (sequence, hash) VALUES (0, '0000000000000000000000000000000000000000000000000000000000000000');
