//! What each region has room for, and for how long. For administrators, who have to order machines before they are missing.

use std::collections::HashMap;

use chrono::TimeDelta;
use slipway_model::{NodeId, PlanId, RegionId, Resources, Timestamp, Viewer};
use slipway_store::{
    Page, StoreError, Tx,
    nodes::{self, Allocated, Node},
    plans::{self, Plan},
    regions::{self, Region},
    statistics,
};

use crate::{
    Platform,
    error::{Result, UserError},
    placement::{Candidate, Demand, ranked},
    plans::require_admin,
};

/// What was promised so long ago tells how fast it grows.
const LOOKED_BACK: TimeDelta = TimeDelta::days(7);
/// A growth that fills a region later than this is none to plan by.
const LOOKED_AHEAD_DAYS: f64 = 365.0;

/// What the nodes of a region that take applications have, and what of it is promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub total: Resources,
    pub allocated: Allocated,
}

impl Taken {
    fn of<'a>(nodes: impl IntoIterator<Item = &'a Node>, promised: &HashMap<NodeId, Allocated>) -> Self {
        let mut taken = Self::default();
        for node in nodes.into_iter().filter(|node| Candidate::of(node, Resources::default()).takes_applications()) {
            let on_node = promised.get(&node.id).copied().unwrap_or_default();
            add(&mut taken.total, &node.resources());
            add(&mut taken.allocated.resources, &on_node.resources);
            taken.allocated.instances += on_node.instances;
        }
        taken
    }
}

#[derive(Debug, Clone)]
pub struct RegionCapacity {
    pub region: Region,
    pub taken: Taken,
    /// What is left of what runs out first, of all that there is.
    pub headroom_percent: f64,
    /// The largest plan of which one more instance finds a place.
    pub largest_fit: Option<Plan>,
    /// When it is full, if it goes on growing as in the last seven days; `None` where it does not.
    pub projected_full_at: Option<Timestamp>,
}

/// What is taken of these regions. For administrators: whoever asks for it has to see that they are.
pub(crate) async fn taken(tx: &mut Tx, regions: &[RegionId]) -> Result<HashMap<RegionId, Taken>, StoreError> {
    let mut rows = nodes::all(tx).await?;
    rows.retain(|node| node.revoked_at.is_none() && regions.contains(&node.region_id));
    let ids: Vec<_> = rows.iter().map(|node| node.id).collect();
    let promised = nodes::allocated(tx, &ids).await?;
    let of = |region: &RegionId| Taken::of(rows.iter().filter(|node| node.region_id == *region), &promised);
    Ok(regions.iter().map(|region| (*region, of(region))).collect())
}

/// Of each region, oldest first.
///
/// # Errors
/// `Forbidden` for everybody else than administrators.
pub async fn report(platform: &Platform, viewer: &Viewer) -> Result<Vec<RegionCapacity>> {
    require_admin(viewer)?;
    let now = platform.now();
    let tx = &mut platform.db.read().await?;
    let regions = regions::list(tx, false, &Page::first(Page::MOST)).await?.items;
    let offered = plans::offered(tx).await?;
    let before = statistics::promised_at(tx, now - LOOKED_BACK).await?;
    let mut rows = nodes::all(tx).await?;
    rows.retain(|node| node.revoked_at.is_none());
    let ids: Vec<_> = rows.iter().map(|node| node.id).collect();
    let promised = nodes::allocated(tx, &ids).await?;
    let report = regions.into_iter().map(|region| {
        let of_region: Vec<&Node> = rows.iter().filter(|node| node.region_id == region.id).collect();
        let promised_on = |node: &Node| promised.get(&node.id).copied().unwrap_or_default();
        let taken = Taken::of(of_region.iter().copied(), &promised);
        let (total, allocated) = (&taken.total, &taken.allocated);
        let candidates: Vec<Candidate> = of_region.iter().map(|node| Candidate::of(node, promised_on(node).resources)).collect();
        let largest_fit = offered
            .iter()
            .filter(|plan| {
                !ranked(&candidates, &Demand { region: region.id, resources: resources(plan), instances: 1, has_visitors: true }).is_empty()
            })
            .max_by_key(|plan| (plan.memory_bytes, plan.cpu_millis, plan.storage_bytes))
            .cloned();
        let before = before.get(&region.id).copied().unwrap_or_default();
        RegionCapacity {
            headroom_percent: headroom(total, &allocated.resources),
            largest_fit,
            projected_full_at: full_at(now, total, &allocated.resources, &before),
            taken,
            region,
        }
    });
    Ok(report.collect())
}

