-- How much an organization may have, where an administrator said so. Without a row: as much as is usual.
CREATE TABLE organization_quotas (
    organization_id BLOB NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    max_applications INTEGER NOT NULL CHECK (max_applications >= 0),
    max_instances INTEGER NOT NULL CHECK (max_instances >= 0),
    updated_at TEXT NOT NULL
) STRICT;
