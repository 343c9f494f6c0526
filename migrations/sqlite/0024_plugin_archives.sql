-- What plugins were installed from, in parts of a megabyte: so that every control plane on this database has it.
CREATE TABLE plugin_archives (
    plugin_id BLOB NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (plugin_id, part)
) STRICT;