/// The nodes that would take so many instances of a plan, that which would be chosen first. None: there is no room.
///
/// # Errors
/// `Forbidden` for everybody else than administrators; refusals of the input.
pub async fn placement_preview(platform: &Platform, viewer: &Viewer, plan: PlanId, region: RegionId, instances: i32) -> Result<Vec<Node>> {
    require_admin(viewer)?;
    let instances = u32::try_from(instances).ok().filter(|instances| (1..=1000).contains(instances));
    let instances = instances.ok_or_else(|| UserError::invalid("instances", "Ask for 1 to 1000 instances."))?;
    let tx = &mut platform.db.read().await?;
    let plan = plans::find(tx, plan).await?.ok_or_else(|| UserError::not_found("planId", "plan"))?;
    regions::find(tx, region).await?.ok_or_else(|| UserError::not_found("regionId", "region"))?;
    let mut rows = nodes::in_region(tx, region).await?;
    rows.retain(|node| node.revoked_at.is_none());
    let ids: Vec<_> = rows.iter().map(|node| node.id).collect();
    let promised = nodes::allocated(tx, &ids).await?;
    let candidate = |node: &Node| Candidate::of(node, promised.get(&node.id).copied().unwrap_or_default().resources);
    let candidates: Vec<Candidate> = rows.iter().map(candidate).collect();
    let order = ranked(&candidates, &Demand { region, resources: resources(&plan), instances, has_visitors: true });
    let place = |node: &Node| order.iter().position(|id| *id == node.id);
    rows.retain(|node| place(node).is_some());
    rows.sort_by_key(place);
    Ok(rows)
}

fn resources(plan: &Plan) -> Resources {
    Resources { cpu_millis: plan.cpu_millis, memory_bytes: plan.memory_bytes, storage_bytes: plan.storage_bytes }
}

fn add(sum: &mut Resources, more: &Resources) {
    sum.cpu_millis += more.cpu_millis;
    sum.memory_bytes += more.memory_bytes;
    sum.storage_bytes += more.storage_bytes;
}

/// Pairs of what is meant by two resources, each as a number.
fn pairs(one: &Resources, other: &Resources) -> [(f64, f64); 3] {
    [(one.cpu_millis, other.cpu_millis), (one.memory_bytes, other.memory_bytes), (one.storage_bytes, other.storage_bytes)]
        .map(|(one, other)| (one as f64, other as f64))
}

fn headroom(total: &Resources, allocated: &Resources) -> f64 {
    let left = pairs(total, allocated).map(|(total, used)| if total > 0.0 { (1.0 - used / total) * 100.0 } else { 0.0 });
    left.into_iter().fold(100.0, f64::min).max(0.0)
}

fn full_at(now: Timestamp, total: &Resources, allocated: &Resources, before: &Resources) -> Option<Timestamp> {
    let days = pairs(total, allocated).into_iter().zip(pairs(allocated, before)).filter_map(|((total, used), (_, before))| {
        let per_day = (used - before) / LOOKED_BACK.num_days() as f64;
        (per_day > 0.0).then(|| ((total - used) / per_day).max(0.0))
    });
    let first = days.fold(f64::INFINITY, f64::min);
    (first <= LOOKED_AHEAD_DAYS).then(|| now + TimeDelta::seconds((first * 86_400.0) as i64))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn resources(cpu_millis: i64, memory_bytes: i64) -> Resources {
        Resources { cpu_millis, memory_bytes, storage_bytes: 0 }
    }

    #[test]
    fn headroom_is_that_of_what_runs_out_first() {
        let total = Resources { cpu_millis: 1000, memory_bytes: 1000, storage_bytes: 1000 };
        assert!((headroom(&total, &resources(250, 900)) - 10.0).abs() < 1e-9);
        assert!(headroom(&total, &resources(2000, 0)).abs() < 1e-9, "promised more than there is");
        assert!(headroom(&Resources::default(), &Resources::default()).abs() < 1e-9, "no node");
    }

    #[test]
    fn what_grows_fastest_against_what_is_left_says_when_it_is_full() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let total = Resources { cpu_millis: 10_000, memory_bytes: 10_000, storage_bytes: 10_000 };
        // Ten a day of 300 that are left: thirty days; the memory would take longer.
        let (allocated, before) = (resources(9_700, 5_000), resources(9_630, 4_999));
        assert_eq!(full_at(now, &total, &allocated, &before), Some(now + TimeDelta::days(30)));
        assert_eq!(full_at(now, &total, &allocated, &allocated), None, "it does not grow");
        assert_eq!(full_at(now, &total, &resources(10, 10), &resources(9, 9)), None, "not within a year");
        assert_eq!(full_at(now, &total, &resources(10_000, 0), &resources(0, 0)), Some(now), "it is full already");
    }
}
