//! An organization with one of everything that it can own, written straight into the database, and people who ask for it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_model::{
    ApplicationId, AuditEventId, BillingAccountId, BuildConfig, Clock, Currency, DeploymentId, EventId, HealthCheck, InstanceId,
    InvitationId, InvoiceId, LedgerEntryId, MembershipId, Money, NodeId, OperationId, OrganizationId, PlanId, RegionId, ReleaseId, Role,
    Secret, SessionId, Sha256Digest, Slug, SpendingAlertId, UploadId, UserId, VariableId, Viewer,
    state::{
        ApplicationStatus, AuditOutcome, DeploymentStatus, DeploymentTrigger, InstanceStatus, InvoiceStatus, LedgerAccount,
        LedgerEntryKind, NodeStatus, OperationKind, OperationStatus, VariableScope,
    },
};
use slipway_store::{
    Location, api_tokens, applications, audit, billing_accounts, deployments, events, instances, invitations, invoices, ledger,
    memberships, nodes, operations, organizations, releases, sessions, spending_alerts, uploads, users, variables,
};

use crate::world::World;

/// Of each kind of thing one, by the prefix of its id.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub organization: OrganizationId,
    pub owner: UserId,
    pub slug: String,
    pub ids: BTreeMap<&'static str, String>,
}

/// What platforms have one of, whoever asks.
#[derive(Debug, Clone)]
pub struct Shared {
    pub plan: PlanId,
    pub region: RegionId,
    pub node: NodeId,
}

impl World {
    pub async fn shared(&self) -> Shared {
        let plan = self.plan("small").await.as_str().unwrap().parse().unwrap();
        let region: RegionId = self.region().await.as_str().unwrap().parse().unwrap();
        let node = nodes::Node {
            name: "node".into(),
            public_key: vec![7; 32],
            status: NodeStatus::Offline,
            ..nodes::Node::blank(NodeId::new(&self.clock), region, self.clock.now())
        };
        let mut tx = self.platform().db.begin().await.unwrap();
        nodes::insert(&mut tx, &node).await.unwrap();
        tx.commit().await.unwrap();
        Shared { plan, region, node: node.id }
    }

