-- Plugins that an administrator installed, and what became of them. Those without an archive came with the platform.

ALTER TABLE plugins ADD COLUMN version TEXT NULL;
ALTER TABLE plugins ADD COLUMN archive_sha256 TEXT NULL;
ALTER TABLE plugins ADD COLUMN quarantine_reason TEXT NULL;
ALTER TABLE plugins ADD COLUMN quarantined_at TIMESTAMPTZ NULL;
