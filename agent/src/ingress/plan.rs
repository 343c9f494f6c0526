//! Which route files to write, confirm and remove. Pure.
//!
//! Invariants: a revision is written first only when all its instances are healthy; the file in place stays until then; no file ever
//! points at an address that now belongs to another container; files are removed one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use slipway_model::{ApplicationId, InstanceId, Timestamp};
use slipway_protocol::DesiredRoute;

use super::RouteFile;

#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub desired: &'a [DesiredRoute],
    pub files: &'a [RouteFile],
    /// Of every running container of this node.
    pub addresses: &'a BTreeMap<InstanceId, IpAddr>,
    pub healthy: &'a BTreeSet<InstanceId>,
    /// Revisions that were seen in force.
    pub confirmed: &'a BTreeMap<ApplicationId, String>,
    /// Revisions being confirmed.
    pub confirming: &'a BTreeMap<ApplicationId, String>,
    /// Revisions that the ingress did not take, and when to try again.
    pub rejected: &'a BTreeMap<ApplicationId, Rejected>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub revision: String,
    pub problem: String,
    pub retry_at: Timestamp,
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Write { file: RouteFile, content: String },
    Confirm(RouteFile),
    Remove(RouteFile),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Why a wanted revision is not written yet.
    pub problems: BTreeMap<ApplicationId, String>,
}

#[must_use]
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut gone: Vec<&RouteFile> = Vec::new();
    for file in situation.files {
        let route = situation.desired.iter().find(|route| route.application == file.application && route.file == file.file);
        // A file under a former name goes once the new one is in force.
        let replaced = || {
            let wanted = situation.desired.iter().find(|route| route.application == file.application);
            wanted.is_none_or(|route| situation.confirmed.get(&route.application) == Some(&route.revision))
        };
        if route.is_none() && replaced() {
            gone.push(file);
        }
    }
    for route in situation.desired {
        let file = situation.files.iter().find(|file| file.application == route.application && file.file == route.file);
        each(situation, route, file, &mut plan);
    }
    let dangerous = situation.files.iter().filter(|file| points_at_a_stranger(situation, file));
    let rewritten =
        |file: &RouteFile| plan.actions.iter().any(|action| matches!(action, Action::Write { file: new, .. } if new.file == file.file));
    if let Some(file) = dangerous.filter(|file| !rewritten(file)).chain(gone).next() {
        plan.actions.push(Action::Remove(file.clone()));
    }
    plan
}

fn each(situation: &Situation<'_>, route: &DesiredRoute, file: Option<&RouteFile>, plan: &mut Plan) {
    let application = route.application;
    let addresses: BTreeMap<InstanceId, IpAddr> =
        route.instances.iter().filter_map(|instance| Some((*instance, *situation.addresses.get(instance)?))).collect();
    let complete = route.instances.iter().all(|instance| addresses.contains_key(instance));
    let current = file.filter(|file| file.revision == route.revision);
    if let Some(file) = current
        && (!complete || file.addresses == addresses)
    {
        // In place. An instance that is down now gets its address back, or a new one, with its restart.
        let known = situation.confirmed.get(&application) == Some(&route.revision);
        let asked = situation.confirming.get(&application) == Some(&route.revision);
        if !known && !asked {
            plan.actions.push(Action::Confirm(file.clone()));
        }
        if !known {
            plan.problems.insert(application, "written; not seen in force yet".to_owned());
        }
        return;
    }
    if let Some(rejected) = situation.rejected.get(&application)
        && rejected.revision == route.revision
        && rejected.retry_at > situation.now
    {
        plan.problems.insert(application, rejected.problem.clone());
        return;
    }
    let unready = route.instances.iter().find(|instance| !situation.healthy.contains(instance));
    let ready = complete && (current.is_some() || unready.is_none());
    if !ready {
        let missing = route.instances.iter().find(|instance| !addresses.contains_key(instance)).or(unready);
        let problem = missing.map_or_else(|| "not written yet".to_owned(), |instance| format!("waits for {instance} to be healthy"));
        plan.problems.insert(application, problem);
        return;
    }
    let file =
        RouteFile { application, revision: route.revision.clone(), file: route.file.clone(), hostname: route.hostname.clone(), addresses };
    plan.problems.insert(application, "being written".to_owned());
    plan.actions.push(Action::Write { file, content: route.content.clone() });
}

