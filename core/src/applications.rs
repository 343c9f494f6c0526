//! Applications: what a customer owns.

use slipway_model::{
    ApplicationId, BuildConfig, DisplayName, HealthCheck, OrganizationId, PlanId, RegionId, Role, RuntimeId, Slug, Source, Viewer,
    state::{ApplicationStatus, RestartPolicy},
};
use slipway_store::{
    Page, Slice, StoreError,
    applications::{self, Application},
    plans::{self, Plan},
    regions, runtimes,
};

use crate::{
    Config, Platform,
    billing::reserve,
    changes::Changed,
    error::{Error, Refusals, Result, UserError, UserErrorCode, UserErrorData},
    events, instances, organizations,
    quotas::{self, More},
    routes,
    variables::{self, NewVariable},
};

/// Names that people would take for the platform's own.
const RESERVED_SLUGS: &[&str] = &["admin", "api", "app", "dashboard", "docs", "localhost", "mail", "slipway", "status", "www"];

/// An application that shall be.
#[derive(Debug)]
pub struct NewApplication {
    pub organization: OrganizationId,
    pub name: String,
    /// `None`: the nearest to the name.
    pub slug: Option<String>,
    pub plan: PlanId,
    pub region: RegionId,
    /// `None`: detected.
    pub runtime: Option<RuntimeId>,
    pub source: Option<Source>,
    pub build_config: BuildConfig,
    pub health_check: Option<HealthCheck>,
    pub variables: Vec<NewVariable>,
    pub auto_deploy: bool,
    pub instances: i64,
}

/// Creates an application. Nothing runs before its first deployment.
///
/// # Errors
/// Every refusal of the input at once (R5).
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewApplication) -> Result<Application> {
    require(viewer, new.organization, Role::Member, "organizationId", "organization")?;
    // A token of one application is no licence to make others.
    if viewer.application().is_some() {
        return Err(Error::Forbidden);
    }
    let mut refusals = Refusals::new();
    let name = refusals.parse::<DisplayName>("name", &new.name);
    let slug = organizations::slug(&mut refusals, new.slug.as_deref(), &new.name);
    check_reserved(&mut refusals, slug.as_ref());
    variables::check(&mut refusals, &new.variables);
    let mut tx = platform.db.begin_as(viewer).await?;
    let plan = plans::find(&mut tx, new.plan).await?.filter(|plan| plan.active);
    match &plan {
        None => refusals.push(UserError::not_found("planId", "plan on offer")),
        Some(plan) => check_instances(&mut refusals, plan, new.instances),
    }
    let region = regions::find(&mut tx, new.region).await?.filter(|region| region.active);
    refusals.check(region.is_some(), || UserError::not_found("regionId", "region on offer"));
    let kind = match new.runtime {
        None => new.build_config.runtime.clone(),
        Some(id) => {
            let runtime = runtimes::find(&mut tx, id).await?.filter(|runtime| runtime.active);
            refusals.check(runtime.is_some(), || UserError::not_found("runtimeId", "runtime on offer"));
            runtime.map(|runtime| runtime.kind)
        }
    };
    check_kind(&mut refusals, plan.as_ref(), kind.as_deref());
    refusals.done()?;
    let (Some(name), Some(slug)) = (name, slug) else { return Err(Error::internal(anyhow::anyhow!("a name refused silently"))) };
    let now = platform.now();
    let application = Application {
        id: ApplicationId::new(&*platform.clock),
        organization_id: new.organization,
        slug,
        name,
        status: ApplicationStatus::Created,
        status_reason: None,
        plan_id: new.plan,
        runtime_kind: kind.clone(),
        region_id: new.region,
        source: new.source,
        build_config: BuildConfig { runtime: kind, ..new.build_config },
        health_check: new.health_check,
        desired_instances: new.instances,
        stopped: false,
        auto_deploy: new.auto_deploy,
        restart_policy: RestartPolicy::default(),
        current_release_id: None,
        current_deployment_id: None,
        tool_lock: None,
        version: 1,
        created_by: viewer.user_id(),
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    quotas::check(&mut tx, viewer, new.organization, More { applications: 1, instances: new.instances }).await?;
    if let Some(plan) = &plan {
        reserve::check(&mut tx, platform, new.organization, reserve::More::instances(plan, new.instances)).await?;
    }
    match applications::insert(&mut tx, viewer, &application).await {
        Err(StoreError::Conflict) => return Err(organizations::taken(&application.slug)),
        outcome => outcome?,
    };
    variables::put(&mut tx, platform, viewer, &application, new.variables).await?;
    events::record(&mut tx, platform, &application, "application.created", format!("{} was created.", application.name)).await?;
    slipway_store::audit::note_subject(application.id);
    tx.commit().await?;
    changed(platform, &application);
    Ok(application)
}

/// What shall be different; `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct ApplicationFields {
    pub name: Option<String>,
    pub slug: Option<String>,
    /// `Some(None)`: detected from now on.
    pub runtime: Option<Option<RuntimeId>>,
    pub source: Option<Source>,
    pub build_config: Option<BuildConfig>,
    /// `Some(None)`: the usual check.
    pub health_check: Option<Option<HealthCheck>>,
    pub auto_deploy: Option<bool>,
    /// In force at once.
    pub restart_policy: Option<RestartPolicy>,
}

