//! Moving an application to another plan (R18): offered, recorded, and brought into force by instances of the new plan taking the place
//! of those of the old one, so that no visitor notices. What the new instances use is charged at the new rate from their start. If
//! they do not become healthy, what served goes on on the plan that it had.

use slipway_model::{ApplicationId, Money, PlanId, Role, Viewer, state::OperationKind};
use slipway_store::{
    StoreError, Tx,
    applications::{self, Application},
    deployments as stored_deployments,
    operations::Operation,
    plans::{self, Plan},
    releases::{self, Release},
};

use crate::{
    Platform,
    applications::{check_instances, check_kind, require},
    billing::{
        quotes::{self, Estimate},
        reserve,
    },
    deployments::{editable, tell},
    error::{Error, Refusals, Result, UserError},
    events,
    operations::{self, NewOperation, Origin, Payload, PlanChange},
};

/// A plan that an application may move to, and why it may not.
#[derive(Debug, Clone)]
pub struct Offer {
    pub plan: Plan,
    /// What it would cost more per hour; less than nothing: less.
    pub price_change: Money,
    pub refusal: Option<String>,
}

/// What a change of plan came to.
#[derive(Debug, Clone)]
pub struct Change {
    pub application: Application,
    /// `None`: nothing runs, so there was nothing to replace.
    pub operation: Option<Operation>,
    pub price_change: Money,
}

/// What is asked of a plan that an application would move to. `release`: what it runs. `kind`: of its runtime.
fn check(application: &Application, release: Option<&Release>, kind: Option<&str>, plan: &Plan) -> Refusals {
    let mut refusals = Refusals::new();
    check_instances(&mut refusals, plan, application.desired_instances);
    check_kind(&mut refusals, Some(plan), kind);
    if let Some(release) = release.filter(|release| release.image_bytes > plan.storage_bytes) {
        let message = format!(
            "The application does not fit: its image has {} MB, and the plan {} has {} MB of storage.",
            release.image_bytes / 1_000_000,
            plan.name,
            plan.storage_bytes / 1_000_000
        );
        refusals.push(UserError::invalid_state(message));
    }
    refusals
}

/// Changes the plan of an application.
///
/// # Errors
/// The plan is not on offer, is the one that it has, is too small for the application or not covered by the wallet; a stale version.
pub async fn change(p: &Platform, viewer: &Viewer, id: ApplicationId, to: PlanId, expected: Option<i64>) -> Result<Change> {
    // Asked before anything is held.
    let mut tx = p.db.read_as(viewer).await?;
    let seen = applications::find(&mut tx, viewer, id).await?.ok_or_else(|| UserError::not_found("id", "application"))?;
    require(viewer, seen.organization_id, Role::Admin, "id", "application")?;
    let from = plans::find(&mut tx, seen.plan_id).await?.ok_or(Error::NotFound)?;
    let not_offered = || UserError::not_found("planId", "plan on offer");
    let plan = plans::find(&mut tx, to).await?.filter(|plan| plan.active).ok_or_else(not_offered)?;
    drop(tx);
    let price_change = price_change(p, &from, &plan, seen.desired_instances).await?;

    let mut tx = p.db.begin().await?;
    let mut application = editable(&mut tx, viewer, id, "id").await?;
    if expected.is_some_and(|expected| expected != application.version) || application.version != seen.version {
        return Err(UserError::stale(application.version).into());
    }
    if application.plan_id == to {
        return Err(UserError::invalid("planId", "The application is on this plan already.").into());
    }
    let release = match application.current_release_id {
        Some(id) => releases::find(&mut tx, viewer, id).await?,
        None => None,
    };
    let kind = kind_of(&mut tx, &application).await?;
    check(&application, release.as_ref(), kind.as_deref(), &plan).done()?;
    let more = Money::from_nanos((plan.price_hourly.nanos() - from.price_hourly.nanos()).saturating_mul(application.desired_instances));
    if !application.stopped && more > Money::ZERO {
        reserve::check(&mut tx, p, application.organization_id, reserve::More::Hourly(more)).await?;
    }
    let before = application.version;
    application.plan_id = to;
    application.version += 1;
    application.updated_at = p.now();
    applications::update(&mut tx, viewer, &application, before).await?;
    let message = format!("{} moves from the plan {} to {}.", application.name, from.name, plan.name);
    events::record(&mut tx, p, &application, "application.plan_change", message).await?;
    let operation = if application.stopped || release.is_none() {
        None
    } else {
        let payload =
            Payload { plan: Some(PlanChange { from: from.id, to }), ..Payload::of(Origin::Release, application.current_release_id) };
        let operation = NewOperation {
            kind: OperationKind::Restart,
            organization: application.organization_id,
            application: id,
            deployment: None,
            payload,
            created_by: viewer.user_id(),
        };
        Some(operations::enqueue(&mut tx, p, operation).await?)
    };
    tx.commit().await?;
    tell(p, application.organization_id, id, None, &[]);
    Ok(Change { application, operation, price_change })
}

/// A change of plan that did not come into force.
pub(crate) async fn take_back(tx: &mut Tx, id: ApplicationId, change: PlanChange) -> Result<bool, StoreError> {
    applications::return_to_plan(tx, &Viewer::Platform, id, change.from, change.to).await
}

/// The runtime that was asked for, or that was detected when it was last deployed.
async fn kind_of(tx: &mut Tx, application: &Application) -> Result<Option<String>> {
    if application.runtime_kind.is_some() {
        return Ok(application.runtime_kind.clone());
    }
    let Some(deployment) = application.current_deployment_id else { return Ok(None) };
    let deployment = stored_deployments::find(tx, &Viewer::Platform, deployment).await?;
    let plan = deployment.and_then(|deployment| deployment.plan);
    Ok(plan.and_then(|plan| plan.get("buildpack").and_then(|id| id.as_str().map(str::to_owned))))
}

async fn price_change(p: &Platform, from: &Plan, to: &Plan, instances: i64) -> Result<Money> {
    let (before, after) = (quotes::of(p, from, instances).await?, quotes::of(p, to, instances).await?);
    Ok(difference(before, after))
}

/// By how much what an application costs per hour changes with the number of its instances.
///
/// # Errors
/// The billing plugin does not say what they cost.
pub async fn price_of_scaling(p: &Platform, plan: PlanId, before: i64, after: i64) -> Result<Money> {
    let plan = plans::find(&mut p.db.read_once().await?, plan).await?.ok_or(Error::NotFound)?;
    Ok(difference(quotes::of(p, &plan, before).await?, quotes::of(p, &plan, after).await?))
}

fn difference(before: Estimate, after: Estimate) -> Money {
    Money::from_nanos(after.hourly.nanos().saturating_sub(before.hourly.nanos()))
}

/// The plans that an application may move to, and of the others why not.
///
/// # Errors
/// The billing plugin does not say what they cost.
pub async fn offers(
    p: &Platform,
    application: &Application,
    from: &Plan,
    active: Vec<Plan>,
    release: Option<&Release>,
) -> Result<Vec<Offer>> {
    let before = quotes::of(p, from, application.desired_instances).await?;
    let mut offers = Vec::new();
    for plan in active.into_iter().filter(|plan| plan.id != from.id) {
        let after = quotes::of(p, &plan, application.desired_instances).await?;
        let refusal = match check(application, release, application.runtime_kind.as_deref(), &plan).done() {
            Err(Error::User(errors)) => errors.into_iter().next().map(|error| error.message),
            _ => None,
        };
        offers.push(Offer { plan, price_change: difference(before, after), refusal });
    }
    Ok(offers)
}
