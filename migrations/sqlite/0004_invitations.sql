-- Who is asked to join. Of the token only its digest is kept.
CREATE TABLE invitations (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email TEXT NOT NULL CHECK (email = lower(email)),
    role TEXT NOT NULL,
    token_digest BLOB NOT NULL UNIQUE,
    invited_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    accepted_at TEXT NULL,
    accepted_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    revoked_at TEXT NULL
) STRICT;
CREATE INDEX invitations_of_organization ON invitations (organization_id, created_at, id);
-- One address has one way in at a time.
CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- The row of a deleted organization stays, for what was used and paid; nobody finds it any more.
ALTER TABLE organizations ADD COLUMN deleted_at TEXT NULL;