    /// Somebody who is signed in.
    pub async fn person(&self, name: &str, platform_admin: bool) -> (UserId, String) {
        let now = self.clock.now();
        let user = users::User {
            id: UserId::new(&self.clock),
            email: format!("{name}@example.org"),
            name: None,
            password_hash: None,
            platform_admin,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.platform().db.begin().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        (user.id, self.sign_in(user.id).await.1)
    }

    pub async fn sign_in(&self, user: UserId) -> (SessionId, String) {
        let now = self.clock.now();
        let session = sessions::Session {
            id: SessionId::new(&self.clock),
            user_id: user,
            user_agent: None,
            ip: None,
            created_at: now,
            last_seen_at: now,
            expires_at: now + TimeDelta::days(1),
            revoked_at: None,
        };
        let token = format!("slips_{}", session.id);
        let mut tx = self.platform().db.begin().await.unwrap();
        sessions::insert(&mut tx, &session, Sha256Digest::of(token.as_bytes())).await.unwrap();
        tx.commit().await.unwrap();
        (session.id, token)
    }

    pub async fn join(&self, user: UserId, organization: OrganizationId, role: Role) -> MembershipId {
        let id = MembershipId::new(&self.clock);
        let row = memberships::Membership { id, organization_id: organization, user_id: user, role, created_at: self.clock.now() };
        let mut tx = self.platform().db.begin().await.unwrap();
        memberships::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A token of one application, made for everything that such a token can do.
    pub async fn token_of(&self, user: UserId, organization: OrganizationId, application: ApplicationId) -> String {
        let id = slipway_model::ApiTokenId::new(&self.clock);
        let row = api_tokens::ApiToken {
            id,
            user_id: user,
            organization_id: Some(organization),
            application_id: Some(application),
            permissions: Some(slipway_model::Permission::ALL.iter().copied().filter(|one| one.is_of_an_application()).collect()),
            name: "ci".into(),
            prefix: "slip_".into(),
            expires_at: None,
            last_used_at: None,
            created_at: self.clock.now(),
            revoked_at: None,
        };
        let token = format!("slip_{id}");
        let mut tx = self.platform().db.begin().await.unwrap();
        api_tokens::insert(&mut tx, &row, Sha256Digest::of(token.as_bytes())).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    pub fn new_row(&self, slug: &str, organization: OrganizationId, shared: &Shared) -> applications::Application {
        let now = self.clock.now();
        applications::Application {
            id: ApplicationId::new(&self.clock),
            organization_id: organization,
            slug: slug.parse().unwrap(),
            name: slug.parse().unwrap(),
            status: ApplicationStatus::Created,
            status_reason: None,
            plan_id: shared.plan,
            runtime_kind: None,
            region_id: shared.region,
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
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// One of everything, under a name of its own. The operation has ended, so that no worker touches it.
    pub async fn fixture(&self, slug: &str, shared: &Shared) -> Fixture {
        let (owner, _) = self.person(&format!("owner-of-{slug}"), false).await;
        let (session, _) = self.sign_in(owner).await;
        let (clock, now) = (&self.clock, self.clock.now());
        let organization = OrganizationId::new(clock);
        let everybody = &Viewer::Platform;
        let platform = self.platform();
        let mut tx = platform.db.begin().await.unwrap();
        let row =
            organizations::Organization { id: organization, slug: slug.parse().unwrap(), name: slug.parse().unwrap(), created_at: now };
        organizations::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        self.join(owner, organization, Role::Owner).await;
        let (member, _) = self.person(&format!("member-of-{slug}"), false).await;
        let membership = self.join(member, organization, Role::Viewer).await;
        let application = self.new_row(slug, organization, shared);
        let token = self.token_of(owner, organization, application.id);

        let mut tx = platform.db.begin().await.unwrap();
        applications::insert(&mut tx, everybody, &application).await.unwrap();
        tx.commit().await.unwrap();
        let token = token.await.trim_start_matches("slip_").to_owned();
        let mut tx = platform.db.begin().await.unwrap();
        let variable = VariableId::new(clock);
        let value = Secret::new(format!("value-of-{slug}"));
        let row = variables::Variable {
            id: variable,
            organization_id: organization,
            application_id: application.id,
            key: "KEY".parse().unwrap(),
            value_ciphertext: platform.keys.seal(variables::location(variable, organization), &value),
            fingerprint: "f".into(),
            scope: VariableScope::Both,
            origin: "user".into(),
            sensitive: true,
            version: 1,
            updated_by: None,
            updated_at: now,
        };
        variables::upsert(&mut tx, everybody, &row).await.unwrap();
        let upload = uploads::Upload {
            id: UploadId::new(clock),
            organization_id: organization,
            application_id: application.id,
            sha256: None,
            size_bytes: None,
            received_at: None,
            consumed_at: None,
            expires_at: now + TimeDelta::days(1),
            created_at: now,
        };
        uploads::insert(&mut tx, everybody, &upload, Sha256Digest::of(slug.as_bytes())).await.unwrap();
        let deployment = deployments::Deployment {
            id: DeploymentId::new(clock),
            organization_id: organization,
            application_id: application.id,
            number: 1,
            status: DeploymentStatus::Failed,
            status_reason: None,
            failure: None,
            trigger: DeploymentTrigger::Manual,
            source: json!({"image": "nginx"}),
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
            created_at: now,
            started_at: None,
            finished_at: Some(now),
        };
        deployments::insert(&mut tx, &deployment).await.unwrap();
        let release_id = ReleaseId::new(clock);
        let frozen = Location::new("releases", "variables_ciphertext", release_id, Some(organization));
        let release = releases::Release {
            id: release_id,
            organization_id: organization,
            application_id: application.id,
            number: 1,
            deployment_id: deployment.id,
            node_id: Some(shared.node),
            image: "nginx".into(),
            image_digest: "sha256:0".into(),
            image_bytes: 1,
            processes: json!([]),
            port: Some(80),
            health: HealthCheck::default(),
            variables_ciphertext: platform.keys.seal(frozen, &Secret::new(r#"{"KEY":"frozen"}"#)),
            created_at: now,
        };
        releases::insert(&mut tx, &release).await.unwrap();
        let instance = instances::Instance {
            id: InstanceId::new(clock),
            organization_id: organization,
            application_id: application.id,
            deployment_id: deployment.id,
            release_id: release.id,
            node_id: shared.node,
            process: "web".into(),
            instance_index: 0,
            status: InstanceStatus::Stopped,
            status_reason: None,
            desired: false,
            routed: false,
            plan_id: shared.plan,
            hourly_rate: Money::ZERO,
            cpu_millis: 1,
            memory_bytes: 1,
            storage_bytes: 1,
            container_id: None,
            address: None,
            exit_code: None,
            restart_count: 0,
            last_lines: None,
            created_at: now,
            started_at: None,
            stopped_at: Some(now),
        };
        instances::insert(&mut tx, &instance).await.unwrap();
        let operation = operations::Operation {
            id: OperationId::new(clock),
            organization_id: Some(organization),
            kind: OperationKind::Deploy,
            status: OperationStatus::Failed,
            application_id: Some(application.id),
            deployment_id: Some(deployment.id),
            payload: json!({}),
            step: None,
            attempt: 1,
            max_attempts: 1,
            lease_owner: None,
            lease_until: None,
            fence: 0,
            next_run_at: now,
            deadline: now,
            error: None,
            created_by: None,
            created_at: now,
            started_at: None,
            finished_at: Some(now),
        };
        operations::insert(&mut tx, &operation).await.unwrap();
        let invitation = invitations::Invitation {
            id: InvitationId::new(clock),
            organization_id: organization,
            email: format!("guest-of-{slug}@example.org").parse().unwrap(),
            role: Role::Member,
            invited_by: None,
            expires_at: now + TimeDelta::days(1),
            created_at: now,
            accepted_at: None,
            accepted_by: None,
            revoked_at: None,
        };
        invitations::insert(&mut tx, everybody, &invitation, Sha256Digest::of(format!("invitation {slug}").as_bytes())).await.unwrap();
        let event = events::NewEvent {
            id: EventId::new(clock),
            organization_id: Some(organization),
            application_id: Some(application.id),
            resource: None,
            kind: "made".into(),
            message: "made".into(),
            data: None,
            created_at: now,
        };
        events::insert(&mut tx, &event).await.unwrap();
        let audited = audit::NewAuditEvent {
            id: AuditEventId::new(clock),
            organization_id: Some(organization),
            actor_id: Some(owner),
            credential: None,
            ip: None,
            user_agent: None,
            action: "made".into(),
            subject: None,
            outcome: AuditOutcome::Allowed,
            data: None,
            created_at: now,
        };
        audit::append(&mut tx, &audited).await.unwrap();
        billing_accounts::lock(&mut tx, everybody, organization, now).await.unwrap();
        let entry = ledger::LedgerEntry {
            id: LedgerEntryId::new(clock),
            organization_id: organization,
            sequence: 1,
            kind: LedgerEntryKind::TopUp,
            debit: LedgerAccount::Payments,
            credit: LedgerAccount::Wallet,
            amount: Money::from_nanos(1),
            currency: Currency::EUR,
            balance_after: Money::from_nanos(1),
            subject_id: None,
            resource_id: None,
            description: "made".into(),
            period_start: None,
            period_end: None,
            quantity_micros: None,
            hourly_rate: None,
            used_before_micros: None,
            idempotency_key: format!("made:{organization}"),
            invoice_id: None,
            created_at: now,
        };
        ledger::append(&mut tx, everybody, std::slice::from_ref(&entry)).await.unwrap();
        let mut account = billing_accounts::Account::blank(organization, now);
        (account.balance, account.sequence) = (entry.amount, 1);
        billing_accounts::save(&mut tx, everybody, &account).await.unwrap();
        let invoice = invoices::Invoice {
            id: InvoiceId::new(clock),
            organization_id: organization,
            number: None,
            status: InvoiceStatus::Draft,
            customer: slug.into(),
            period_start: now,
            period_end: now,
            currency: Currency::EUR,
            total: Money::ZERO,
            layout: json!({"currency": "EUR", "lines": []}),
            issued_at: None,
            voided_at: None,
            created_at: now,
        };
        let invoice = invoices::draft(&mut tx, everybody, &invoice).await.unwrap();
        let alert = spending_alerts::SpendingAlert {
            id: SpendingAlertId::new(clock),
            organization_id: organization,
            application_id: None,
            threshold: Money::from_nanos(1),
            // Reached in a month that is far away, so that no cycle tells of it.
            reached_in: Some(now + TimeDelta::days(400)),
            created_at: now,
        };
        spending_alerts::insert(&mut tx, everybody, &alert).await.unwrap();
        tx.commit().await.unwrap();
        let build = slipway_model::BuildId::from_uuid(deployment.id.uuid());
        let ids = BTreeMap::from([
            ("usr", owner.to_string()),
            ("ses", session.to_string()),
            ("tok", token),
            ("org", organization.to_string()),
            ("mem", membership.to_string()),
            ("inv", invitation.id.to_string()),
            ("aud", audited.id.to_string()),
            ("app", application.id.to_string()),
            ("var", variable.to_string()),
            ("upl", upload.id.to_string()),
            ("dep", deployment.id.to_string()),
            ("bld", build.to_string()),
            ("ins", instance.id.to_string()),
            ("opr", operation.id.to_string()),
            ("bil", BillingAccountId::from_uuid(organization.uuid()).to_string()),
            ("led", entry.id.to_string()),
            ("ivc", invoice.id.to_string()),
            ("alr", alert.id.to_string()),
        ]);
        Fixture { organization, owner, slug: slug.to_owned(), ids }
    }
}

/// An id of the same kind that nothing has.
pub fn missing(id: &str) -> String {
    format!("{}_00000000000000000000000000", id.split('_').next().unwrap())
}

/// What an id argument of this name is about, as the prefix of such ids; `None`: it may be about anything.
pub fn kind_of(field: &str, path: &[&str]) -> Option<&'static str> {
    Some(match *path.last().unwrap() {
        "applicationId" => "app",
        "organizationId" => "org",
        "deploymentId" => "dep",
        "uploadId" => "upl",
        "instanceId" => "ins",
        "nodeId" => "nod",
        "planId" => "pln",
        "regionId" => "reg",
        "runtimeId" => "rtm",
        "id" | "ids" => match field {
            name if name.starts_with("application") => "app",
            name if name.starts_with("invoice") => "ivc",
            name if name.starts_with("spendingAlert") => "alr",
            name if name.starts_with("deployment") => "dep",
            name if name.starts_with("organization") => "org",
            name if name.starts_with("variable") => "var",
            name if name.starts_with("membership") => "mem",
            name if name.starts_with("invitation") => "inv",
            name if name.starts_with("session") => "ses",
            name if name.starts_with("apiToken") => "tok",
            name if name.starts_with("user") => "usr",
            name if name.starts_with("operation") => "opr",
            name if name.starts_with("instance") => "ins",
            name if name.starts_with("build") => "bld",
            name if name.starts_with("plan") => "pln",
            name if name.starts_with("region") => "reg",
            name if name.starts_with("runtime") => "rtm",
            name if name.starts_with("workerNode") || name.starts_with("node") && name.len() > 5 => "nod",
            _ => return None,
        },
        _ => return None,
    })
}

/// Words that let a call get as far as asking whose a thing is.
pub fn sensible(kind: &str, path: &[&str], slug: &str) -> Option<Value> {
    let name = *path.last().unwrap();
    Some(match name {
        "name" => json!("Changed"),
        "email" => json!("somebody@example.org"),
        "role" if kind == "ENUM" => json!("VIEWER"),
        "confirmSlug" => json!(slug),
        "sha256" => json!("0".repeat(64)),
        "sizeBytes" => json!("1"),
        "key" | "keys" if path.contains(&"variables") || name == "keys" => json!("KEY"),
        "value" if path.contains(&"variables") => json!("x"),
        "instances" => json!(1),
        _ => return None,
    })
}

/// A slug that nothing has yet.
pub fn fresh(prefix: &str, number: usize) -> String {
    let slug = format!("{prefix}-{number}");
    slug.parse::<Slug>().unwrap();
    slug
}
