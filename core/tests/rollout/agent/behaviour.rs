//! What goes on on its node, as a test wants it.

use slipway_buildpack_wit::{Command, Detection, Fragment, Plan, Port, Process, ProcessKind, Tool};
use slipway_model::state::InstanceStatus;
use slipway_protocol::TaskFailure;

/// What goes on on the node.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub plan: Result<Plan, TaskFailure>,
    pub build: Result<(), TaskFailure>,
    pub release_process_exits: i64,
    /// What becomes of new containers.
    pub becomes: InstanceStatus,
    /// Tasks are taken and not finished.
    pub holds_tasks: bool,
    /// The new route is never in force.
    pub holds_routes: bool,
    /// Why its proxy cannot be run.
    pub ingress_problem: Option<String>,
    /// Every message goes out twice, and events of tasks in the wrong order as well.
    pub stutters: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            plan: Ok(plan()),
            build: Ok(()),
            release_process_exits: 0,
            becomes: InstanceStatus::Healthy,
            holds_tasks: false,
            holds_routes: false,
            ingress_problem: None,
            stutters: false,
        }
    }
}

pub fn process(name: &str, kind: ProcessKind) -> Process {
    Process {
        name: name.into(),
        kind,
        command: Command::Shell(format!("node {name}.js")),
        env: vec![],
        is_default: kind == ProcessKind::Web,
    }
}

pub fn plan() -> Plan {
    Plan {
        buildpack: "node".into(),
        detection: Detection {
            app_root: ".".into(),
            score: 90,
            framework: None,
            package_manager: None,
            reasons: vec![],
            provides: vec![],
            requires: vec![],
        },
        beside: vec![],
        fragment: Fragment {
            tools: vec![Tool {
                name: "node".into(),
                constraint: "22".into(),
                source: "package.json#engines.node".into(),
                is_default: false,
            }],
            processes: vec![process("web", ProcessKind::Web)],
            ports: vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }],
            ..Fragment::default()
        },
    }
}
