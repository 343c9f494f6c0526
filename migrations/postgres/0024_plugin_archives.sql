-- What plugins were installed from, in parts of a megabyte: so that every control plane on this database has it.
CREATE TABLE plugin_archives (
    plugin_id UUID NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (plugin_id, part)
);
