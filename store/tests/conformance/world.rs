//! Rows to test with: an organization with its owner, and what an application needs.

use chrono::{DateTime, TimeDelta};
use slipway_model::{
    ApplicationId, BuildConfig, Clock, DeploymentId, HealthCheck, InstanceId, ManualClock, MembershipId, Money, NodeId, OperationId,
    OrganizationId, PlanId, RegionId, ReleaseId, Role, TaskId, Timestamp, UserId, Viewer,
    state::{
        ApplicationStatus, DeploymentStatus, DeploymentTrigger, InstanceStatus, NodeStatus, OperationKind, OperationStatus, RestartPolicy,
        TaskKind, TaskStatus,
    },
};
use slipway_store::{
    Tx,
    applications::{self, Application},
    deployments::{self, Deployment},
    instances::{self, Instance},
    memberships::{self, Membership},
    nodes::{self, Node},
    operations::Operation,
    organizations::{self, Organization},
    plans::{self, Plan},
    regions::{self, Region},
    releases::{self, Release},
    tasks::Task,
    users::{self, User},
};

#[derive(Debug)]
pub struct World {
    pub clock: ManualClock,
    pub owner: User,
    pub organization: Organization,
    pub region: Region,
    pub plan: Plan,
    /// The owner, who sees this organization alone.
    pub viewer: Viewer,
}

pub fn clock() -> ManualClock {
    ManualClock::at(DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap())
}

pub fn user(clock: &ManualClock, email: &str) -> User {
    let now = clock.now();
    let id = UserId::new(clock);
    User {
        id,
        email: email.to_owned(),
        name: None,
        password_hash: None,
        platform_admin: false,
        disabled_at: None,
        created_at: now,
        updated_at: now,
    }
}

pub fn organization(clock: &ManualClock, slug: &str) -> Organization {
    let id = OrganizationId::new(clock);
    Organization { id, slug: slug.parse().unwrap(), name: slug.parse().unwrap(), created_at: clock.now() }
}

pub fn member(id: UserId, organization: OrganizationId, role: Role) -> Viewer {
    Viewer::User { id, platform_admin: false, memberships: vec![(organization, role)], token: None }
}

pub fn stranger(clock: &ManualClock) -> Viewer {
    Viewer::User { id: UserId::new(clock), platform_admin: false, memberships: Vec::new(), token: None }
}

pub fn region(clock: &ManualClock, slug: &str) -> Region {
    let now = clock.now();
    let slug = slug.parse().unwrap();
    Region {
        id: RegionId::new(clock),
        slug,
        name: "Here".into(),
        country: Some("DE".into()),
        active: true,
        created_at: now,
        updated_at: now,
    }
}

