//! A platform with many customers.

use anyhow::Result;
use slipway_model::{
    ApiTokenId, ApplicationId, BuildConfig, Clock, DeploymentId, HealthCheck, InstanceId, MembershipId, Money, NodeId, OrganizationId,
    PlanId, RegionId, ReleaseId, Role, Sha256Digest, Timestamp, UserId, Viewer,
    state::{ApplicationStatus, DeploymentStatus, DeploymentTrigger, InstanceStatus, NodeStatus},
    system_clock,
};
use slipway_store::{
    Db, Tx,
    api_tokens::{self, ApiToken},
    applications::{self, Application},
    deployments::{self, Deployment},
    instances::{self, Instance},
    memberships::{self, Membership},
    nodes::{self, Node},
    organizations::{self, Organization},
    plans::{self, Plan},
    regions::{self, Region},
    releases::{self, Release},
    users::{self, User},
};

pub const SIZE: &str = "1,000 organizations, 20,000 applications, 200,000 deployments";
const ORGANIZATIONS: usize = 1_000;
const APPLICATIONS_EACH: usize = 20;
const DEPLOYMENTS_EACH: i64 = 10;
/// Organizations of the person who looks: a hundred applications, of which fifty are shown.
const OWN: usize = 5;
const TOKEN: &str = "slip_dashboard";

struct Ground {
    plan: Plan,
    region: RegionId,
    node: NodeId,
    user: UserId,
    now: Timestamp,
}

/// Gives the token of somebody who belongs to a few of the organizations.
pub async fn fill(db: &Db) -> Result<String> {
    let clock = &*system_clock();
    let mut tx = db.begin().await?;
    let ground = ground(&mut tx, clock).await?;
    for index in 0..ORGANIZATIONS {
        let name = format!("organization-{index}");
        let organization =
            Organization { id: OrganizationId::new(clock), slug: name.parse()?, name: name.parse()?, created_at: ground.now };
        organizations::insert(&mut tx, &organization).await?;
        if index < OWN {
            let (id, user_id) = (MembershipId::new(clock), ground.user);
            let own = Membership { id, organization_id: organization.id, user_id, role: Role::Owner, created_at: ground.now };
            memberships::insert(&mut tx, &own).await?;
        }
        for place in 0..APPLICATIONS_EACH {
            application(&mut tx, clock, &ground, organization.id, &format!("app-{index}-{place}")).await?;
        }
    }
    tx.commit().await?;
    Ok(TOKEN.to_owned())
}

async fn ground(tx: &mut Tx, clock: &dyn Clock) -> Result<Ground> {
    let now = clock.now();
    let user = User {
        id: UserId::new(clock),
        email: "dashboard@example.org".into(),
        name: None,
        password_hash: None,
        platform_admin: false,
        created_at: now,
        updated_at: now,
        disabled_at: None,
    };
    users::insert(tx, &user).await?;
    let token = ApiToken {
        id: ApiTokenId::new(clock),
        user_id: user.id,
        organization_id: None,
        application_id: None,
        permissions: None,
        name: "dashboard".into(),
        prefix: "slip_".into(),
        expires_at: None,
        last_used_at: None,
        created_at: now,
        revoked_at: None,
    };
    api_tokens::insert(tx, &token, Sha256Digest::of(TOKEN.as_bytes())).await?;
    let (slug, name) = ("elsewhere".parse()?, "Elsewhere".into());
    let region = Region { id: RegionId::new(clock), slug, name, country: None, active: true, created_at: now, updated_at: now };
    regions::insert(tx, &region).await?;
    let plan = Plan {
        id: PlanId::new(clock),
        slug: "measured".parse()?,
        name: "Measured".into(),
        description: None,
        cpu_millis: 250,
        memory_bytes: 256 << 20,
        storage_bytes: 1 << 30,
        max_instances: 3,
        price_hourly: Money::from_nanos(7_000_000),
        price_monthly: Money::from_nanos(5_000_000_000),
        runtimes: None,
        active: true,
        sort_order: 9,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    plans::insert(tx, &plan).await?;
    let node = Node {
        name: "measured".into(),
        public_key: vec![1; 32],
        status: NodeStatus::Online,
        ..Node::blank(NodeId::new(clock), region.id, now)
    };
    nodes::insert(tx, &node).await?;
    Ok(Ground { plan, region: region.id, node: node.id, user: user.id, now })
}

async fn application(tx: &mut Tx, clock: &dyn Clock, ground: &Ground, organization: OrganizationId, name: &str) -> Result<()> {
    let application = Application {
        id: ApplicationId::new(clock),
        organization_id: organization,
        slug: name.parse()?,
        name: name.parse()?,
        status: ApplicationStatus::Running,
        status_reason: None,
        plan_id: ground.plan.id,
        runtime_kind: None,
        region_id: ground.region,
        source: None,
        build_config: BuildConfig::default(),
        health_check: None,
        desired_instances: 1,
        stopped: false,
        auto_deploy: true,
        restart_policy: slipway_model::state::RestartPolicy::Always,
        current_release_id: None,
        current_deployment_id: None,
        tool_lock: None,
        version: 1,
        created_by: None,
        created_at: clock.now(),
        updated_at: clock.now(),
        deleted_at: None,
    };
    applications::insert(tx, &Viewer::Platform, &application).await?;
    let mut last = None;
    for number in 1..=DEPLOYMENTS_EACH {
        let deployment = deployment(clock, &application, number);
        deployments::insert(tx, &deployment).await?;
        last = Some(deployment);
    }
    let Some(deployment) = last else { return Ok(()) };
    let release = Release {
        id: ReleaseId::new(clock),
        organization_id: organization,
        application_id: application.id,
        number: 1,
        deployment_id: deployment.id,
        node_id: Some(ground.node),
        image: format!("slipway/{}:1", application.id),
        image_digest: "sha256:0".into(),
        image_bytes: 1,
        processes: serde_json::json!([]),
        port: Some(8080),
        health: HealthCheck::default(),
        variables_ciphertext: vec![1],
        created_at: clock.now(),
    };
    releases::insert(tx, &release).await?;
    instances::insert(tx, &instance(clock, ground, &release)).await?;
    applications::set_current(tx, &Viewer::Platform, application.id, release.id, deployment.id).await?;
    Ok(())
}

fn deployment(clock: &dyn Clock, application: &Application, number: i64) -> Deployment {
    Deployment {
        id: DeploymentId::new(clock),
        organization_id: application.organization_id,
        application_id: application.id,
        number,
        status: if number == DEPLOYMENTS_EACH { DeploymentStatus::Live } else { DeploymentStatus::Superseded },
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
        created_by: None,
        created_at: clock.now(),
        started_at: Some(clock.now()),
        finished_at: Some(clock.now()),
    }
}

fn instance(clock: &dyn Clock, ground: &Ground, release: &Release) -> Instance {
    Instance {
        id: InstanceId::new(clock),
        organization_id: release.organization_id,
        application_id: release.application_id,
        deployment_id: release.deployment_id,
        release_id: release.id,
        node_id: ground.node,
        process: "web".into(),
        instance_index: 0,
        status: InstanceStatus::Healthy,
        status_reason: None,
        desired: true,
        routed: true,
        plan_id: ground.plan.id,
        hourly_rate: ground.plan.price_hourly,
        cpu_millis: 250,
        memory_bytes: 256 << 20,
        storage_bytes: 1 << 30,
        container_id: None,
        address: None,
        exit_code: None,
        restart_count: 0,
        last_lines: None,
        created_at: clock.now(),
        started_at: Some(clock.now()),
        stopped_at: None,
    }
}
