-- Every table of the first version. The two dialects differ only in the names of types: when one is changed, so is the other.
-- Whole numbers are 64 bits wide everywhere, money is in billionths, and times come from the program, never from the database.
-- A reference without a foreign key is one that would close a circle, or that must outlive what it points to.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    name TEXT NULL,
    password_hash TEXT NULL,
    platform_admin INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE organizations (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE memberships (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (organization_id, user_id)
) STRICT;
CREATE INDEX memberships_of_user ON memberships (user_id);

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_digest BLOB NOT NULL UNIQUE,
    user_agent TEXT NULL,
    ip TEXT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);

CREATE TABLE api_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id BLOB NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    token_digest BLOB NOT NULL UNIQUE,
    expires_at TEXT NULL,
    last_used_at TEXT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT NULL
) STRICT;
CREATE INDEX api_tokens_of_user ON api_tokens (user_id, created_at, id);
CREATE INDEX api_tokens_of_organization ON api_tokens (organization_id);

CREATE TABLE regions (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    country TEXT NULL,
    active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE plans (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NULL,
    cpu_millis INTEGER NOT NULL CHECK (cpu_millis > 0),
    memory_bytes INTEGER NOT NULL CHECK (memory_bytes > 0),
    storage_bytes INTEGER NOT NULL CHECK (storage_bytes > 0),
    max_instances INTEGER NOT NULL CHECK (max_instances > 0),
    price_hourly_nanos INTEGER NOT NULL CHECK (price_hourly_nanos >= 0),
    price_monthly_nanos INTEGER NOT NULL CHECK (price_monthly_nanos >= 0),
    runtimes TEXT NULL,
    active INTEGER NOT NULL,
    sort_order INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE runtimes (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    builder_image TEXT NOT NULL,
    run_image TEXT NOT NULL,
    default_build_command TEXT NULL,
    default_start_command TEXT NULL,
    default_port INTEGER NULL,
    active INTEGER NOT NULL,
    is_default INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    eol_at TEXT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX runtimes_of_kind ON runtimes (kind);

CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY,
    region_id BLOB NOT NULL REFERENCES regions (id),
    name TEXT NOT NULL,
    public_key BLOB NOT NULL UNIQUE,
    status TEXT NOT NULL,
    cordoned INTEGER NOT NULL,
    labels TEXT NOT NULL,
    public_address TEXT NULL,
    agent_version TEXT NULL,
    docker_version TEXT NULL,
    kernel_version TEXT NULL,
    cpu_millis INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    storage_bytes INTEGER NOT NULL,
    cpu_percent REAL NOT NULL,
    memory_used_bytes INTEGER NOT NULL,
    storage_used_bytes INTEGER NOT NULL,
    containers INTEGER NOT NULL,
    docker_healthy INTEGER NOT NULL,
    clock_skew_ms INTEGER NULL,
    last_heartbeat_at TEXT NULL,
    generation INTEGER NOT NULL,
    observed_generation INTEGER NOT NULL,
    observed_sequence INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revoked_at TEXT NULL
) STRICT;
CREATE INDEX nodes_of_region ON nodes (region_id, created_at, id);

CREATE TABLE enrollment_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    region_id BLOB NOT NULL REFERENCES regions (id),
    token_digest BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    node_name TEXT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT NULL,
    used_by BLOB NULL REFERENCES nodes (id) ON DELETE SET NULL,
    revoked_at TEXT NULL,
    created_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX enrollment_tokens_of_region ON enrollment_tokens (region_id, created_at, id);

CREATE TABLE applications (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    runtime_kind TEXT NULL,
    region_id BLOB NOT NULL REFERENCES regions (id),
    source TEXT NULL,
    build_config TEXT NOT NULL,
    health_check TEXT NULL,
    desired_instances INTEGER NOT NULL CHECK (desired_instances >= 0),
    stopped INTEGER NOT NULL,
    auto_deploy INTEGER NOT NULL,
    current_release_id BLOB NULL,
    current_deployment_id BLOB NULL,
    tool_lock TEXT NULL,
    version INTEGER NOT NULL,
    created_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT NULL
) STRICT;
-- A deleted application gives its slug, and with it its system domain, back.
CREATE UNIQUE INDEX applications_slug ON applications (slug) WHERE deleted_at IS NULL;
CREATE INDEX applications_of_organization ON applications (organization_id, created_at, id);
CREATE INDEX applications_on_plan ON applications (plan_id);
CREATE INDEX applications_in_region ON applications (region_id);

CREATE TABLE variables (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value_ciphertext BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    scope TEXT NOT NULL,
    origin TEXT NOT NULL,
    sensitive INTEGER NOT NULL,
    version INTEGER NOT NULL,
    updated_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (application_id, key)
) STRICT;

CREATE TABLE uploads (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    ticket_digest BLOB NOT NULL UNIQUE,
    sha256 TEXT NULL,
    size_bytes INTEGER NULL,
    received_at TEXT NULL,
    consumed_at TEXT NULL,
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_of_application ON uploads (application_id);
CREATE INDEX uploads_by_sha256 ON uploads (sha256);

CREATE TABLE deployments (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    failure TEXT NULL,
    trigger TEXT NOT NULL,
    source TEXT NOT NULL,
    commit_sha TEXT NULL,
    commit_message TEXT NULL,
    branch TEXT NULL,
    release_id BLOB NULL,
    rollback_of BLOB NULL REFERENCES deployments (id) ON DELETE SET NULL,
    node_id BLOB NULL REFERENCES nodes (id),
    plan TEXT NULL,
    plan_digest TEXT NULL,
    tool_lock TEXT NULL,
    attempt INTEGER NOT NULL,
    created_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL,
    started_at TEXT NULL,
    finished_at TEXT NULL,
    UNIQUE (application_id, number)
) STRICT;
CREATE INDEX deployments_of_application ON deployments (application_id, created_at, id);
CREATE INDEX deployments_of_organization ON deployments (organization_id, created_at, id);

CREATE TABLE deployment_steps (
    deployment_id BLOB NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    message TEXT NULL,
    started_at TEXT NULL,
    finished_at TEXT NULL,
    PRIMARY KEY (deployment_id, kind)
) STRICT;

CREATE TABLE releases (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    deployment_id BLOB NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    node_id BLOB NULL REFERENCES nodes (id),
    image TEXT NOT NULL,
    image_digest TEXT NOT NULL,
    image_bytes INTEGER NOT NULL,
    processes TEXT NOT NULL,
    port INTEGER NULL,
    health TEXT NOT NULL,
    variables_ciphertext BLOB NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (application_id, number)
) STRICT;
CREATE INDEX releases_of_deployment ON releases (deployment_id);

CREATE TABLE instances (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id BLOB NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    release_id BLOB NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    node_id BLOB NOT NULL REFERENCES nodes (id),
    process TEXT NOT NULL,
    instance_index INTEGER NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NULL,
    desired INTEGER NOT NULL,
    routed INTEGER NOT NULL,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    hourly_rate_nanos INTEGER NOT NULL,
    cpu_millis INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    storage_bytes INTEGER NOT NULL,
    container_id TEXT NULL,
    address TEXT NULL,
    exit_code INTEGER NULL,
    restart_count INTEGER NOT NULL,
    last_lines TEXT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT NULL,
    stopped_at TEXT NULL
) STRICT;
CREATE INDEX instances_of_application ON instances (application_id, created_at, id);
CREATE INDEX instances_of_deployment ON instances (deployment_id);
CREATE INDEX instances_on_node ON instances (node_id, desired);
CREATE INDEX instances_on_plan ON instances (plan_id);

CREATE TABLE operations (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NULL REFERENCES organizations (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    application_id BLOB NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id BLOB NULL REFERENCES deployments (id) ON DELETE CASCADE,
    payload TEXT NOT NULL,
    step TEXT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    lease_owner TEXT NULL,
    lease_until TEXT NULL,
    fence INTEGER NOT NULL,
    next_run_at TEXT NOT NULL,
    deadline TEXT NOT NULL,
    error TEXT NULL,
    created_by BLOB NULL REFERENCES users (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL,
    started_at TEXT NULL,
    finished_at TEXT NULL
) STRICT;
CREATE INDEX operations_due ON operations (status, next_run_at);
CREATE INDEX operations_of_application ON operations (application_id, created_at, id);
CREATE INDEX operations_of_deployment ON operations (deployment_id);

CREATE TABLE tasks (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    deployment_id BLOB NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    operation_id BLOB NULL REFERENCES operations (id) ON DELETE CASCADE,
    node_id BLOB NOT NULL REFERENCES nodes (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    spec_ciphertext BLOB NOT NULL,
    outcome TEXT NULL,
    last_sequence INTEGER NOT NULL,
    deadline TEXT NOT NULL,
    created_at TEXT NOT NULL,
    finished_at TEXT NULL
) STRICT;
CREATE INDEX tasks_on_node ON tasks (node_id, status);
CREATE INDEX tasks_of_deployment ON tasks (deployment_id);

CREATE TABLE build_log_lines (
    deployment_id BLOB NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    line_number INTEGER NOT NULL,
    task_id BLOB NULL,
    at TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (deployment_id, line_number)
) STRICT;

CREATE TABLE events (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    organization_id BLOB NULL REFERENCES organizations (id),
    application_id BLOB NULL REFERENCES applications (id) ON DELETE SET NULL,
    resource TEXT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_organization ON events (organization_id, sequence);
CREATE INDEX events_of_application ON events (application_id, sequence);

CREATE TABLE plugins (
    id BLOB NOT NULL PRIMARY KEY,
    plugin_id TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL,
    settings_ciphertext BLOB NULL,
    sha256 TEXT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- No foreign key to instances and applications here and below: what was used stays written when they are gone.
CREATE TABLE usage_records (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NOT NULL,
    instance_id BLOB NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NULL,
    rated_until TEXT NOT NULL,
    hourly_rate_nanos INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_records_of_organization ON usage_records (organization_id, started_at);
CREATE INDEX usage_records_of_application ON usage_records (application_id, started_at);
-- An instance is metered once at a time.
CREATE UNIQUE INDEX usage_records_open ON usage_records (instance_id) WHERE ended_at IS NULL;

CREATE TABLE ledger_entries (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NULL,
    instance_id BLOB NULL,
    kind TEXT NOT NULL,
    amount_nanos INTEGER NOT NULL,
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    period_start TEXT NULL,
    period_end TEXT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_entries_of_organization ON ledger_entries (organization_id, created_at, id);

CREATE TABLE idempotency (
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    mutation TEXT NOT NULL,
    key TEXT NOT NULL,
    input_digest TEXT NOT NULL,
    result_id BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (organization_id, mutation, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE platform_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    ciphertext BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
