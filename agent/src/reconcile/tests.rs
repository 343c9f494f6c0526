//! The plan, carried out on a pretend machine by a pretend hand: whatever happens, it keeps its invariants and comes to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use proptest::prelude::*;
use slipway_model::state::InstanceStatus;
use slipway_model::{HealthCheck, InstanceId, Resources, TaskId, Timestamp};
use slipway_protocol::{DesiredInstance, DesiredState};

use super::memory::{MAX_RESTARTS, Memory};
use super::plan::{Action, Plan, Situation, plan};
use super::report;
use crate::engine::{Container, ContainerSpec, ContainerState, Owner, StartFailure};

fn id(number: u128) -> InstanceId {
    uuid::Uuid::from_u128(number).into()
}

fn instance(number: u128, port: Option<u16>) -> DesiredInstance {
    let uuid = uuid::Uuid::from_u128(7);
    DesiredInstance {
        id: id(number),
        application: uuid.into(),
        organization: uuid.into(),
        deployment: uuid.into(),
        release: uuid.into(),
        process: "web".into(),
        image: "slipway/app:1".into(),
        command: None,
        env: BTreeMap::new(),
        port,
        resources: Resources { cpu_millis: 100, memory_bytes: 64 << 20, storage_bytes: 0 },
        health: HealthCheck { grace_seconds: 20, interval_seconds: 10, ..HealthCheck::default() },
        stop_grace_seconds: 5,
        drain_seconds: 2,
        restart: slipway_model::state::RestartPolicy::Always,
    }
}

/// A machine on which every action succeeds at once, unless the container's lot is another.
struct Machine {
    desired: DesiredState,
    containers: BTreeMap<Owner, Container>,
    memory: Memory,
    routed: BTreeSet<InstanceId>,
    now: Timestamp,
    /// Instances whose processes never answer.
    silent: BTreeSet<InstanceId>,
    /// Instances whose processes end at once.
    failing: BTreeSet<InstanceId>,
    starts: BTreeMap<InstanceId, Vec<Timestamp>>,
    /// As reported after each round.
    seen: Vec<Vec<(InstanceId, InstanceStatus)>>,
}

