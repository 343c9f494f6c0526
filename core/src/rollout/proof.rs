//! What must hold of every change, whatever the node does and however often the step is decided anew.

use chrono::TimeDelta;
use proptest::prelude::*;
use slipway_model::{
    InstanceId, Timestamp,
    state::{DeploymentStatus, InstanceStatus, TaskStatus},
};
use slipway_protocol::TaskFailure;
use uuid::Uuid;

use super::{Effect, Instance, Next, Obtain, Route, Situation, Step, Task, next};

/// What may happen between two looks of a worker.
#[derive(Debug, Clone, Copy)]
enum Event {
    Time(i64),
    TaskEnds(bool),
    NodeStarts,
    /// The instance of this index becomes this.
    InstanceIs(usize, InstanceStatus),
    RouteTakesForce,
    NodeStops,
    NodeGoesSilent,
    NodeSpeaks,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let status = prop_oneof![
        5 => Just(InstanceStatus::Healthy),
        1 => Just(InstanceStatus::Unhealthy),
        1 => Just(InstanceStatus::Restarting),
        1 => Just(InstanceStatus::Exited),
    ];
    let event = prop_oneof![
        3 => (0..40_i64).prop_map(Event::Time),
        3 => prop::bool::weighted(0.85).prop_map(Event::TaskEnds),
        4 => Just(Event::NodeStarts),
        6 => (0..4_usize, status).prop_map(|(index, status)| Event::InstanceIs(index, status)),
        4 => Just(Event::RouteTakesForce),
        3 => Just(Event::NodeStops),
        1 => Just(Event::NodeGoesSilent),
        2 => Just(Event::NodeSpeaks),
    ];
    prop::collection::vec(event, 0..80)
}

struct Row {
    view: Instance,
    desired: bool,
    routed: bool,
}

/// The database and one node, as small as the machine's questions allow.
struct World {
    situation: Situation,
    old: Vec<Row>,
    new: Vec<Row>,
    is_silent: bool,
    deployment: DeploymentStatus,
    ended: Option<bool>,
    wanted_new: usize,
}

fn instance(number: u128, status: InstanceStatus) -> Instance {
    Instance {
        id: InstanceId::from_uuid(Uuid::from_u128(number)),
        process: "web".into(),
        is_web: true,
        is_here: true,
        status,
        reason: None,
        exit_code: None,
    }
}

