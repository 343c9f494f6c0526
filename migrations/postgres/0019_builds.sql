-- How many builds of an organization go on at once, on the whole platform: so that nobody's queue is everybody's.
ALTER TABLE organization_quotas ADD COLUMN max_builds_concurrent BIGINT NOT NULL DEFAULT 2 CHECK (max_builds_concurrent >= 1);
