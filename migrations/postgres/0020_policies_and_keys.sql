-- Whether an instance that ends by itself is started again.
ALTER TABLE applications ADD COLUMN restart_policy TEXT NOT NULL DEFAULT 'always';

-- The key that a node has made in the place of its present one. Both hold until the node comes with the new one.
ALTER TABLE nodes ADD COLUMN next_public_key BYTEA NULL;