impl World {
    fn new(obtain: Obtain, old: usize, new: usize, has_release_process: bool) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let old = (0..old).map(|n| Row { view: instance(n as u128, InstanceStatus::Healthy), desired: true, routed: true }).collect();
        let mut world = Self {
            situation: Situation {
                now,
                deadline: now + TimeDelta::minutes(40),
                step: Step::Begin,
                since: now,
                obtain,
                has_release_process,
                heard_at: Some(now),
                task: None,
                new: vec![],
                retiring: vec![],
                route: Route::default(),
                health_allowance: TimeDelta::seconds(120),
            },
            old,
            new: vec![],
            is_silent: false,
            deployment: DeploymentStatus::Queued,
            ended: None,
            wanted_new: new,
        };
        world.situation.route.in_force = world.revision();
        world
    }

    fn revision(&self) -> Option<String> {
        let routed: Vec<_> = self.rows().filter(|row| row.routed).map(|row| row.view.id.to_string()).collect();
        (!routed.is_empty()).then(|| routed.join(","))
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.old.iter().chain(&self.new)
    }

    fn row(&mut self, id: InstanceId) -> &mut Row {
        self.old.iter_mut().chain(&mut self.new).find(|row| row.view.id == id).expect("an effect names an instance that exists")
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Time(seconds) => self.situation.now += TimeDelta::seconds(seconds),
            Event::NodeGoesSilent => self.is_silent = true,
            Event::NodeSpeaks => self.is_silent = false,
            _ if self.is_silent => {}
            Event::TaskEnds(is_good) => {
                if let Some(task) = &mut self.situation.task
                    && !task.status.is_terminal()
                {
                    task.status = if is_good { TaskStatus::Succeeded } else { TaskStatus::Failed };
                    task.failure = (!is_good).then(|| TaskFailure::new("X", "it failed"));
                }
            }
            Event::NodeStarts => {
                for row in self.new.iter_mut().filter(|row| row.desired && row.view.status == InstanceStatus::Created) {
                    row.view.status = InstanceStatus::Starting;
                }
            }
            Event::InstanceIs(index, status) => {
                if let Some(row) = self.new.get_mut(index)
                    && row.desired
                    && row.view.status.is_running()
                {
                    row.view.status = status;
                }
            }
            Event::RouteTakesForce => self.situation.route.in_force = self.revision(),
            Event::NodeStops => {
                for row in self.old.iter_mut().chain(&mut self.new).filter(|row| !row.desired && !row.view.status.is_terminal()) {
                    row.view.status = InstanceStatus::Stopped;
                }
            }
        }
        if !self.is_silent {
            self.situation.heard_at = Some(self.situation.now);
        }
    }

    /// One look of a worker. The situation is made anew from the rows each time, as after a crash.
    fn looks(&mut self) {
        if self.ended.is_some() {
            return;
        }
        self.situation.new = self.new.iter().map(|row| row.view.clone()).collect();
        self.situation.retiring =
            if self.situation.step == Step::Begin { vec![] } else { self.old.iter().map(|row| row.view.clone()).collect() };
        self.situation.route.wanted = self.revision();
        let decided = next(&self.situation);
        assert_eq!(decided, next(&self.situation), "the same situation is decided the same way");
        match decided {
            Next::Wait(_) => {}
            Next::To(step, effects) => {
                if step == Step::Drain && self.situation.obtain != Obtain::Nothing {
                    assert_eq!(
                        self.situation.route.wanted, self.situation.route.in_force,
                        "nothing is retired before the route is confirmed"
                    );
                }
                self.apply(effects);
                self.situation.since = self.situation.now;
                self.situation.step = step;
            }
            Next::Fail(_, effects) => {
                self.apply(effects);
                self.ended = Some(false);
            }
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        let task =
            Task { status: TaskStatus::Queued, deadline: self.situation.now + TimeDelta::minutes(15), failure: None, exit_code: None };
        for effect in effects {
            match effect {
                Effect::StartPlan | Effect::StartBuild | Effect::StartPull | Effect::StartReleaseProcess => {
                    self.situation.task = Some(task.clone());
                }
                Effect::CreateInstances => {
                    self.new = (0..self.wanted_new)
                        .map(|n| Row { view: instance(100 + n as u128, InstanceStatus::Created), desired: true, routed: false })
                        .collect();
                }
                // Nothing is deployed where nothing is started.
                Effect::Deployment(_) if self.situation.obtain == Obtain::Nothing => {}
                Effect::Deployment(status) => {
                    assert!(status == self.deployment || self.deployment.may_become(status), "{} -> {status}", self.deployment);
                    self.deployment = status;
                }
                Effect::Route(ids) => ids.into_iter().for_each(|id| {
                    let row = self.row(id);
                    assert_eq!(row.view.status, InstanceStatus::Healthy, "visitors are led to what has proved itself");
                    row.routed = true;
                }),
                Effect::Unroute(ids) => ids.into_iter().for_each(|id| self.row(id).routed = false),
                Effect::Retire(ids) => ids.into_iter().for_each(|id| {
                    let row = self.row(id);
                    (row.routed, row.desired) = (false, false);
                }),
                Effect::Finish => self.ended = Some(true),
                Effect::Prepare
                | Effect::RecordRelease
                | Effect::StepBegan(_)
                | Effect::StepEnded(..)
                | Effect::Settle
                | Effect::KeepLastLines(_)
                | Effect::CancelTasks => {}
            }
        }
    }

    fn check(&self, obtain: Obtain) {
        let settled = matches!(self.situation.step, Step::Drain | Step::Done);
        assert!(self.rows().all(|row| row.desired || !row.routed), "what has a route has a container");
        if obtain == Obtain::Nothing {
            return;
        }
        if !settled {
            assert!(self.old.iter().all(|row| row.desired), "nothing is stopped before the new route is in force");
        }
        if !matches!(self.situation.step, Step::Swap | Step::Drain | Step::Done) {
            assert!(self.old.iter().all(|row| row.routed), "nothing loses its route before the new instances are healthy");
        }
        assert!(self.old.is_empty() || self.rows().any(|row| row.routed), "somebody serves");
        let serves = |rows: &[Row]| rows.iter().any(|row| row.routed);
        assert!(!(serves(&self.old) && serves(&self.new)), "one release serves");
    }
}

