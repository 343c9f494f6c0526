//! How the platform is doing, in a few figures. For its administrators.

use chrono::TimeDelta;
use slipway_model::{
    Money, Viewer,
    state::{ApplicationStatus, DeploymentStatus, NodeStatus},
};
use slipway_store::statistics;

use crate::{Platform, error::Result, plans::require_admin};

/// Of which a month's price is made of an hour's: 365 days in twelve months.
const HOURS_PER_MONTH: i64 = 730;

#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    pub applications: i64,
    pub applications_running: i64,
    pub nodes: i64,
    pub nodes_online: i64,
    pub deployments_last_24h: i64,
    /// Of the deployments of the last 24 hours that came to an end, the share that failed, from 0 to 1.
    pub deployment_failure_rate: f64,
    pub builds_queued: i64,
    pub jobs_queued: i64,
    pub oldest_job_seconds: i64,
    pub monthly_recurring_revenue: Money,
}

/// # Errors
/// `Forbidden` for everybody else than administrators.
pub async fn of_platform(platform: &Platform, viewer: &Viewer) -> Result<Statistics> {
    require_admin(viewer)?;
    let now = platform.now();
    let tx = &mut platform.db.read().await?;
    let applications = statistics::applications(tx).await?;
    let nodes = statistics::nodes(tx).await?;
    let deployments = statistics::deployments_since(tx, now - TimeDelta::hours(24)).await?;
    let (jobs_queued, oldest) = statistics::waiting_operations(tx).await?;
    let hourly = statistics::hourly_rates(tx).await?;
    let of = |status: DeploymentStatus| deployments.get(&status).copied().unwrap_or_default();
    let failed = of(DeploymentStatus::Failed);
    let succeeded = of(DeploymentStatus::Live) + of(DeploymentStatus::Superseded);
    Ok(Statistics {
        applications: applications.values().sum(),
        applications_running: applications.get(&ApplicationStatus::Running).copied().unwrap_or_default(),
        nodes: nodes.values().sum(),
        nodes_online: nodes.get(&NodeStatus::Online).copied().unwrap_or_default(),
        deployments_last_24h: deployments.values().sum(),
        deployment_failure_rate: if failed == 0 { 0.0 } else { failed as f64 / (failed + succeeded) as f64 },
        builds_queued: of(DeploymentStatus::Queued) + of(DeploymentStatus::Scheduling),
        jobs_queued,
        oldest_job_seconds: oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0)),
        monthly_recurring_revenue: Money::from_nanos(hourly.nanos().saturating_mul(HOURS_PER_MONTH)),
    })
}
