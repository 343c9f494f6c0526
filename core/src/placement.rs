//! Where an application goes: a function of what is known of the nodes, and nothing else.
//!
//! All instances of an application are placed on one node, because an image lives on the node that built it.

use slipway_model::{NodeId, RegionId, Resources, state::NodeStatus};
use slipway_store::nodes::Node;

/// Percentage of its capacity from which a node is avoided (R4.4).
pub const FULL_PERCENT: f64 = 90.0;

/// One node, as placement sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub id: NodeId,
    pub name: String,
    pub region: RegionId,
    pub status: NodeStatus,
    pub cordoned: bool,
    pub docker_healthy: bool,
    /// Why no visitor can come in there.
    pub ingress_problem: Option<String>,
    pub capacity: Resources,
    /// Promised to instances that should run there, without those that this demand replaces.
    pub allocated: Resources,
    pub cpu_percent: f64,
    pub memory_used_bytes: i64,
    pub storage_used_bytes: i64,
    /// Whether the application runs there now.
    pub is_home: bool,
}

/// What has to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub region: RegionId,
    /// Of one instance.
    pub resources: Resources,
    pub instances: u32,
    /// Whether visitors have to come in.
    pub has_visitors: bool,
}

/// A constraint that a node does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    Pending,
    Offline,
    Revoked,
    Cordoned,
    DockerUnhealthy,
    /// No visitor can come in there, for this reason.
    NoIngress(String),
    /// At [`FULL_PERCENT`] of what it really uses.
    MemoryFull,
    StorageFull,
    Cpu {
        needed_millis: i64,
        free_millis: i64,
    },
    Memory {
        needed_bytes: i64,
        free_bytes: i64,
    },
    Storage {
        needed_bytes: i64,
        free_bytes: i64,
    },
}

/// Why no node will do: of every node of the region, the first constraint that it does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    pub nodes: Vec<(String, Constraint)>,
}

/// The least utilised suitable node; where the application runs now, if that still suits, so that its visitors keep their
/// address. Processor time that is all in use only puts a node behind others: it comes and goes, as with every build.
///
/// # Errors
/// With the reason of each node of the region, when none is suitable.
pub fn place(candidates: &[Candidate], demand: &Demand) -> Result<NodeId, Refusal> {
    let in_region = candidates.iter().filter(|node| node.region == demand.region);
    ranked(candidates, demand)
        .first()
        .copied()
        .ok_or_else(|| Refusal { nodes: in_region.filter_map(|node| Some((node.name.clone(), unmet(node, demand)?))).collect() })
}

/// The suitable nodes, that which is chosen first.
#[must_use]
pub fn ranked(candidates: &[Candidate], demand: &Demand) -> Vec<NodeId> {
    let suitable = |node: &&Candidate| node.region == demand.region && unmet(node, demand).is_none();
    let mut nodes: Vec<&Candidate> = candidates.iter().filter(suitable).collect();
    nodes.sort_by(|a, b| rank(a, demand).partial_cmp(&rank(b, demand)).unwrap_or(std::cmp::Ordering::Equal));
    nodes.into_iter().map(|node| node.id).collect()
}

impl Candidate {
    /// A node on which so much is promised.
    #[must_use]
    pub fn of(node: &Node, allocated: Resources) -> Self {
        Self {
            id: node.id,
            name: node.name.clone(),
            region: node.region_id,
            status: node.status,
            cordoned: node.cordoned,
            docker_healthy: node.docker_healthy,
            ingress_problem: node.ingress_problem.clone(),
            capacity: node.resources(),
            allocated,
            cpu_percent: node.cpu_percent,
            memory_used_bytes: node.memory_used_bytes,
            storage_used_bytes: node.storage_used_bytes,
            is_home: false,
        }
    }

    /// Whether it takes anything at all, however small.
    #[must_use]
    pub fn takes_applications(&self) -> bool {
        unmet(self, &Demand { region: self.region, resources: Resources::default(), instances: 0, has_visitors: true }).is_none()
    }
}

/// Lower is better. The id last, so that equal nodes are always tried in the same order.
fn rank(node: &Candidate, demand: &Demand) -> (bool, bool, f64, NodeId) {
    let share = |allocated: i64, needed: i64, capacity: i64| (allocated + needed) as f64 / capacity.max(1) as f64;
    let need = needed(demand);
    let utilisation = share(node.allocated.cpu_millis, need.cpu_millis, node.capacity.cpu_millis)
        .max(share(node.allocated.memory_bytes, need.memory_bytes, node.capacity.memory_bytes))
        .max(share(node.allocated.storage_bytes, need.storage_bytes, node.capacity.storage_bytes));
    (!node.is_home, node.cpu_percent >= FULL_PERCENT, utilisation, node.id)
}

