//! Applications: what a customer owns. A deleted one stays as a row, for what still refers to it, but is not found any more.

use std::collections::HashMap;

use slipway_model::{
    ApplicationId, BuildConfig, DeploymentId, DisplayName, HealthCheck, OrganizationId, PlanId, RegionId, ReleaseId, Slug, Source,
    Timestamp, UserId, Viewer,
    state::{ApplicationStatus, RestartPolicy},
};

use crate::{Cursor, Listed, Order, Page, Slice, Sql, StoreError, Tx, scope};

row! {
    pub struct Application {
        pub id: ApplicationId,
        pub organization_id: OrganizationId,
        pub slug: Slug,
        pub name: DisplayName,
        pub status: ApplicationStatus,
        pub status_reason: Option<String>,
        pub plan_id: PlanId,
        /// The kind of runtime that it asks for; `None`: detected.
        pub runtime_kind: Option<String>,
        pub region_id: RegionId,
        /// `None`: archives that are uploaded.
        pub source: Option<Source>,
        pub build_config: BuildConfig,
        pub health_check: Option<HealthCheck>,
        pub desired_instances: i64,
        /// Its customer stopped it.
        pub stopped: bool,
        pub auto_deploy: bool,
        pub restart_policy: RestartPolicy,
        pub current_release_id: Option<ReleaseId>,
        pub current_deployment_id: Option<DeploymentId>,
        /// Exact versions of tools that were chosen once, and are kept.
        pub tool_lock: Option<serde_json::Value>,
        /// Grows by one with every change of its settings.
        pub version: i64,
        pub created_by: Option<UserId>,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
        pub deleted_at: Option<Timestamp>,
    }
}

impl Listed for Application {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// Which applications are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub organization: Option<OrganizationId>,
    pub status: Option<Vec<ApplicationStatus>>,
    /// Part of the name or slug, in either case.
    pub search: Option<String>,
}

/// [`StoreError::Conflict`] when the slug is taken.
pub async fn insert(tx: &mut Tx, viewer: &Viewer, application: &Application) -> Result<(), StoreError> {
    scope::check(viewer, application.organization_id)?;
    execute!(
        tx,
        "INSERT INTO applications (id, organization_id, slug, name, status, status_reason, plan_id, runtime_kind, region_id, source,
            build_config, health_check, desired_instances, stopped, auto_deploy, current_release_id, current_deployment_id, tool_lock,
            version, created_by, created_at, updated_at, deleted_at, restart_policy)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
        application.id,
        application.organization_id,
        &application.slug,
        &application.name,
        application.status,
        application.status_reason.as_ref(),
        application.plan_id,
        application.runtime_kind.as_ref(),
        application.region_id,
        application.source.as_ref(),
        &application.build_config,
        application.health_check.as_ref(),
        application.desired_instances,
        application.stopped,
        application.auto_deploy,
        application.current_release_id,
        application.current_deployment_id,
        application.tool_lock.as_ref(),
        application.version,
        application.created_by,
        application.created_at,
        application.updated_at,
        application.deleted_at,
        application.restart_policy
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let sql = sql!("SELECT * FROM applications WHERE id = $1 AND deleted_at IS NULL", id);
    fetch_optional!(tx, sql.within_application("organization_id", "id", viewer))
}

/// Finds it and keeps others from doing so until the transaction ends: for what is read, decided and then written.
pub async fn lock(tx: &mut Tx, viewer: &Viewer, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let lock = tx.row_lock();
    let sql = sql!("SELECT * FROM applications WHERE id = $1 AND deleted_at IS NULL", id);
    fetch_optional!(tx, sql.within_application("organization_id", "id", viewer).push(lock))
}

/// Deleted ones too, for what refers to them.
pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[ApplicationId]) -> Result<HashMap<ApplicationId, Application>, StoreError> {
    let sql =
        sql!("SELECT * FROM applications WHERE 1 = 1").any("id", ids.iter().copied()).within_application("organization_id", "id", viewer);
    let rows: Vec<Application> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|application| (application.id, application)).collect())
}

pub async fn by_slug(tx: &mut Tx, viewer: &Viewer, slug: &Slug) -> Result<Option<Application>, StoreError> {
    let sql = sql!("SELECT * FROM applications WHERE slug = $1 AND deleted_at IS NULL", slug);
    fetch_optional!(tx, sql.within_application("organization_id", "id", viewer))
}

/// Takes no viewer: slugs are the platform's, and the answer is the same for everybody.
pub async fn slug_taken(tx: &mut Tx, slug: &Slug) -> Result<bool, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM applications WHERE slug = $1 AND deleted_at IS NULL", slug).map(|(count,): (i64,)| count > 0)
}

/// Newest first.
pub async fn list(tx: &mut Tx, viewer: &Viewer, filter: &Filter, page: &Page) -> Result<Slice<Application>, StoreError> {
    let mut sql = sql!("SELECT * FROM applications WHERE deleted_at IS NULL").within_application("organization_id", "id", viewer);
    if let Some(organization) = filter.organization {
        sql = sql.and("organization_id = ?", [organization]);
    }
    tx.fetch_slice(narrowed(sql, filter.status.as_deref(), filter.search.as_deref()), page, Order::NewestFirst).await
}

/// Of each organization, newest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    status: Option<&[ApplicationStatus]>,
    search: Option<&str>,
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<Application>>, StoreError> {
    let list = |organization| {
        narrowed(sql!("SELECT * FROM applications WHERE deleted_at IS NULL AND organization_id = $1", organization), status, search)
    };
    tx.fetch_slices(
        organizations,
        list,
        |sql| sql.within_application("organization_id", "id", viewer),
        |row: &Application| row.organization_id,
        page,
        Order::NewestFirst,
    )
    .await
}

