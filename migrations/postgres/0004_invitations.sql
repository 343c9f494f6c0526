-- Who is asked to join. Of the token only its digest is kept.
CREATE TABLE invitations (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email TEXT NOT NULL CHECK (email = lower(email)),
    role TEXT NOT NULL,
    token_digest BYTEA NOT NULL UNIQUE,
    invited_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    accepted_at TIMESTAMPTZ NULL,
    accepted_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    revoked_at TIMESTAMPTZ NULL
);
CREATE INDEX invitations_of_organization ON invitations (organization_id, created_at, id);
-- One address has one way in at a time.
CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- The row of a deleted organization stays, for what was used and paid; nobody finds it any more.
ALTER TABLE organizations ADD COLUMN deleted_at TIMESTAMPTZ NULL;
