-- What a token may do beside its owner's role, and the one application that it opens. Absent: as much as its owner.
ALTER TABLE api_tokens ADD COLUMN application_id BLOB NULL REFERENCES applications (id) ON DELETE CASCADE;
ALTER TABLE api_tokens ADD COLUMN permissions TEXT NULL;
CREATE INDEX api_tokens_of_application ON api_tokens (application_id);