pub fn plan(clock: &ManualClock, slug: &str) -> Plan {
    let now = clock.now();
    Plan {
        id: PlanId::new(clock),
        slug: slug.parse().unwrap(),
        name: "Small".into(),
        description: None,
        cpu_millis: 500,
        memory_bytes: 512 << 20,
        storage_bytes: 1 << 30,
        max_instances: 3,
        price_hourly: Money::from_nanos(7_000_001),
        price_monthly: Money::from_nanos(5_000_000_000),
        runtimes: None,
        active: true,
        sort_order: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

impl World {
    /// Everything in it is written under `name`; two worlds are each other's strangers.
    pub async fn new(tx: &mut Tx, name: &str) -> Self {
        let clock = clock();
        let owner = user(&clock, &format!("{name}@example.org"));
        let organization = organization(&clock, name);
        let region = region(&clock, name);
        let plan = plan(&clock, name);
        users::insert(tx, &owner).await.unwrap();
        organizations::insert(tx, &organization).await.unwrap();
        let membership = Membership {
            id: MembershipId::new(&clock),
            organization_id: organization.id,
            user_id: owner.id,
            role: Role::Owner,
            created_at: clock.now(),
        };
        memberships::insert(tx, &membership).await.unwrap();
        regions::insert(tx, &region).await.unwrap();
        plans::insert(tx, &plan).await.unwrap();
        let viewer = member(owner.id, organization.id, Role::Owner);
        Self { clock, owner, organization, region, plan, viewer }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn later(&self, seconds: i64) -> Timestamp {
        self.now() + TimeDelta::seconds(seconds)
    }

    /// An application that is not written yet.
    pub fn application(&self, slug: &str) -> Application {
        let now = self.now();
        Application {
            id: ApplicationId::new(&self.clock),
            organization_id: self.organization.id,
            slug: slug.parse().unwrap(),
            name: slug.parse().unwrap(),
            status: ApplicationStatus::Created,
            status_reason: None,
            plan_id: self.plan.id,
            runtime_kind: None,
            region_id: self.region.id,
            source: None,
            build_config: BuildConfig::default(),
            health_check: None,
            desired_instances: 1,
            stopped: false,
            auto_deploy: true,
            restart_policy: RestartPolicy::Always,
            current_release_id: None,
            current_deployment_id: None,
            tool_lock: None,
            version: 1,
            created_by: Some(self.owner.id),
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    pub async fn insert_application(&self, tx: &mut Tx, slug: &str) -> Application {
        let application = self.application(slug);
        applications::insert(tx, &self.viewer, &application).await.unwrap();
        application
    }
}

/// An application on its way to a node. Written, save for the operation and the task.
#[derive(Debug)]
pub struct Rollout {
    pub node: Node,
    pub application: Application,
    pub deployment: Deployment,
    pub release: Release,
    pub instance: Instance,
    pub operation: Operation,
    pub task: Task,
}

impl World {
    pub fn node(&self, key: u8) -> Node {
        let blank = Node::blank(NodeId::new(&self.clock), self.region.id, self.now());
        Node { name: format!("node-{key}"), public_key: vec![key; 32], status: NodeStatus::Online, ..blank }
    }

    pub fn deployment(&self, application: &Application, number: i64) -> Deployment {
        Deployment {
            id: DeploymentId::new(&self.clock),
            organization_id: application.organization_id,
            application_id: application.id,
            number,
            status: DeploymentStatus::Queued,
            status_reason: None,
            failure: None,
            trigger: DeploymentTrigger::Manual,
            source: serde_json::json!({"from": "upload"}),
            commit_sha: None,
            commit_message: None,
            branch: None,
            release_id: None,
            rollback_of: None,
            node_id: None,
            plan: None,
            plan_digest: None,
            tool_lock: None,
            attempt: 1,
            created_by: Some(self.owner.id),
            created_at: self.now(),
            started_at: None,
            finished_at: None,
        }
    }

    pub fn release(&self, deployment: &Deployment, node: &Node, number: i64) -> Release {
        Release {
            id: ReleaseId::new(&self.clock),
            organization_id: deployment.organization_id,
            application_id: deployment.application_id,
            number,
            deployment_id: deployment.id,
            node_id: Some(node.id),
            image: format!("slipway/{}:{number}", deployment.application_id),
            image_digest: "sha256:0".into(),
            image_bytes: 1,
            processes: serde_json::json!([]),
            port: Some(8080),
            health: HealthCheck::default(),
            variables_ciphertext: vec![1, 2],
            created_at: self.now(),
        }
    }

    pub fn instance(&self, release: &Release, node: &Node, index: i64) -> Instance {
        Instance {
            id: InstanceId::new(&self.clock),
            organization_id: release.organization_id,
            application_id: release.application_id,
            deployment_id: release.deployment_id,
            release_id: release.id,
            node_id: node.id,
            process: "web".into(),
            instance_index: index,
            status: InstanceStatus::Created,
            status_reason: None,
            desired: true,
            routed: false,
            plan_id: self.plan.id,
            hourly_rate: self.plan.price_hourly,
            cpu_millis: 500,
            memory_bytes: 1 << 20,
            storage_bytes: 1 << 21,
            container_id: None,
            address: None,
            exit_code: None,
            restart_count: 0,
            last_lines: None,
            created_at: self.now(),
            started_at: None,
            stopped_at: None,
        }
    }

    pub fn operation(&self, deployment: &Deployment) -> Operation {
        Operation {
            id: OperationId::new(&self.clock),
            organization_id: Some(deployment.organization_id),
            kind: OperationKind::Deploy,
            status: OperationStatus::Queued,
            application_id: Some(deployment.application_id),
            deployment_id: Some(deployment.id),
            payload: serde_json::json!({}),
            step: None,
            attempt: 0,
            max_attempts: 3,
            lease_owner: None,
            lease_until: None,
            fence: 0,
            next_run_at: self.now(),
            deadline: self.later(600),
            error: None,
            created_by: Some(self.owner.id),
            created_at: self.now(),
            started_at: None,
            finished_at: None,
        }
    }

    /// `key` tells nodes apart, and is unique in a database.
    pub async fn rollout(&self, tx: &mut Tx, slug: &str, key: u8) -> Rollout {
        let node = self.node(key);
        nodes::insert(tx, &node).await.unwrap();
        let application = self.insert_application(tx, slug).await;
        let deployment = self.deployment(&application, 1);
        deployments::insert(tx, &deployment).await.unwrap();
        let release = self.release(&deployment, &node, 1);
        releases::insert(tx, &release).await.unwrap();
        let instance = self.instance(&release, &node, 0);
        instances::insert(tx, &instance).await.unwrap();
        let operation = self.operation(&deployment);
        let task = Task {
            id: TaskId::new(&self.clock),
            organization_id: application.organization_id,
            application_id: application.id,
            deployment_id: deployment.id,
            operation_id: Some(operation.id),
            node_id: node.id,
            kind: TaskKind::Build,
            status: TaskStatus::Queued,
            spec_ciphertext: vec![3],
            outcome: None,
            last_sequence: 0,
            deadline: self.later(60),
            created_at: self.now(),
            finished_at: None,
        };
        Rollout { node, application, deployment, release, instance, operation, task }
    }
}