/// Changes an application's settings. What runs goes on as it is until the next deployment.
///
/// # Errors
/// Refusals of the input; a stale version.
pub async fn update(
    platform: &Platform,
    viewer: &Viewer,
    id: ApplicationId,
    expected: Option<i64>,
    fields: ApplicationFields,
) -> Result<Application> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let mut application = applications::find(&mut tx, viewer, id).await?.ok_or_else(|| UserError::not_found("id", "application"))?;
    require(viewer, application.organization_id, Role::Member, "id", "application")?;
    if expected.is_some_and(|expected| expected != application.version) {
        return Err(UserError::stale(application.version).into());
    }
    if application.status == ApplicationStatus::Deleting {
        return Err(UserError::invalid_state("The application is being deleted.").into());
    }
    let mut refusals = Refusals::new();
    let mut is_renamed = false;
    if let Some(name) = fields.name.as_deref().and_then(|name| refusals.parse::<DisplayName>("name", name)) {
        application.name = name;
    }
    if let Some(slug) = fields.slug.as_deref().and_then(|slug| refusals.parse::<Slug>("slug", slug)) {
        if slug != application.slug {
            check_reserved(&mut refusals, Some(&slug));
            is_renamed = true;
        }
        application.slug = slug;
    }
    if let Some(config) = fields.build_config {
        application.runtime_kind.clone_from(&config.runtime);
        application.build_config = config;
    }
    if let Some(runtime) = fields.runtime {
        application.runtime_kind = match runtime {
            None => None,
            Some(id) => {
                let runtime = runtimes::find(&mut tx, id).await?.filter(|runtime| runtime.active);
                refusals.check(runtime.is_some(), || UserError::not_found("runtimeId", "runtime on offer"));
                runtime.map(|runtime| runtime.kind)
            }
        };
        application.build_config.runtime.clone_from(&application.runtime_kind);
    }
    let plan = plans::find(&mut tx, application.plan_id).await?;
    check_kind(&mut refusals, plan.as_ref(), application.runtime_kind.as_deref());
    refusals.done()?;
    if fields.source.is_some() {
        application.source = fields.source;
    }
    if let Some(check) = fields.health_check {
        application.health_check = check;
    }
    if let Some(auto_deploy) = fields.auto_deploy {
        application.auto_deploy = auto_deploy;
    }
    let is_repoliced = fields.restart_policy.is_some_and(|policy| policy != application.restart_policy);
    application.restart_policy = fields.restart_policy.unwrap_or(application.restart_policy);
    application.updated_at = platform.now();
    let before = application.version;
    application.version += 1;
    match applications::update(&mut tx, viewer, &application, before).await {
        Err(StoreError::Conflict) => return Err(organizations::taken(&application.slug)),
        outcome => outcome?,
    };
    // What serves is reached by its new system domain, and no longer by the old one.
    let mut nodes = if is_renamed { routes::rename(&mut tx, application.id).await? } else { Vec::new() };
    if is_repoliced {
        nodes.extend(instances::renew(&mut tx, application.id).await?);
    }
    events::record(&mut tx, platform, &application, "application.updated", "Its settings were changed.".to_owned()).await?;
    tx.commit().await?;
    changed(platform, &application);
    nodes.into_iter().for_each(|node| platform.fleet.nudge(node));
    Ok(application)
}