fn obtains() -> impl Strategy<Value = Obtain> {
    prop_oneof![Just(Obtain::Build), Just(Obtain::Pull), Just(Obtain::Reuse), Just(Obtain::Nothing)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_visitors_are_served_and_the_change_ends(
        obtain in obtains(), old in 0..3_usize, new in 1..4_usize, release in any::<bool>(), events in events()
    ) {
        let new = if obtain == Obtain::Nothing { 0 } else { new };
        let mut world = World::new(obtain, old, new, release);
        for event in events {
            world.happens(event);
            world.looks();
            world.check(obtain);
        }
        // Nothing more happens but time.
        for _ in 0..200 {
            world.happens(Event::Time(20));
            world.looks();
            world.check(obtain);
        }
        let is_done = world.ended;
        prop_assert!(is_done.is_some(), "it ends by itself: {:?}", world.situation);
        if is_done == Some(false) {
            prop_assert!(world.old.iter().all(|row| row.desired && row.routed), "a failure changes nothing for visitors");
            prop_assert!(world.new.iter().all(|row| !row.desired && !row.routed), "a failure leaves nothing behind");
        } else {
            prop_assert!(world.old.iter().all(|row| !row.desired && !row.routed));
            prop_assert!(world.new.iter().all(|row| row.desired && row.routed));
        }
    }

    #[test]
    fn a_well_behaved_node_leads_to_live(obtain in obtains(), old in 0..3_usize, new in 1..4_usize, release in any::<bool>()) {
        let new = if obtain == Obtain::Nothing { 0 } else { new };
        let mut world = World::new(obtain, old, new, release);
        for _ in 0..20 {
            let mut all = vec![Event::TaskEnds(true), Event::NodeStarts, Event::RouteTakesForce, Event::NodeStops, Event::Time(1)];
            all.extend((0..new).map(|index| Event::InstanceIs(index, InstanceStatus::Healthy)));
            all.into_iter().for_each(|event| world.happens(event));
            world.looks();
        }
        prop_assert_eq!(world.ended, Some(true));
        prop_assert!(obtain == Obtain::Nothing || world.deployment == DeploymentStatus::Live);
    }
}

/// A change that came to `step` when it began to wait, on a node that says nothing new.
fn waiting(step: Step, status: InstanceStatus) -> Situation {
    let mut situation = World::new(Obtain::Build, 1, 0, false).situation;
    let task = Task { status: TaskStatus::Running, deadline: situation.now + TimeDelta::minutes(15), failure: None, exit_code: None };
    situation.step = step;
    situation.task = Some(task);
    situation.new = vec![instance(100, status)];
    situation.route = Route {
        wanted: Some("new".into()),
        in_force: Some("old".into()),
        problem: Some("it has a syntax error".into()),
        ..Route::default()
    };
    situation
}

fn fails_after(mut situation: Situation, is_heard: bool) -> (i64, String) {
    for second in 1..100_000 {
        situation.now += TimeDelta::seconds(1);
        if is_heard {
            situation.heard_at = Some(situation.now);
        }
        match next(&situation) {
            Next::Fail(failure, _) => return (second, failure.code),
            Next::To(step, _) => panic!("it waits, and comes to {step:?} instead"),
            Next::Wait(_) => {}
        }
    }
    panic!("it waits for ever")
}

#[test]
fn every_wait_has_its_own_end() {
    use InstanceStatus::{Created, Exited, Healthy, Starting, Unhealthy};
    let heard = |step, status| fails_after(waiting(step, status), true);
    assert_eq!(heard(Step::Plan, Created), (15 * 60 + 30, "DEADLINE".into()));
    assert_eq!(heard(Step::Start, Created), (120, "NOT_STARTED".into()));
    assert_eq!(heard(Step::Health, Starting), (120, "HEALTH_CHECK_FAILED".into()));
    assert_eq!(heard(Step::Health, Unhealthy), (120, "HEALTH_CHECK_FAILED".into()));
    assert_eq!(heard(Step::Swap, Healthy), (120, "ROUTE_NOT_CONFIRMED".into()));
    assert_eq!(heard(Step::Health, Exited), (1, "HEALTH_CHECK_FAILED".into()));
    assert_eq!(heard(Step::Swap, Exited), (1, "HEALTH_CHECK_FAILED".into()));
    assert_eq!(fails_after(waiting(Step::Build, Created), false), (150, "NODE_OFFLINE".into()));
}