fn narrowed(mut sql: Sql, status: Option<&[ApplicationStatus]>, search: Option<&str>) -> Sql {
    if let Some(status) = status {
        sql = sql.any("status", status.iter().copied());
    }
    if let Some(search) = search {
        let pattern = format!("%{}%", search.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        sql = sql.and("(lower(name) LIKE ? ESCAPE '\\' OR slug LIKE ? ESCAPE '\\')", [&pattern, &pattern]);
    }
    sql
}

/// How many an organization has.
pub async fn count(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<i64, StoreError> {
    let sql = sql!("SELECT COUNT(*) FROM applications WHERE organization_id = $1 AND deleted_at IS NULL", organization);
    fetch_one!(tx, sql.within_application("organization_id", "id", viewer)).map(|(count,)| count)
}

/// Its settings, where the stored version is still `before`. [`StoreError::Stale`] where it is not, or where there is no such
/// application; [`StoreError::Conflict`] when the slug is taken.
pub async fn update(tx: &mut Tx, viewer: &Viewer, application: &Application, before: i64) -> Result<(), StoreError> {
    let sql = sql!(
        "UPDATE applications SET slug = $3, name = $4, plan_id = $5, runtime_kind = $6, source = $7, build_config = $8, health_check = $9,
            desired_instances = $10, auto_deploy = $11, version = $12, updated_at = $13, restart_policy = $14
         WHERE id = $1 AND version = $2 AND deleted_at IS NULL",
        application.id,
        before,
        &application.slug,
        &application.name,
        application.plan_id,
        application.runtime_kind.as_ref(),
        application.source.as_ref(),
        &application.build_config,
        application.health_check.as_ref(),
        application.desired_instances,
        application.auto_deploy,
        application.version,
        application.updated_at,
        application.restart_policy
    );
    let rows = execute!(tx, sql.within_application("organization_id", "id", viewer))?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// `false`: there is none that the viewer may see.
pub async fn set_status(
    tx: &mut Tx,
    viewer: &Viewer,
    id: ApplicationId,
    status: ApplicationStatus,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE applications SET status = $2, status_reason = $3 WHERE id = $1 AND deleted_at IS NULL", id, status, reason);
    execute!(tx, sql.within_application("organization_id", "id", viewer)).map(|rows| rows == 1)
}

/// Takes a change of plan back, unless it was changed again since. `false`: it was.
pub async fn return_to_plan(tx: &mut Tx, viewer: &Viewer, id: ApplicationId, from: PlanId, to: PlanId) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE applications SET plan_id = $2, version = version + 1 WHERE id = $1 AND plan_id = $3 AND deleted_at IS NULL",
        id,
        from,
        to
    );
    execute!(tx, sql.within_application("organization_id", "id", viewer)).map(|rows| rows == 1)
}

/// Whether its customer wants it stopped.
pub async fn set_stopped(tx: &mut Tx, viewer: &Viewer, id: ApplicationId, stopped: bool) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE applications SET stopped = $2 WHERE id = $1 AND deleted_at IS NULL", id, stopped);
    execute!(tx, sql.within_application("organization_id", "id", viewer)).map(|rows| rows == 1)
}

/// Its build caches begin anew with this deployment.
pub async fn begin_caches(tx: &mut Tx, id: ApplicationId, deployment: DeploymentId) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE applications SET caches_since = $2 WHERE id = $1 AND deleted_at IS NULL", id, deployment).map(|rows| rows == 1)
}

/// The deployment with which its build caches begin; `None`: they are as old as the application.
pub async fn caches_since(tx: &mut Tx, id: ApplicationId) -> Result<Option<DeploymentId>, StoreError> {
    let row: Option<(Option<DeploymentId>,)> = fetch_optional!(tx, "SELECT caches_since FROM applications WHERE id = $1", id)?;
    Ok(row.and_then(|(since,)| since))
}

/// What serves from now on.
pub async fn set_current(
    tx: &mut Tx,
    viewer: &Viewer,
    id: ApplicationId,
    release: ReleaseId,
    deployment: DeploymentId,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE applications SET current_release_id = $2, current_deployment_id = $3 WHERE id = $1 AND deleted_at IS NULL",
        id,
        release,
        deployment
    );
    execute!(tx, sql.within_application("organization_id", "id", viewer)).map(|rows| rows == 1)
}

/// The exact versions that its next builds keep to.
pub async fn set_tool_lock(tx: &mut Tx, viewer: &Viewer, id: ApplicationId, lock: &serde_json::Value) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE applications SET tool_lock = $2 WHERE id = $1 AND deleted_at IS NULL", id, lock);
    execute!(tx, sql.within_application("organization_id", "id", viewer)).map(|rows| rows == 1)
}

/// Deletes it: its slug is free again, and its secrets are gone for good. `false`: there is none that the viewer may see.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, id: ApplicationId, now: Timestamp) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE applications SET deleted_at = $2, updated_at = $2, status = $3 WHERE id = $1 AND deleted_at IS NULL",
        id,
        now,
        ApplicationStatus::Deleting
    );
    let deleted = execute!(tx, sql.within_application("organization_id", "id", viewer))? == 1;
    if deleted {
        execute!(tx, "DELETE FROM variables WHERE application_id = $1", id)?;
    }
    Ok(deleted)
}