/// Which applications are listed.
#[derive(Debug, Default)]
pub struct Filter {
    pub organization: Option<OrganizationId>,
    pub status: Option<Vec<ApplicationStatus>>,
    /// Part of the name or slug.
    pub search: Option<String>,
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: ApplicationId) -> Result<Option<Application>> {
    Ok(applications::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, viewer: &Viewer, slug: &str) -> Result<Option<Application>> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    Ok(applications::by_slug(&mut platform.db.read_as(viewer).await?, viewer, &slug).await?)
}

/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, filter: Filter, page: &Page) -> Result<Slice<Application>> {
    check_search(filter.search.as_deref())?;
    let filter = applications::Filter { organization: filter.organization, status: filter.status, search: filter.search };
    Ok(applications::list(&mut platform.db.read_as(viewer).await?, viewer, &filter, page).await?)
}

/// Of what somebody looks for.
const MAX_SEARCH_CHARACTERS: usize = 200;

/// A longer pattern is more than a database takes.
pub(crate) fn check_search(search: Option<&str>) -> Result<()> {
    if search.is_some_and(|search| search.chars().count() > MAX_SEARCH_CHARACTERS) {
        return Err(UserError::too_long("search", format!("Look for at most {MAX_SEARCH_CHARACTERS} characters.")).into());
    }
    Ok(())
}

/// Whether an application may be given this slug. Slugs are the platform's: the answer is the same for everybody.
///
/// # Errors
/// Those of the database.
pub async fn slug_is_available(platform: &Platform, slug: &str) -> Result<bool> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(false) };
    if RESERVED_SLUGS.contains(&slug.as_str()) {
        return Ok(false);
    }
    Ok(!applications::slug_taken(&mut platform.db.read_once().await?, &slug).await?)
}

/// Where visitors reach the application that has this slug.
#[must_use]
pub fn url(config: &Config, slug: &Slug) -> String {
    let scheme = if config.public_url.scheme() == "https" { "https" } else { "http" };
    let port = config.ingress_port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{slug}.{}{port}", config.platform_domain)
}

/// [`organizations::require`], with a refusal that names the input.
pub(crate) fn require(viewer: &Viewer, organization: OrganizationId, role: Role, path: &str, what: &str) -> Result<()> {
    match organizations::require(viewer, organization, role) {
        Err(Error::NotFound) => Err(UserError::not_found(path, what).into()),
        outcome => outcome,
    }
}

pub(crate) fn changed(platform: &Platform, application: &Application) {
    platform.changes.publish(Some(application.organization_id), Changed::Application(application.id));
    platform.changes.publish(Some(application.organization_id), Changed::Events);
}

fn check_reserved(refusals: &mut Refusals, slug: Option<&Slug>) {
    if let Some(slug) = slug.filter(|slug| RESERVED_SLUGS.contains(&slug.as_str())) {
        refusals.push(UserError::already_exists("slug", format!("The short name `{slug}` is kept for the platform.")));
    }
}

pub(crate) fn check_instances(refusals: &mut Refusals, plan: &Plan, instances: i64) {
    refusals.check(instances >= 1, || UserError::invalid("instances", "Use 1 or more; stop the application to have none."));
    if instances > plan.max_instances {
        let message = format!("The plan {} allows {} instances.", plan.name, plan.max_instances);
        let data = UserErrorData::Quota { limit: plan.max_instances, used: instances };
        refusals.push(UserError::new(UserErrorCode::QuotaExceeded, "instances", message).with(data));
    }
}

/// A plan may be for some runtimes alone (R1.3).
pub(crate) fn check_kind(refusals: &mut Refusals, plan: Option<&Plan>, kind: Option<&str>) {
    let (Some(plan), Some(kind)) = (plan, kind) else { return };
    if let Some(runtimes) = plan.runtimes.as_ref().filter(|runtimes| !runtimes.iter().any(|runtime| runtime == kind)) {
        let message = format!("The plan {} is for {} only.", plan.name, runtimes.join(", "));
        refusals.push(UserError::new(UserErrorCode::Unsupported, "planId", message));
    }
}
