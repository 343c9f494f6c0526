-- What is used, as nodes measure it: each ten seconds for an hour, then each minute for a day, then each hour for thirty days.
-- `resolution` is the length of a slot in seconds, and `at_seconds` its beginning, in seconds since 1970.
CREATE TABLE instance_samples (
    instance_id UUID NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    resolution BIGINT NOT NULL,
    at_seconds BIGINT NOT NULL,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    samples BIGINT NOT NULL,
    cpu_percent DOUBLE PRECISION NOT NULL,
    memory_bytes BIGINT NOT NULL,
    memory_limit_bytes BIGINT NOT NULL,
    disk_bytes BIGINT,
    net_rx_bytes BIGINT NOT NULL,
    net_tx_bytes BIGINT NOT NULL,
    PRIMARY KEY (instance_id, resolution, at_seconds)
);
CREATE INDEX instance_samples_by_application ON instance_samples (application_id, resolution, at_seconds);
CREATE INDEX instance_samples_by_age ON instance_samples (resolution, at_seconds);

-- What visitors asked, by the node that they came in at. How long it took is counted in classes, so that it can be added up.
CREATE TABLE http_samples (
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    resolution BIGINT NOT NULL,
    at_seconds BIGINT NOT NULL,
    node_id UUID NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    requests BIGINT NOT NULL,
    server_errors BIGINT NOT NULL,
    latency_0 BIGINT NOT NULL,
    latency_1 BIGINT NOT NULL,
    latency_2 BIGINT NOT NULL,
    latency_3 BIGINT NOT NULL,
    latency_4 BIGINT NOT NULL,
    latency_5 BIGINT NOT NULL,
    latency_6 BIGINT NOT NULL,
    latency_7 BIGINT NOT NULL,
    latency_8 BIGINT NOT NULL,
    latency_9 BIGINT NOT NULL,
    latency_10 BIGINT NOT NULL,
    latency_11 BIGINT NOT NULL,
    PRIMARY KEY (application_id, resolution, at_seconds, node_id)
);
CREATE INDEX http_samples_by_age ON http_samples (resolution, at_seconds);

CREATE TABLE node_samples (
    node_id UUID NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    resolution BIGINT NOT NULL,
    at_seconds BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    cpu_percent DOUBLE PRECISION NOT NULL,
    memory_used_bytes BIGINT NOT NULL,
    storage_used_bytes BIGINT NOT NULL,
    PRIMARY KEY (node_id, resolution, at_seconds)
);
CREATE INDEX node_samples_by_age ON node_samples (resolution, at_seconds);

-- As 0009 does for the others.
DO $$
DECLARE
    guarded TEXT;
    everything CONSTANT TEXT := '(SELECT COALESCE(current_setting(''slipway.organizations'', true), '''')) = ''''';
    own CONSTANT TEXT := 'ANY ((SELECT NULLIF(current_setting(''slipway.organizations'', true), '''')::UUID[])::UUID[])';
BEGIN
    FOREACH guarded IN ARRAY ARRAY['instance_samples', 'http_samples'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY of_the_caller ON %I USING (%s OR organization_id = %s)', guarded, everything, own);
    END LOOP;
END;
$$;
