//! How the platform is doing, for its administrators.

use async_graphql::{Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Plan, Region, money::Money, region::Capacity};
use crate::capacity;

/// How the platform is doing, in a few figures.
#[derive(SimpleObject)]
pub struct PlatformStats {
    /// Applications that there are.
    pub applications: i64,
    /// Those whose wanted instances are all healthy.
    pub applications_running: i64,
    /// Worker nodes that there are.
    pub nodes: i64,
    /// Those that are connected and well.
    pub nodes_online: i64,
    /// Deployments that were asked for in the last 24 hours.
    #[graphql(name = "deploymentsLast24h")]
    pub deployments_last_24h: i64,
    /// Of those that came to an end, the share that failed: from 0 to 1.
    pub deployment_failure_rate: f64,
    /// Deployments of the last 24 hours that wait for a node.
    pub builds_queued: i64,
    /// Operations that nobody has begun.
    pub jobs_queued: i64,
    /// How long the oldest of them waits, in seconds.
    pub oldest_job_seconds: i64,
    /// What all instances that should run are charged for a month of 730 hours, at the rates that they began with.
    pub monthly_recurring_revenue: Money,
}

/// What there is room for.
#[derive(SimpleObject)]
pub struct CapacityReport {
    /// Each region, oldest first.
    pub regions: Vec<RegionCapacity>,
}

/// What a region has room for, and for how long.
pub struct RegionCapacity(pub(crate) capacity::RegionCapacity);

/// What a region has room for, and for how long.
#[Object]
impl RegionCapacity {
    /// Which.
    async fn region(&self) -> Region {
        Region(self.0.region.clone())
    }

    /// What its nodes that take applications have, and what of it is promised.
    async fn capacity(&self) -> Capacity {
        Capacity::of(&self.0.taken.total, &self.0.taken.allocated)
    }

    /// What is left of what runs out first, of all that there is.
    async fn headroom_percent(&self) -> f64 {
        self.0.headroom_percent
    }

    /// The largest plan on offer of which one more instance finds a place.
    async fn largest_fit(&self) -> Option<Plan> {
        self.0.largest_fit.clone().map(Plan)
    }

    /// When it is full, if it goes on growing as in the last seven days; `null` where it does not grow, or not enough for a year.
    async fn projected_full_at(&self) -> Option<DateTime<Utc>> {
        self.0.projected_full_at
    }
}
