-- The second thing that people sign in with. Codes are good for one use: of those by time the last step is kept, of the others a digest.
CREATE TABLE two_factor (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret_ciphertext BLOB NOT NULL,
    confirmed_at TEXT NULL,
    last_step INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_digest BLOB NOT NULL,
    used_at TEXT NULL,
    PRIMARY KEY (user_id, code_digest)
) STRICT;

-- Who is disabled signs in no longer, and what they signed in with opens nothing.
ALTER TABLE users ADD COLUMN disabled_at TEXT NULL;