impl Machine {
    fn new() -> Self {
        Self {
            desired: DesiredState::default(),
            containers: BTreeMap::new(),
            memory: Memory::default(),
            routed: BTreeSet::new(),
            now: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            silent: BTreeSet::new(),
            failing: BTreeSet::new(),
            starts: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    fn plan(&mut self) -> Plan {
        let containers: Vec<Container> = self.containers.values().cloned().collect();
        self.memory.see(&self.desired, &containers, self.now);
        let tasks = BTreeSet::<TaskId>::new();
        plan(&Situation {
            desired: &self.desired,
            containers: &containers,
            memory: &self.memory,
            routed: &self.routed,
            tasks: &tasks,
            busy: &BTreeSet::new(),
            now: self.now,
        })
    }

    fn wants(&self, id: InstanceId) -> bool {
        self.desired.instances.iter().any(|instance| instance.id == id)
    }

    /// One round; checks the invariants of every action. `true` if something was done.
    fn round(&mut self) -> bool {
        let actions = self.plan().actions;
        let any = !actions.is_empty();
        let mut owners = BTreeSet::new();
        for action in actions {
            let owner = match &action {
                Action::Create(id) | Action::Start(id) | Action::Restart(id) | Action::BeginDrain(id) => Owner::Instance(*id),
                Action::Probe { instance, .. } | Action::End { instance, .. } => Owner::Instance(*instance),
                Action::Stop { owner, .. } | Action::Remove(owner) => *owner,
            };
            assert!(owners.insert(owner), "{owner:?} was given two actions at once");
            self.apply(action);
        }
        let containers: Vec<Container> = self.containers.values().cloned().collect();
        self.memory.see(&self.desired, &containers, self.now);
        let seen = report::instances(&self.desired, &containers, &self.memory);
        self.seen.push(seen.into_iter().map(|instance| (instance.id, instance.status)).collect());
        any
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Create(id) => {
                let wanted = self.desired.instances.iter().find(|instance| instance.id == id).expect("only desired ones are made");
                let spec = ContainerSpec::of_instance(wanted);
                let container = Container {
                    id: format!("c-{id}"),
                    owner: Owner::Instance(id),
                    organization: Some(wanted.organization),
                    spec_hash: spec.hash(),
                    stop_grace_seconds: wanted.stop_grace_seconds,
                    drain_seconds: wanted.drain_seconds,
                    port: wanted.port,
                    state: ContainerState::Created { failure: None },
                    address: None,
                    note: None,
                };
                assert!(self.containers.insert(Owner::Instance(id), container).is_none(), "a second container for {id}");
            }
            Action::Start(id) | Action::Restart(id) => {
                assert!(self.wants(id));
                self.starts.entry(id).or_default().push(self.now);
                let failing = self.failing.contains(&id);
                let number = u8::try_from(self.starts.values().map(Vec::len).sum::<usize>() % 250).unwrap();
                let container = self.containers.get_mut(&Owner::Instance(id)).expect("only what exists is started");
                assert!(!container.is_running());
                container.state = ContainerState::Running { started_at: Some(self.now) };
                container.address = Some(IpAddr::from([10, 0, 0, number]));
                if failing {
                    self.crash(id);
                }
            }
            Action::Probe { instance, since, .. } => {
                let answer = if self.silent.contains(&instance) { Err("port closed".to_owned()) } else { Ok(()) };
                self.memory.probed(instance, since, answer, self.now);
            }
            Action::End { instance, ended } => {
                self.memory.instances.get_mut(&instance).expect("only what is known is given up").ended = Some(ended);
            }
            Action::BeginDrain(id) => {
                assert!(!self.wants(id) && !self.routed.contains(&id));
                self.memory.instances.get_mut(&id).expect("it was seen").draining_since = Some(self.now);
            }
            Action::Stop { owner, .. } => {
                if let Owner::Instance(id) = owner {
                    let ended = self.memory.instances.get(&id).is_some_and(|memory| memory.ended.is_some());
                    let wanted = self.desired.instances.iter().find(|instance| instance.id == id);
                    let stale = wanted.is_some_and(|wanted| ContainerSpec::of_instance(wanted).hash() != self.containers[&owner].spec_hash);
                    assert!(ended || stale || (!self.wants(id) && !self.routed.contains(&id)), "{id} was stopped while it is needed");
                    if !self.wants(id) && self.containers[&owner].port.is_some() {
                        let drained = self.memory.instances[&id].draining_since.expect("drained before it is stopped");
                        assert!(self.now - drained >= TimeDelta::seconds(2));
                    }
                }
                self.exit(owner, 143);
            }
            Action::Remove(owner) => {
                let removed = self.containers.remove(&owner).expect("only what exists is removed");
                assert!(!removed.is_running(), "{owner:?} was removed while it ran");
                if let Owner::Instance(id) = owner {
                    // What comes under this name again is another life.
                    self.starts.remove(&id);
                }
            }
        }
    }

    fn exit(&mut self, owner: Owner, exit_code: i64) {
        let now = self.now;
        if let Some(container) = self.containers.get_mut(&owner)
            && let ContainerState::Running { started_at } = container.state
        {
            container.address = None;
            container.state = ContainerState::Exited { exit_code, oom_killed: false, started_at, finished_at: Some(now) };
        }
    }

    fn crash(&mut self, id: InstanceId) {
        self.exit(Owner::Instance(id), 1);
    }

    fn later(&mut self, time: TimeDelta) {
        self.now += time;
    }

    /// Rounds, with time passing between them.
    fn run(&mut self, seconds: i64) {
        for _ in 0..seconds * 4 {
            self.round();
            self.later(TimeDelta::milliseconds(250));
        }
    }

    fn status(&mut self, id: InstanceId) -> Option<InstanceStatus> {
        self.round();
        self.seen.last()?.iter().find(|(other, _)| *other == id).map(|(_, status)| *status)
    }

    fn reason(&self, id: InstanceId) -> String {
        self.memory.instances[&id].ended.as_ref().map(|ended| ended.reason.clone()).unwrap_or_default()
    }
}

#[test]
fn an_instance_is_made_started_probed_and_reported_healthy() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.run(1);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy));
    assert_eq!(machine.starts[&id(1)].len(), 1);
}

#[test]
fn a_process_that_serves_nothing_is_healthy_once_it_has_run_for_a_while() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, None));
    machine.run(1);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Starting));
    machine.run(3);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy));
}

#[test]
fn an_instance_that_ends_before_it_is_ready_is_given_up_at_once() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.failing.insert(id(1));
    machine.run(30);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Exited));
    assert_eq!(machine.starts[&id(1)].len(), 1);
    assert_eq!(machine.reason(id(1)), "exited with code 1 before it was ready");
}

#[test]
fn an_instance_that_never_answers_is_given_up_after_its_grace_and_stopped() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.silent.insert(id(1));
    machine.run(19);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Starting));
    machine.run(3);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Exited));
    assert_eq!(machine.reason(id(1)), "was not ready within 20 s: port closed");
    assert!(!machine.containers[&Owner::Instance(id(1))].is_running());
}

