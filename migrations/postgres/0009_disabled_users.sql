-- Who is disabled signs in no longer, and what they signed in with opens nothing.
ALTER TABLE users ADD COLUMN disabled_at TIMESTAMPTZ NULL;