fn needed(demand: &Demand) -> Resources {
    let times = |each: i64| each.saturating_mul(i64::from(demand.instances));
    Resources {
        cpu_millis: times(demand.resources.cpu_millis),
        memory_bytes: times(demand.resources.memory_bytes),
        storage_bytes: times(demand.resources.storage_bytes),
    }
}

fn unmet(node: &Candidate, demand: &Demand) -> Option<Constraint> {
    match node.status {
        NodeStatus::Pending => return Some(Constraint::Pending),
        NodeStatus::Offline => return Some(Constraint::Offline),
        NodeStatus::Revoked => return Some(Constraint::Revoked),
        NodeStatus::Online | NodeStatus::Degraded => {}
    }
    if node.cordoned {
        return Some(Constraint::Cordoned);
    }
    if !node.docker_healthy {
        return Some(Constraint::DockerUnhealthy);
    }
    if demand.has_visitors
        && let Some(problem) = &node.ingress_problem
    {
        return Some(Constraint::NoIngress(problem.clone()));
    }
    if is_full(node.memory_used_bytes, node.capacity.memory_bytes) {
        return Some(Constraint::MemoryFull);
    }
    if is_full(node.storage_used_bytes, node.capacity.storage_bytes) {
        return Some(Constraint::StorageFull);
    }
    let need = needed(demand);
    let free_millis = node.capacity.cpu_millis - node.allocated.cpu_millis;
    if need.cpu_millis > free_millis {
        return Some(Constraint::Cpu { needed_millis: need.cpu_millis, free_millis });
    }
    let free_bytes = node.capacity.memory_bytes - node.allocated.memory_bytes;
    if need.memory_bytes > free_bytes {
        return Some(Constraint::Memory { needed_bytes: need.memory_bytes, free_bytes });
    }
    let free_bytes = node.capacity.storage_bytes - node.allocated.storage_bytes;
    if need.storage_bytes > free_bytes {
        return Some(Constraint::Storage { needed_bytes: need.storage_bytes, free_bytes });
    }
    None
}