#[test]
fn an_instance_that_stops_answering_is_unhealthy_and_recovers() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.run(2);
    machine.silent.insert(id(1));
    machine.run(25);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy), "two failures are forgiven");
    machine.run(10);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Unhealthy));
    machine.silent.clear();
    machine.run(11);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy));
}

#[test]
fn a_crashing_instance_is_restarted_three_times_in_five_minutes_and_then_given_up() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    for _ in 0..10 {
        machine.run(15);
        machine.crash(id(1));
    }
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Exited));
    assert_eq!(machine.starts[&id(1)].len(), 1 + MAX_RESTARTS);
}

#[test]
fn an_instance_is_restarted_as_its_policy_says() {
    use slipway_model::state::RestartPolicy;
    // The policy, the code that it ends with, and whether it is started again.
    for (policy, exit_code, again) in [
        (RestartPolicy::Always, 0, true),
        (RestartPolicy::Always, 1, true),
        (RestartPolicy::OnFailure, 0, false),
        (RestartPolicy::OnFailure, 1, true),
        (RestartPolicy::Never, 0, false),
        (RestartPolicy::Never, 1, false),
    ] {
        let mut machine = Machine::new();
        machine.desired.instances = vec![DesiredInstance { restart: policy, ..instance(1, None) }];
        machine.run(10);
        machine.exit(Owner::Instance(id(1)), exit_code);
        machine.run(30);
        assert_eq!(machine.starts[&id(1)].len(), if again { 2 } else { 1 }, "{policy} {exit_code}");
        assert_eq!(machine.memory.instances[&id(1)].ended.is_some(), !again, "{policy} {exit_code}");
    }
}

#[test]
fn an_instance_that_crashes_seldom_is_restarted_for_ever() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    for _ in 0..12 {
        machine.run(120);
        machine.crash(id(1));
    }
    machine.run(10);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy));
    assert_eq!(machine.starts[&id(1)].len(), 13);
}

#[test]
fn what_was_given_up_stays_so_after_the_agent_restarts() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.failing.insert(id(1));
    machine.run(5);
    machine.failing.clear();
    let kept = serde_json::to_string(&machine.memory.durable()).unwrap();
    machine.memory = serde_json::from_str(&kept).unwrap();
    machine.run(30);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Exited));
    assert_eq!(machine.starts[&id(1)].len(), 1);
}

#[test]
fn after_a_reboot_every_instance_is_started_again() {
    let mut machine = Machine::new();
    machine.desired.instances.extend([instance(1, Some(3000)), instance(2, Some(3000))]);
    machine.run(2);
    for number in [1, 2] {
        machine.crash(id(number));
    }
    machine.memory = serde_json::from_str(&serde_json::to_string(&machine.memory.durable()).unwrap()).unwrap();
    machine.run(3);
    for number in [1, 2] {
        assert_eq!(machine.status(id(number)), Some(InstanceStatus::Healthy));
    }
}

#[test]
fn an_instance_that_a_route_names_is_not_drained_until_the_route_has_left_it() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.run(2);
    machine.routed.insert(id(1));
    machine.desired.instances.clear();
    machine.run(60);
    assert!(machine.containers[&Owner::Instance(id(1))].is_running());
    machine.routed.clear();
    machine.run(1);
    assert!(machine.containers[&Owner::Instance(id(1))].is_running(), "it drains");
    machine.run(3);
    assert!(machine.containers.is_empty());
    assert!(machine.memory.instances.is_empty());
}

#[test]
fn a_command_that_cannot_be_run_is_not_tried_again() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.round();
    let failure = StartFailure { message: "exec: \"nope\": not found".into(), exit_code: 127 };
    machine.containers.get_mut(&Owner::Instance(id(1))).unwrap().state = ContainerState::Created { failure: Some(failure) };
    machine.run(10);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Exited));
    assert!(machine.starts.is_empty());
}

#[test]
fn what_cannot_be_made_is_tried_a_few_times_and_silence_of_the_engine_does_not_count() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.plan();
    let now = machine.now;
    machine.memory.instances.get_mut(&id(1)).unwrap().failed("no answer".into(), true, now);
    for attempt in 1..=5 {
        assert!(!machine.plan().actions.iter().any(|action| matches!(action, Action::End { .. })), "{attempt}");
        let now = machine.now;
        machine.memory.instances.get_mut(&id(1)).unwrap().failed("no space".into(), false, now);
        assert_eq!(machine.plan().wake_at.is_some(), attempt < 5, "the next attempt waits");
        machine.later(TimeDelta::seconds(40));
    }
    assert!(matches!(&machine.plan().actions[..], [Action::End { ended, .. }] if ended.reason == "no space"));
}