/// Whether a visitor of this file's application could meet another's container.
fn points_at_a_stranger(situation: &Situation<'_>, file: &RouteFile) -> bool {
    file.addresses.iter().any(|(instance, address)| situation.addresses.iter().any(|(holder, held)| held == address && holder != instance))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipway_model::system_clock;

    use super::*;

    fn id(number: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(number)
    }

    fn route(application: u128, revision: &str, instances: &[u128]) -> DesiredRoute {
        DesiredRoute {
            application: id(application).into(),
            revision: revision.into(),
            file: format!("app-{application}.toml"),
            content: String::new(),
            hostname: "a.example.com".parse().unwrap(),
            instances: instances.iter().map(|instance| id(*instance).into()).collect(),
        }
    }

    fn file(application: u128, revision: &str, addresses: &[(u128, u8)]) -> RouteFile {
        let route = route(application, revision, &[]);
        RouteFile {
            application: route.application,
            revision: route.revision,
            file: route.file,
            hostname: route.hostname,
            addresses: addresses.iter().map(|(instance, last)| (id(*instance).into(), IpAddr::from([10, 0, 0, *last]))).collect(),
        }
    }

    #[derive(Default)]
    struct World {
        desired: Vec<DesiredRoute>,
        files: Vec<RouteFile>,
        addresses: BTreeMap<InstanceId, IpAddr>,
        healthy: BTreeSet<InstanceId>,
        confirmed: BTreeMap<ApplicationId, String>,
    }

    impl World {
        fn plan(&self) -> Plan {
            let nothing = BTreeMap::new();
            plan(&Situation {
                desired: &self.desired,
                files: &self.files,
                addresses: &self.addresses,
                healthy: &self.healthy,
                confirmed: &self.confirmed,
                confirming: &BTreeMap::new(),
                rejected: &nothing,
                now: system_clock().now(),
            })
        }

        fn runs(&mut self, instance: u128, last: u8, healthy: bool) {
            self.addresses.insert(id(instance).into(), IpAddr::from([10, 0, 0, last]));
            if healthy {
                self.healthy.insert(id(instance).into());
            }
        }
    }

    #[test]
    fn a_new_revision_waits_until_all_its_instances_are_healthy() {
        let mut world = World { desired: vec![route(1, "r2", &[11, 12])], files: vec![file(1, "r1", &[(10, 2)])], ..World::default() };
        world.runs(10, 2, true);
        world.runs(11, 3, true);
        world.runs(12, 4, false);
        let waiting = world.plan();
        assert_eq!(waiting.actions, []);
        assert!(waiting.problems.values().next().unwrap().contains("healthy"));
        world.runs(12, 4, true);
        assert_eq!(world.plan().actions, [Action::Write { file: file(1, "r2", &[(11, 3), (12, 4)]), content: String::new() }]);
    }

    #[test]
    fn an_instance_that_moved_is_followed_without_waiting_for_health() {
        let mut world = World { desired: vec![route(1, "r1", &[10])], files: vec![file(1, "r1", &[(10, 2)])], ..World::default() };
        world.runs(10, 9, false);
        assert_eq!(world.plan().actions, [Action::Write { file: file(1, "r1", &[(10, 9)]), content: String::new() }]);
    }

    #[test]
    fn a_file_whose_address_went_to_another_is_removed_at_once() {
        let mut world = World { desired: vec![route(1, "r1", &[10])], files: vec![file(1, "r1", &[(10, 2)])], ..World::default() };
        world.runs(77, 2, true);
        assert!(world.plan().actions.contains(&Action::Remove(file(1, "r1", &[(10, 2)]))));
    }

    #[test]
    fn unwanted_files_go_one_at_a_time() {
        let world = World { files: vec![file(1, "r1", &[(10, 2)]), file(2, "r1", &[(20, 3)])], ..World::default() };
        assert_eq!(world.plan().actions.len(), 1);
    }

    proptest! {
        /// Whatever the situation, what is written is complete, healthy if new, and the plan ends.
        #[test]
        fn carrying_out_the_plan_ends_with_every_route_that_can_be_in_force(
            routes in proptest::collection::vec((1_u128..5, 0_u8..3, proptest::collection::vec(0_u128..4, 1..3)), 0..5),
            before in proptest::collection::vec((1_u128..6, 0_u8..3, 0_u128..4, 1_u8..9), 0..5),
            running in proptest::collection::vec((1_u128..6, 0_u128..4, any::<bool>()), 0..12),
        ) {
            let mut world = World::default();
            for (application, revision, instances) in routes {
                if world.desired.iter().all(|route| route.application != ApplicationId::from(id(application))) {
                    let instances: Vec<u128> = instances.iter().map(|instance| application * 100 + instance).collect();
                    world.desired.push(route(application, &format!("r{revision}"), &instances));
                }
            }
            for (application, revision, instance, last) in before {
                let file = file(application, &format!("r{revision}"), &[(application * 100 + instance, last)]);
                if world.files.iter().all(|other| other.file != file.file) {
                    world.files.push(file);
                }
            }
            for (last, (application, instance, healthy)) in running.into_iter().enumerate() {
                world.runs(application * 100 + instance, u8::try_from(last).unwrap() + 1, healthy);
            }
            for round in 0.. {
                prop_assert!(round < 20, "the plan does not end");
                let actions = world.plan().actions;
                if actions.is_empty() {
                    break;
                }
                for action in actions {
                    match action {
                        Action::Write { file, .. } => {
                            let same = world.files.iter().any(|old| old.file == file.file && old.revision == file.revision);
                            for (instance, address) in &file.addresses {
                                prop_assert_eq!(world.addresses.get(instance), Some(address));
                                prop_assert!(same || world.healthy.contains(instance));
                            }
                            world.confirmed.remove(&file.application);
                            world.files.retain(|old| old.file != file.file);
                            world.files.push(file);
                        }
                        Action::Confirm(file) => {
                            world.confirmed.insert(file.application, file.revision);
                        }
                        Action::Remove(file) => world.files.retain(|old| old.file != file.file),
                    }
                }
            }
            for route in &world.desired {
                if route.instances.iter().all(|instance| world.healthy.contains(instance)) {
                    prop_assert_eq!(world.confirmed.get(&route.application), Some(&route.revision));
                }
            }
            for file in &world.files {
                prop_assert!(world.desired.iter().any(|route| route.file == file.file));
                for (instance, address) in &file.addresses {
                    prop_assert!(!world.addresses.iter().any(|(holder, held)| held == address && holder != instance));
                }
            }
        }
    }
}
