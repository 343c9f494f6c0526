-- Every table of the first version. The two dialects differ only in the names of types: when one is changed, so is the other.
-- Whole numbers are 64 bits wide everywhere, money is in billionths, and times come from the program, never from the database.
-- A reference without a foreign key is one that would close a circle, or that must outlive what it points to.

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    name TEXT NULL,
    password_hash TEXT NULL,
    platform_admin BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE organizations (
    id UUID NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE memberships (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (organization_id, user_id)
);
CREATE INDEX memberships_of_user ON memberships (user_id);

CREATE TABLE sessions (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_digest BYTEA NOT NULL UNIQUE,
    user_agent TEXT NULL,
    ip TEXT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);

CREATE TABLE api_tokens (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id UUID NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    token_digest BYTEA NOT NULL UNIQUE,
    expires_at TIMESTAMPTZ NULL,
    last_used_at TIMESTAMPTZ NULL,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ NULL
);
CREATE INDEX api_tokens_of_user ON api_tokens (user_id, created_at, id);
CREATE INDEX api_tokens_of_organization ON api_tokens (organization_id);

CREATE TABLE regions (
    id UUID NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    country TEXT NULL,
    active BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE plans (
    id UUID NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NULL,
    cpu_millis BIGINT NOT NULL CHECK (cpu_millis > 0),
    memory_bytes BIGINT NOT NULL CHECK (memory_bytes > 0),
    storage_bytes BIGINT NOT NULL CHECK (storage_bytes > 0),
    max_instances BIGINT NOT NULL CHECK (max_instances > 0),
    price_hourly_nanos BIGINT NOT NULL CHECK (price_hourly_nanos >= 0),
    price_monthly_nanos BIGINT NOT NULL CHECK (price_monthly_nanos >= 0),
    runtimes JSONB NULL,
    active BOOLEAN NOT NULL,
    sort_order BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE runtimes (
    id UUID NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    builder_image TEXT NOT NULL,
    run_image TEXT NOT NULL,
    default_build_command TEXT NULL,
    default_start_command TEXT NULL,
    default_port BIGINT NULL,
    active BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    plugin TEXT NOT NULL,
    eol_at TIMESTAMPTZ NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX runtimes_of_kind ON runtimes (kind);

CREATE TABLE nodes (
    id UUID NOT NULL PRIMARY KEY,
    region_id UUID NOT NULL REFERENCES regions (id),
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL UNIQUE,
    status TEXT NOT NULL,
    cordoned BOOLEAN NOT NULL,
    labels JSONB NOT NULL,
    public_address TEXT NULL,
    agent_version TEXT NULL,
    docker_version TEXT NULL,
    kernel_version TEXT NULL,
    cpu_millis BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    storage_bytes BIGINT NOT NULL,
    cpu_percent DOUBLE PRECISION NOT NULL,
    memory_used_bytes BIGINT NOT NULL,
    storage_used_bytes BIGINT NOT NULL,
    containers BIGINT NOT NULL,
    docker_healthy BOOLEAN NOT NULL,
    clock_skew_ms BIGINT NULL,
    last_heartbeat_at TIMESTAMPTZ NULL,
    generation BIGINT NOT NULL,
    observed_generation BIGINT NOT NULL,
    observed_sequence BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ NULL
);
CREATE INDEX nodes_of_region ON nodes (region_id, created_at, id);

CREATE TABLE enrollment_tokens (
    id UUID NOT NULL PRIMARY KEY,
    region_id UUID NOT NULL REFERENCES regions (id),
    token_digest BYTEA NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    node_name TEXT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ NULL,
    used_by UUID NULL REFERENCES nodes (id) ON DELETE SET NULL,
    revoked_at TIMESTAMPTZ NULL,
    created_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX enrollment_tokens_of_region ON enrollment_tokens (region_id, created_at, id);

CREATE TABLE applications (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    plan_id UUID NOT NULL REFERENCES plans (id),
    runtime_kind TEXT NULL,
    region_id UUID NOT NULL REFERENCES regions (id),
    source JSONB NULL,
    build_config JSONB NOT NULL,
    health_check JSONB NULL,
    desired_instances BIGINT NOT NULL CHECK (desired_instances >= 0),
    stopped BOOLEAN NOT NULL,
    auto_deploy BOOLEAN NOT NULL,
    current_release_id UUID NULL,
    current_deployment_id UUID NULL,
    tool_lock JSONB NULL,
    version BIGINT NOT NULL,
    created_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    deleted_at TIMESTAMPTZ NULL
);
-- A deleted application gives its slug, and with it its system domain, back.
CREATE UNIQUE INDEX applications_slug ON applications (slug) WHERE deleted_at IS NULL;
CREATE INDEX applications_of_organization ON applications (organization_id, created_at, id);
CREATE INDEX applications_on_plan ON applications (plan_id);
CREATE INDEX applications_in_region ON applications (region_id);

CREATE TABLE variables (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value_ciphertext BYTEA NOT NULL,
    fingerprint TEXT NOT NULL,
    scope TEXT NOT NULL,
    origin TEXT NOT NULL,
    sensitive BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    updated_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (application_id, key)
);

CREATE TABLE uploads (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    ticket_digest BYTEA NOT NULL UNIQUE,
    sha256 TEXT NULL,
    size_bytes BIGINT NULL,
    received_at TIMESTAMPTZ NULL,
    consumed_at TIMESTAMPTZ NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX uploads_of_application ON uploads (application_id);
CREATE INDEX uploads_by_sha256 ON uploads (sha256);

CREATE TABLE deployments (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    failure JSONB NULL,
    trigger TEXT NOT NULL,
    source JSONB NOT NULL,
    commit_sha TEXT NULL,
    commit_message TEXT NULL,
    branch TEXT NULL,
    release_id UUID NULL,
    rollback_of UUID NULL REFERENCES deployments (id) ON DELETE SET NULL,
    node_id UUID NULL REFERENCES nodes (id),
    plan JSONB NULL,
    plan_digest TEXT NULL,
    tool_lock JSONB NULL,
    attempt BIGINT NOT NULL,
    created_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ NULL,
    finished_at TIMESTAMPTZ NULL,
    UNIQUE (application_id, number)
);
CREATE INDEX deployments_of_application ON deployments (application_id, created_at, id);
CREATE INDEX deployments_of_organization ON deployments (organization_id, created_at, id);

CREATE TABLE deployment_steps (
    deployment_id UUID NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    message TEXT NULL,
    started_at TIMESTAMPTZ NULL,
    finished_at TIMESTAMPTZ NULL,
    PRIMARY KEY (deployment_id, kind)
);

CREATE TABLE releases (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    deployment_id UUID NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    node_id UUID NULL REFERENCES nodes (id),
    image TEXT NOT NULL,
    image_digest TEXT NOT NULL,
    image_bytes BIGINT NOT NULL,
    processes JSONB NOT NULL,
    port BIGINT NULL,
    health JSONB NOT NULL,
    variables_ciphertext BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (application_id, number)
);
CREATE INDEX releases_of_deployment ON releases (deployment_id);

CREATE TABLE instances (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id UUID NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    release_id UUID NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    node_id UUID NOT NULL REFERENCES nodes (id),
    process TEXT NOT NULL,
    instance_index BIGINT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    desired BOOLEAN NOT NULL,
    routed BOOLEAN NOT NULL,
    plan_id UUID NOT NULL REFERENCES plans (id),
    hourly_rate_nanos BIGINT NOT NULL,
    cpu_millis BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    storage_bytes BIGINT NOT NULL,
    container_id TEXT NULL,
    address TEXT NULL,
    exit_code BIGINT NULL,
    restart_count BIGINT NOT NULL,
    last_lines JSONB NULL,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ NULL,
    stopped_at TIMESTAMPTZ NULL
);
CREATE INDEX instances_of_application ON instances (application_id, created_at, id);
CREATE INDEX instances_of_deployment ON instances (deployment_id);
CREATE INDEX instances_on_node ON instances (node_id, desired);
CREATE INDEX instances_on_plan ON instances (plan_id);

CREATE TABLE operations (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NULL REFERENCES organizations (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    application_id UUID NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id UUID NULL REFERENCES deployments (id) ON DELETE CASCADE,
    payload JSONB NOT NULL,
    step TEXT NULL,
    attempt BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    lease_owner TEXT NULL,
    lease_until TIMESTAMPTZ NULL,
    fence BIGINT NOT NULL,
    next_run_at TIMESTAMPTZ NOT NULL,
    deadline TIMESTAMPTZ NOT NULL,
    error TEXT NULL,
    created_by UUID NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ NULL,
    finished_at TIMESTAMPTZ NULL
);
CREATE INDEX operations_due ON operations (status, next_run_at);
CREATE INDEX operations_of_application ON operations (application_id, created_at, id);
CREATE INDEX operations_of_deployment ON operations (deployment_id);

CREATE TABLE tasks (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id UUID NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    operation_id UUID NULL REFERENCES operations (id) ON DELETE CASCADE,
    node_id UUID NOT NULL REFERENCES nodes (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    spec_ciphertext BYTEA NOT NULL,
    outcome JSONB NULL,
    last_sequence BIGINT NOT NULL,
    deadline TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NULL
);
CREATE INDEX tasks_on_node ON tasks (node_id, status);
CREATE INDEX tasks_of_deployment ON tasks (deployment_id);

CREATE TABLE build_log_lines (
    deployment_id UUID NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    line_number BIGINT NOT NULL,
    task_id UUID NULL,
    at TIMESTAMPTZ NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (deployment_id, line_number)
);

CREATE TABLE events (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id UUID NOT NULL UNIQUE,
    organization_id UUID NULL REFERENCES organizations (id),
    application_id UUID NULL REFERENCES applications (id) ON DELETE SET NULL,
    resource TEXT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    data JSONB NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX events_of_organization ON events (organization_id, sequence);
CREATE INDEX events_of_application ON events (application_id, sequence);

CREATE TABLE plugins (
    id UUID NOT NULL PRIMARY KEY,
    plugin_id TEXT NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    settings_ciphertext BYTEA NULL,
    sha256 TEXT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- No foreign key to instances and applications here and below: what was used stays written when they are gone.
CREATE TABLE usage_records (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NOT NULL,
    instance_id UUID NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NULL,
    rated_until TIMESTAMPTZ NOT NULL,
    hourly_rate_nanos BIGINT NOT NULL
);
CREATE INDEX usage_records_of_organization ON usage_records (organization_id, started_at);
CREATE INDEX usage_records_of_application ON usage_records (application_id, started_at);
-- An instance is metered once at a time.
CREATE UNIQUE INDEX usage_records_open ON usage_records (instance_id) WHERE ended_at IS NULL;

CREATE TABLE ledger_entries (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NULL,
    instance_id UUID NULL,
    kind TEXT NOT NULL,
    amount_nanos BIGINT NOT NULL,
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    period_start TIMESTAMPTZ NULL,
    period_end TIMESTAMPTZ NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX ledger_entries_of_organization ON ledger_entries (organization_id, created_at, id);

CREATE TABLE idempotency (
    organization_id UUID NOT NULL REFERENCES organizations (id),
    mutation TEXT NOT NULL,
    key TEXT NOT NULL,
    input_digest TEXT NOT NULL,
    result_id UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (organization_id, mutation, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE platform_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    ciphertext BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
