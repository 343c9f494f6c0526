-- The second thing that people sign in with. Codes are good for one use: of those by time the last step is kept, of the others a digest.
CREATE TABLE two_factor (
    user_id UUID NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret_ciphertext BYTEA NOT NULL,
    confirmed_at TIMESTAMPTZ NULL,
    last_step BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE recovery_codes (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_digest BYTEA NOT NULL,
    used_at TIMESTAMPTZ NULL,
    PRIMARY KEY (user_id, code_digest)
);

-- Who is disabled signs in no longer, and what they signed in with opens nothing.
ALTER TABLE users ADD COLUMN disabled_at TIMESTAMPTZ NULL;