#[test]
fn a_container_of_another_shape_is_replaced() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.run(2);
    machine.containers.get_mut(&Owner::Instance(id(1))).unwrap().spec_hash = "old".into();
    machine.run(3);
    assert_eq!(machine.status(id(1)), Some(InstanceStatus::Healthy));
    assert_ne!(machine.containers[&Owner::Instance(id(1))].spec_hash, "old");
}

#[test]
fn containers_of_tasks_that_are_over_are_removed() {
    let mut machine = Machine::new();
    machine.desired.instances.push(instance(1, Some(3000)));
    machine.run(1);
    let mut container = machine.containers[&Owner::Instance(id(1))].clone();
    let task = Owner::Task(uuid::Uuid::from_u128(9).into());
    (container.owner, container.state) = (task, ContainerState::Created { failure: None });
    machine.containers.insert(task, container);
    machine.run(1);
    assert!(!machine.containers.contains_key(&task));
}

#[derive(Debug, Clone)]
enum Happening {
    Want(u128, bool),
    Unwant(u128),
    Route(u128),
    Unroute(u128),
    Crash(u128),
    Silence(u128),
    Speak(u128),
    Fail(u128),
    RestartAgent,
    Wait(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let number = 1_u128..6;
    prop_oneof![
        3 => (number.clone(), any::<bool>()).prop_map(|(number, serves)| Happening::Want(number, serves)),
        2 => number.clone().prop_map(Happening::Unwant),
        2 => number.clone().prop_map(Happening::Route),
        2 => number.clone().prop_map(Happening::Unroute),
        2 => number.clone().prop_map(Happening::Crash),
        1 => number.clone().prop_map(Happening::Silence),
        1 => number.clone().prop_map(Happening::Speak),
        1 => number.prop_map(Happening::Fail),
        1 => Just(Happening::RestartAgent),
        4 => (1_i64..400).prop_map(Happening::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// `Machine::apply` checks each action; this checks where they lead.
    #[test]
    fn whatever_happens_the_machine_comes_to_be_what_is_desired(happenings in proptest::collection::vec(happening(), 1..40)) {
        let mut machine = Machine::new();
        for happening in happenings {
            match happening {
                Happening::Want(number, serves) => {
                    if !machine.wants(id(number)) {
                        machine.desired.instances.push(instance(number, serves.then_some(3000)));
                    }
                }
                Happening::Unwant(number) => machine.desired.instances.retain(|instance| instance.id != id(number)),
                Happening::Route(number) => { machine.routed.insert(id(number)); }
                Happening::Unroute(number) => { machine.routed.remove(&id(number)); }
                Happening::Crash(number) => machine.crash(id(number)),
                Happening::Silence(number) => { machine.silent.insert(id(number)); }
                Happening::Speak(number) => { machine.silent.remove(&id(number)); }
                Happening::Fail(number) => { machine.failing.insert(id(number)); }
                Happening::RestartAgent => machine.memory = machine.memory.durable(),
                Happening::Wait(quarters) => for _ in 0..quarters {
                    machine.round();
                    machine.later(TimeDelta::milliseconds(250));
                },
            }
            machine.round();
        }
        // Nothing more happens; routes have left what is not wanted.
        machine.routed.clear();
        machine.failing.clear();
        machine.run(60);
        for wanted in machine.desired.instances.clone() {
            let memory = &machine.memory.instances[&wanted.id];
            let runs = machine.containers.get(&Owner::Instance(wanted.id)).is_some_and(Container::is_running);
            prop_assert!(runs != memory.ended.is_some(), "{}: runs {runs}, ended {:?}", wanted.id, memory.ended);
        }
        for owner in machine.containers.keys() {
            let Owner::Instance(id) = owner else { unreachable!("no tasks here") };
            prop_assert!(machine.wants(*id), "{id} was left over");
        }
        let busy: Vec<Action> = machine.plan().actions.into_iter().filter(|action| !matches!(action, Action::Probe { .. })).collect();
        prop_assert_eq!(busy, vec![], "it does not come to rest");
        // R12: in no five minutes more than the first start and three restarts.
        for (id, starts) in &machine.starts {
            for (index, start) in starts.iter().enumerate() {
                let within = starts[index..].iter().filter(|other| **other - *start < TimeDelta::minutes(5)).count();
                prop_assert!(within <= MAX_RESTARTS + 1, "{id} was started {within} times within five minutes");
            }
        }
    }
}
