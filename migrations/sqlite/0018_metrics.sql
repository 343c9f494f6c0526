-- What is used, as nodes measure it: each ten seconds for an hour, then each minute for a day, then each hour for thirty days.
-- `resolution` is the length of a slot in seconds, and `at_seconds` its beginning, in seconds since 1970.
CREATE TABLE instance_samples (
    instance_id BLOB NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    resolution INTEGER NOT NULL,
    at_seconds INTEGER NOT NULL,
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    samples INTEGER NOT NULL,
    cpu_percent REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,
    memory_limit_bytes INTEGER NOT NULL,
    disk_bytes INTEGER,
    net_rx_bytes INTEGER NOT NULL,
    net_tx_bytes INTEGER NOT NULL,
    PRIMARY KEY (instance_id, resolution, at_seconds)
) STRICT;
CREATE INDEX instance_samples_by_application ON instance_samples (application_id, resolution, at_seconds);
CREATE INDEX instance_samples_by_age ON instance_samples (resolution, at_seconds);

-- What visitors asked, by the node that they came in at. How long it took is counted in classes, so that it can be added up.
CREATE TABLE http_samples (
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    resolution INTEGER NOT NULL,
    at_seconds INTEGER NOT NULL,
    node_id BLOB NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    requests INTEGER NOT NULL,
    server_errors INTEGER NOT NULL,
    latency_0 INTEGER NOT NULL,
    latency_1 INTEGER NOT NULL,
    latency_2 INTEGER NOT NULL,
    latency_3 INTEGER NOT NULL,
    latency_4 INTEGER NOT NULL,
    latency_5 INTEGER NOT NULL,
    latency_6 INTEGER NOT NULL,
    latency_7 INTEGER NOT NULL,
    latency_8 INTEGER NOT NULL,
    latency_9 INTEGER NOT NULL,
    latency_10 INTEGER NOT NULL,
    latency_11 INTEGER NOT NULL,
    PRIMARY KEY (application_id, resolution, at_seconds, node_id)
) STRICT;
CREATE INDEX http_samples_by_age ON http_samples (resolution, at_seconds);

CREATE TABLE node_samples (
    node_id BLOB NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    resolution INTEGER NOT NULL,
    at_seconds INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    cpu_percent REAL NOT NULL,
    memory_used_bytes INTEGER NOT NULL,
    storage_used_bytes INTEGER NOT NULL,
    PRIMARY KEY (node_id, resolution, at_seconds)
) STRICT;
CREATE INDEX node_samples_by_age ON node_samples (resolution, at_seconds);
