//! Plans: what one instance gets, and what it costs. They are the administrator's.

use slipway_model::{DisplayName, Money, PlanId, Slug, Viewer};
use slipway_store::{
    Page, Slice, StoreError,
    plans::{self, Plan},
};

use crate::{
    Platform,
    error::{Error, Refusals, Result, UserError},
};

/// 1024 CPUs: beyond any machine that this is for.
const MAX_CPU_MILLIS: i64 = 1_024_000;
/// 64 TiB.
const MAX_BYTES: i64 = 64 << 40;
const MAX_INSTANCES: i64 = 1_000;
const MAX_DESCRIPTION: usize = 500;

/// What a plan says; `None` leaves it as it is, which for a new one is refused where there is no usual value.
#[derive(Debug, Clone, Default)]
pub struct PlanFields {
    pub name: Option<String>,
    pub description: Option<String>,
    pub cpu_millis: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub storage_bytes: Option<i64>,
    pub max_instances: Option<i64>,
    pub price_hourly: Option<Money>,
    pub price_monthly: Option<Money>,
    /// `Some(None)`: for all runtimes.
    pub runtimes: Option<Option<Vec<String>>>,
    pub active: Option<bool>,
    pub sort_order: Option<i64>,
}

impl PlanFields {
    fn check(&self, refusals: &mut Refusals) {
        if let Some(name) = &self.name {
            let _: Option<DisplayName> = refusals.parse("name", name);
        }
        if let Some(description) = &self.description {
            let fits = description.chars().count() <= MAX_DESCRIPTION;
            refusals.check(fits, || UserError::too_long("description", format!("Use at most {MAX_DESCRIPTION} characters.")));
        }
        let ranges = [
            ("cpuMillis", self.cpu_millis, 1, MAX_CPU_MILLIS),
            // Below this the engine refuses to start a container.
            ("memoryBytes", self.memory_bytes, 6 << 20, MAX_BYTES),
            ("storageBytes", self.storage_bytes, 1, MAX_BYTES),
            ("maxInstances", self.max_instances, 1, MAX_INSTANCES),
        ];
        for (path, value, least, most) in ranges {
            let fits = value.is_none_or(|value| (least..=most).contains(&value));
            refusals.check(fits, || UserError::invalid(path, format!("Use {least} to {most}.")));
        }
        for (path, price) in [("priceHourly", self.price_hourly), ("priceMonthly", self.price_monthly)] {
            refusals.check(price.is_none_or(|price| price >= Money::ZERO), || UserError::invalid(path, "A price is not negative."));
        }
        for (index, kind) in self.runtimes.iter().flatten().flatten().enumerate() {
            let _: Option<Slug> = refusals.parse(&format!("runtimes.{index}"), kind);
        }
    }

    fn apply(self, plan: &mut Plan) {
        fn put<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        put(&mut plan.name, self.name);
        if self.description.is_some() {
            plan.description = self.description.filter(|text| !text.is_empty());
        }
        put(&mut plan.cpu_millis, self.cpu_millis);
        put(&mut plan.memory_bytes, self.memory_bytes);
        put(&mut plan.storage_bytes, self.storage_bytes);
        put(&mut plan.max_instances, self.max_instances);
        put(&mut plan.price_hourly, self.price_hourly);
        put(&mut plan.price_monthly, self.price_monthly);
        put(&mut plan.runtimes, self.runtimes);
        put(&mut plan.active, self.active);
        put(&mut plan.sort_order, self.sort_order);
    }
}

/// Makes a plan; an active one is offered at once (R1.4).
///
/// # Errors
/// Refusals of the input; a taken slug.
pub async fn create(platform: &Platform, viewer: &Viewer, slug: String, fields: PlanFields) -> Result<Plan> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let slug = refusals.parse::<Slug>("slug", &slug);
    fields.check(&mut refusals);
    refusals.done()?;
    let Some(slug) = slug else { return Err(Error::internal(anyhow::anyhow!("a slug refused silently"))) };
    let now = platform.now();
    let mut plan = Plan {
        id: PlanId::new(&*platform.clock),
        slug,
        name: String::new(),
        description: None,
        cpu_millis: 0,
        memory_bytes: 0,
        storage_bytes: 0,
        max_instances: 1,
        price_hourly: Money::ZERO,
        price_monthly: Money::ZERO,
        runtimes: None,
        active: true,
        sort_order: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    fields.apply(&mut plan);
    let mut tx = platform.db.begin().await?;
    match plans::insert(&mut tx, &plan).await {
        Err(StoreError::Conflict) => {
            return Err(UserError::already_exists("slug", format!("There is a plan `{}` already.", plan.slug)).into());
        }
        outcome => outcome?,
    }
    slipway_store::audit::note_subject(plan.id);
    tx.commit().await?;
    Ok(plan)
}

/// Changes a plan. Instances keep the rate that they started with (R1.5).
///
/// # Errors
/// Refusals of the input; a stale version.
pub async fn update(platform: &Platform, viewer: &Viewer, id: PlanId, expected: Option<i64>, fields: PlanFields) -> Result<Plan> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    fields.check(&mut refusals);
    refusals.done()?;
    let mut tx = platform.db.begin().await?;
    let mut plan = plans::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "plan"))?;
    if expected.is_some_and(|expected| expected != plan.version) {
        return Err(UserError::stale(plan.version).into());
    }
    fields.apply(&mut plan);
    plan.version += 1;
    plan.updated_at = platform.now();
    plans::update(&mut tx, &plan).await?;
    tx.commit().await?;
    Ok(plan)
}

/// Deletes a plan that nothing uses (R1.5).
///
/// # Errors
/// A refusal while it is in use.
pub async fn delete(platform: &Platform, viewer: &Viewer, id: PlanId) -> Result<PlanId> {
    require_admin(viewer)?;
    let in_use = || UserError::in_use("Applications use this plan. Deactivate it instead: then nobody else can choose it.");
    let mut tx = platform.db.begin().await?;
    plans::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "plan"))?;
    if plans::application_count(&mut tx, id).await? > 0 {
        return Err(in_use().into());
    }
    match plans::delete(&mut tx, id).await {
        // Deleted applications and their instances still tell what they cost.
        Err(StoreError::Reference) => return Err(in_use().into()),
        outcome => outcome?,
    };
    tx.commit().await?;
    Ok(id)
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, id: PlanId) -> Result<Option<Plan>> {
    Ok(plans::find(&mut platform.db.read_once().await?, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, slug: &str) -> Result<Option<Plan>> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    Ok(plans::by_slug(&mut platform.db.read_once().await?, &slug).await?)
}

/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, active_only: bool, page: &Page) -> Result<Slice<Plan>> {
    Ok(plans::list(&mut platform.db.read_once().await?, active_only, page).await?)
}

/// How many applications use it.
///
/// # Errors
/// Those of the database.
pub async fn application_count(platform: &Platform, id: PlanId) -> Result<i64> {
    Ok(plans::application_count(&mut platform.db.read_once().await?, id).await?)
}

/// That the caller runs this platform.
///
/// # Errors
/// [`Error::Forbidden`] for everybody else.
pub fn require_admin(viewer: &Viewer) -> Result<()> {
    if viewer.is_platform_admin() { Ok(()) } else { Err(Error::Forbidden) }
}