/// Whether `used` is at [`FULL_PERCENT`] of `capacity`. A capacity that was never told is not full.
#[must_use]
pub fn is_full(used: i64, capacity: i64) -> bool {
    capacity > 0 && used as f64 * 100.0 >= capacity as f64 * FULL_PERCENT
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.nodes.is_empty() {
            return f.write_str("No node has been added to this region.");
        }
        let is_room = |(_, constraint): &(String, Constraint)| !matches!(constraint, Constraint::NoIngress(_));
        f.write_str(if self.nodes.iter().any(is_room) { "No node of this region has room:" } else { "No node of this region will do:" })?;
        for (index, (name, constraint)) in self.nodes.iter().enumerate() {
            let separator = if index == 0 { " " } else { "; " };
            write!(f, "{separator}{name} {constraint}")?;
        }
        f.write_str(".")
    }
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MIB: i64 = 1 << 20;
        match self {
            Self::Pending => f.write_str("has never connected"),
            Self::Offline => f.write_str("is offline"),
            Self::Revoked => f.write_str("has had its identity revoked"),
            Self::Cordoned => f.write_str("takes no new deployments"),
            Self::DockerUnhealthy => f.write_str("has a Docker engine that does not answer"),
            Self::NoIngress(problem) => write!(f, "cannot let visitors in ({problem})"),
            Self::MemoryFull => write!(f, "uses {FULL_PERCENT} % of its memory or more"),
            Self::StorageFull => write!(f, "uses {FULL_PERCENT} % of its storage or more"),
            Self::Cpu { needed_millis, free_millis } => write!(f, "has {free_millis} CPU millicores free of the {needed_millis} needed"),
            Self::Memory { needed_bytes, free_bytes } => {
                write!(f, "has {} MiB of memory free of the {} MiB needed", free_bytes / MIB, needed_bytes / MIB)
            }
            Self::Storage { needed_bytes, free_bytes } => {
                write!(f, "has {} MiB of storage free of the {} MiB needed", free_bytes / MIB, needed_bytes / MIB)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MIB: i64 = 1 << 20;

    fn region() -> RegionId {
        RegionId::from_uuid(Uuid::from_u128(1))
    }

    fn node(number: u128) -> Candidate {
        Candidate {
            id: NodeId::from_uuid(Uuid::from_u128(number)),
            name: format!("node-{number}"),
            region: region(),
            status: NodeStatus::Online,
            cordoned: false,
            docker_healthy: true,
            ingress_problem: None,
            capacity: Resources { cpu_millis: 2000, memory_bytes: 4096 * MIB, storage_bytes: 10_000 * MIB },
            allocated: Resources::default(),
            cpu_percent: 10.0,
            memory_used_bytes: 0,
            storage_used_bytes: 0,
            is_home: false,
        }
    }

    fn demand() -> Demand {
        Demand {
            region: region(),
            resources: Resources { cpu_millis: 500, memory_bytes: 512 * MIB, storage_bytes: 1000 * MIB },
            instances: 2,
            has_visitors: true,
        }
    }

    fn chosen(nodes: &[Candidate]) -> u128 {
        place(nodes, &demand()).unwrap().uuid().as_u128()
    }

    #[test]
    fn where_no_visitor_can_come_in_goes_only_what_has_none() {
        let mut closed = node(1);
        closed.ingress_problem = Some("it has no nginx".into());
        let mut busy = node(2);
        busy.allocated.memory_bytes = 2048 * MIB;
        assert_eq!(chosen(&[closed.clone(), busy]), 2);
        let refusal = place(std::slice::from_ref(&closed), &demand()).unwrap_err();
        assert_eq!(refusal.to_string(), "No node of this region will do: node-1 cannot let visitors in (it has no nginx).");
        assert!(place(&[closed], &Demand { has_visitors: false, ..demand() }).is_ok());
    }

    #[test]
    fn the_least_utilised_node_is_taken() {
        let mut busy = node(1);
        busy.allocated.memory_bytes = 2048 * MIB;
        assert_eq!(chosen(&[busy, node(2)]), 2);
    }

    #[test]
    fn an_application_stays_where_it_is_while_that_suits() {
        let mut home = node(2);
        home.is_home = true;
        home.allocated.memory_bytes = 2048 * MIB;
        assert_eq!(chosen(&[node(1), home.clone()]), 2);
        home.cordoned = true;
        assert_eq!(chosen(&[node(1), home]), 1);
    }

    #[test]
    fn a_node_with_a_busy_processor_is_taken_last_but_taken() {
        let mut busy = node(1);
        busy.cpu_percent = 100.0;
        let mut fuller = node(2);
        fuller.allocated.memory_bytes = 3000 * MIB;
        assert_eq!(chosen(&[busy.clone(), fuller]), 2);
        assert_eq!(chosen(&[busy]), 1);
    }

    #[test]
    fn a_node_of_another_region_is_not_even_mentioned() {
        let mut foreign = node(1);
        foreign.region = RegionId::from_uuid(Uuid::from_u128(9));
        let refusal = place(&[foreign], &demand()).unwrap_err();
        assert_eq!(refusal.to_string(), "No node has been added to this region.");
    }

    #[test]
    fn a_refusal_names_the_constraint_of_each_node() {
        let changed = |number, change: fn(&mut Candidate)| {
            let mut node = node(number);
            change(&mut node);
            node
        };
        let nodes = [
            changed(1, |n| n.status = NodeStatus::Offline),
            changed(2, |n| n.cordoned = true),
            changed(3, |n| n.docker_healthy = false),
            changed(4, |n| n.memory_used_bytes = n.capacity.memory_bytes),
            changed(5, |n| n.allocated.cpu_millis = 1100),
            changed(6, |n| n.allocated.memory_bytes = 3584 * MIB),
            changed(7, |n| n.allocated.storage_bytes = 9000 * MIB),
            changed(8, |n| n.status = NodeStatus::Pending),
            changed(9, |n| n.storage_used_bytes = n.capacity.storage_bytes),
        ];
        assert_eq!(
            place(&nodes, &demand()).unwrap_err().to_string(),
            "No node of this region has room: node-1 is offline; node-2 takes no new deployments; node-3 has a Docker engine that does \
             not answer; node-4 uses 90 % of its memory or more; node-5 has 900 CPU millicores free of the 1000 needed; node-6 has 512 \
             MiB of memory free of the 1024 MiB needed; node-7 has 1000 MiB of storage free of the 2000 MiB needed; node-8 has never \
             connected; node-9 uses 90 % of its storage or more."
        );
    }

    #[test]
    fn what_fits_exactly_fits() {
        let mut exact = node(1);
        exact.allocated.cpu_millis = 1000;
        exact.allocated.memory_bytes = 3072 * MIB;
        assert_eq!(chosen(&[exact]), 1);
    }
}
