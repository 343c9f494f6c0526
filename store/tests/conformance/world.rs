//! Rows to test with: an organization with its owner, and what an application needs.

use chrono::{DateTime, TimeDelta};
use slipway_model::{
    ApplicationId, BuildConfig, Clock, ManualClock, MembershipId, Money, OrganizationId, PlanId, RegionId, Role, Timestamp, UserId, Viewer,
    state::ApplicationStatus,
};
use slipway_store::{
    Tx,
    applications::{self, Application},
    memberships::{self, Membership},
    organizations::{self, Organization},
    plans::{self, Plan},
    regions::{self, Region},
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
    User { id, email: email.to_owned(), name: None, password_hash: None, platform_admin: false, created_at: now, updated_at: now }
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
