-- How much an organization may have, where an administrator said so. Without a row: as much as is usual.
CREATE TABLE organization_quotas (
    organization_id UUID NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    max_applications BIGINT NOT NULL CHECK (max_applications >= 0),
    max_instances BIGINT NOT NULL CHECK (max_instances >= 0),
    updated_at TIMESTAMPTZ NOT NULL
);
