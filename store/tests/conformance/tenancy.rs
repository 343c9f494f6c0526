//! A foreign id and a missing id are the same answer, from every function that takes a viewer.

use std::collections::HashMap;

use slipway_model::{
    ApplicationId, AuditEventId, DeploymentId, EnvKey, EventId, InstanceId, InvitationId, InvoiceId, LedgerEntryId, MembershipId, Money,
    NodeId, OperationId, OrganizationId, ReleaseId, Role, Sha256Digest, Slug, SpendingAlertId, UploadId, VariableId, Viewer,
    state::{ApplicationStatus, InvoiceStatus, LedgerAccount, LedgerEntryKind, UsageKind, VariableScope},
};
use slipway_store::{
    Page, StoreError, Tx,
    applications::{self, Application, Filter},
    audit::{self, AuditFilter},
    billing_accounts::{self, Account},
    build_logs, deployments,
    events::{self, NewEvent},
    execute,
    idempotency::{self, Request},
    instances,
    invitations::{self, Invitation},
    invoices::{self, Invoice},
    ledger::{self, LedgerEntry},
    memberships, operations,
    organizations::{self, Organization},
    quotas, releases, spending_alerts, suspensions, tasks, uploads, usage,
    variables::{self, Variable},
};
use slipway_store_testing::{TestDatabase, on_both};

use crate::world::{World, stranger};

/// One of everything that an organization owns, by id.
struct Owned {
    organization: Organization,
    membership: MembershipId,
    invitation: Invitation,
    audit_event: AuditEventId,
    application: Application,
    variable: Variable,
    upload: UploadId,
    deployment: DeploymentId,
    release: ReleaseId,
    instance: InstanceId,
    node: NodeId,
    operation: OperationId,
    entry: LedgerEntryId,
    invoice: Invoice,
    alert: SpendingAlertId,
}

async fn owned(tx: &mut Tx, world: &World) -> Owned {
    let rollout = world.rollout(tx, "shop", 1).await;
    operations::insert(tx, &rollout.operation).await.unwrap();
    build_logs::append(tx, rollout.deployment.id, None, world.now(), &["a line".into()]).await.unwrap();
    let application = rollout.application;
    let variable = Variable {
        id: VariableId::new(&world.clock),
        organization_id: world.organization.id,
        application_id: application.id,
        key: "KEY".parse().unwrap(),
        value_ciphertext: vec![1, 2, 3],
        fingerprint: "f".into(),
        scope: VariableScope::Both,
        origin: "user".into(),
        sensitive: false,
        version: 1,
        updated_by: None,
        updated_at: world.now(),
    };
    variables::upsert(tx, &world.viewer, &variable).await.unwrap();
    let upload = crate::uploads::upload(world, &application);
    let ticket = Sha256Digest::of(b"ticket");
    uploads::insert(tx, &world.viewer, &upload, ticket).await.unwrap();
    uploads::receive(tx, ticket, ticket, 1, world.now()).await.unwrap();
    let event = NewEvent {
        id: EventId::new(&world.clock),
        organization_id: Some(world.organization.id),
        application_id: Some(application.id),
        resource: None,
        kind: "e".into(),
        message: "m".into(),
        data: None,
        created_at: world.now(),
    };
    events::insert(tx, &event).await.unwrap();
    let instance = slipway_model::InstanceId::new(&world.clock);
    let record = usage::UsageRecord {
        id: slipway_model::UsageId::new(&world.clock),
        organization_id: world.organization.id,
        kind: UsageKind::Instance,
        subject_id: application.id.uuid(),
        resource_id: instance.uuid(),
        started_at: world.now(),
        ended_at: None,
        rated_until: world.now(),
        settled: false,
        hourly_rate: Money::from_nanos(1),
    };
    usage::begin(tx, &record).await.unwrap();
    billing_accounts::lock(tx, &world.viewer, world.organization.id, world.now()).await.unwrap();
    // Of a usage, and on the wallet, so that every question has an answer.
    let charged = LedgerEntry {
        debit: LedgerAccount::Wallet,
        credit: LedgerAccount::Revenue,
        subject_id: Some(application.id.uuid()),
        period_start: Some(world.now()),
        period_end: Some(world.now()),
        ..entry(world)
    };
    let charged = LedgerEntry { idempotency_key: charged.id.to_string(), ..charged };
    ledger::append(tx, &world.viewer, std::slice::from_ref(&charged)).await.unwrap();
    let day = usage::UsageDay {
        organization_id: world.organization.id,
        subject_id: application.id.uuid(),
        kind: UsageKind::Instance,
        day: world.now(),
        micros: 1,
        amount: Money::from_nanos(1),
    };
    usage::add_days(tx, &[day]).await.unwrap();
    let mut invoice = invoices::draft(tx, &world.viewer, &crate::money::invoice(world)).await.unwrap();
    invoice.status = InvoiceStatus::Open;
    invoice.number = Some(invoices::next_number(tx).await.unwrap());
    invoices::save(tx, &world.viewer, &invoice, InvoiceStatus::Draft).await.unwrap();
    let alert = crate::money::alert(world);
    spending_alerts::insert(tx, &world.viewer, &alert).await.unwrap();
    suspensions::insert(tx, &world.viewer, &crate::money::suspension(world, application.id)).await.unwrap();
    let on_invoice = LedgerEntry { sequence: 2, amount: Money::from_nanos(5), ..entry(world) };
    ledger::append(tx, &world.viewer, &[on_invoice]).await.unwrap();
    execute!(tx, "UPDATE ledger_entries SET invoice_id = $1 WHERE sequence = 2", invoice.id).unwrap();
    let invitation = crate::invitations::invitation(world, "guest@example.org");
    invitations::insert(tx, &world.viewer, &invitation, Sha256Digest::of(b"invitation")).await.unwrap();
    let audit_event = audit::append(tx, &crate::audit::event(world, "x")).await.unwrap().id;
    let task = slipway_store::tasks::Task {
        kind: slipway_model::state::TaskKind::Build,
        outcome: Some(serde_json::json!({})),
        operation_id: None,
        ..rollout.task.clone()
    };
    tasks::insert(tx, &task).await.unwrap();
    let membership = memberships::of_users(tx, &[world.owner.id]).await.unwrap()[&world.owner.id][0].id;
    Owned {
        organization: world.organization.clone(),
        membership,
        invitation,
        audit_event,
        application,
        variable,
        upload: upload.id,
        deployment: rollout.deployment.id,
        release: rollout.release.id,
        instance: rollout.instance.id,
        node: rollout.node.id,
        operation: rollout.operation.id,
        entry: charged.id,
        invoice,
        alert: alert.id,
    }
}

fn entry(world: &World) -> LedgerEntry {
    crate::money::entry(world, &LedgerEntryId::new(&world.clock).to_string(), 1, LedgerEntryKind::TopUp, 1)
}

impl Owned {
    /// Ids and slugs of the same shape that nothing has.
    fn missing(&self, world: &World) -> Self {
        let organization =
            Organization { id: OrganizationId::new(&world.clock), slug: "nowhere".parse().unwrap(), ..self.organization.clone() };
        let application = Application {
            id: ApplicationId::new(&world.clock),
            organization_id: organization.id,
            slug: "nothing".parse().unwrap(),
            ..self.application.clone()
        };
        let variable = Variable {
            id: VariableId::new(&world.clock),
            organization_id: organization.id,
            application_id: application.id,
            ..self.variable.clone()
        };
        let clock = &world.clock;
        let invitation = Invitation { id: InvitationId::new(clock), organization_id: organization.id, ..self.invitation.clone() };
        let invoice = Invoice { id: InvoiceId::new(clock), organization_id: organization.id, ..self.invoice.clone() };
        Self {
            organization,
            membership: MembershipId::new(clock),
            invitation,
            audit_event: AuditEventId::new(clock),
            application,
            variable,
            upload: UploadId::new(clock),
            deployment: DeploymentId::new(clock),
            release: ReleaseId::new(clock),
            instance: InstanceId::new(clock),
            node: NodeId::new(clock),
            operation: OperationId::new(clock),
            entry: LedgerEntryId::new(clock),
            invoice,
            alert: SpendingAlertId::new(clock),
        }
    }
}

/// What several parents have, without their ids.
async fn only<K, T>(answer: impl Future<Output = Result<HashMap<K, T>, StoreError>>) -> Result<Vec<T>, StoreError> {
    Ok(answer.await?.into_values().collect())
}

/// Asks every function with a viewer that reads or changes what is there, and gives each answer as text.
async fn ask_everything(database: &TestDatabase, world: &World, viewer: &Viewer, of: &Owned) -> Vec<(&'static str, String)> {
    let mut answers = Vec::new();
    // Each in a transaction of its own, because an error ends it.
    macro_rules! ask {
        ($tx:ident, $($call:expr),+ $(,)?) => {
            $({
                let mut tx = database.db.begin().await.unwrap();
                let $tx = &mut tx;
                answers.push((stringify!($call), format!("{:?}", $call.await)));
                tx.rollback().await.unwrap();
            })+
        };
    }
    let page = &Page::default();
    let now = world.later(1);
    let (from, to) = (world.later(-1), world.later(9));
    let organization = of.organization.id;
    let application = of.application.id;
    let slug: &Slug = &of.application.slug;
    let key: &EnvKey = &of.variable.key;
    let filter = &Filter { organization: Some(organization), ..Filter::default() };
    let (release, deployment) = (ReleaseId::new(&world.clock), DeploymentId::new(&world.clock));
    let lock = &serde_json::json!({});
    ask!(
        tx,
        organizations::find(tx, viewer, organization),
        organizations::lock(tx, viewer, organization),
        organizations::by_ids(tx, viewer, &[organization]),
        only(organizations::living(tx, viewer, &[organization])),
        organizations::by_slug(tx, viewer, &of.organization.slug),
        organizations::list(tx, viewer, page),
        organizations::update(tx, viewer, &of.organization),
        organizations::delete(tx, viewer, organization, &"resting".parse().unwrap(), now),
        memberships::find(tx, viewer, of.membership),
        memberships::of_organization(tx, viewer, organization, page),
        only(memberships::of_each_organization(tx, viewer, &[organization], page)),
        only(quotas::used_of_each(tx, viewer, &[organization])),
        memberships::has_email(tx, viewer, organization, &format!("{}@example.org", of.organization.slug)),
        memberships::set_role(tx, viewer, of.membership, Role::Viewer),
        memberships::delete(tx, viewer, of.membership),
        memberships::count(tx, viewer, organization, Role::Owner),
        invitations::find(tx, viewer, of.invitation.id),
        only(invitations::of_each_organization(tx, viewer, &[organization], now, page)),
        invitations::count_open(tx, viewer, organization, now),
        invitations::replace(tx, viewer, organization, &of.invitation.email, now),
        invitations::revoke(tx, viewer, of.invitation.id, now),
        audit::find(tx, viewer, of.audit_event),
        audit::list(tx, viewer, &AuditFilter::default(), page),
        only(audit::of_each_organization(tx, viewer, &[organization], page)),
        audit::list(tx, viewer, &AuditFilter { organization: Some(organization), ..AuditFilter::default() }, page),
        applications::find(tx, viewer, application),
        applications::lock(tx, viewer, application),
        applications::by_ids(tx, viewer, &[application]),
        applications::by_slug(tx, viewer, slug),
        applications::list(tx, viewer, filter, page),
        only(applications::of_each_organization(tx, viewer, &[organization], None, None, page)),
        applications::list(tx, viewer, &Filter::default(), page),
        applications::count(tx, viewer, organization),
        applications::update(tx, viewer, &of.application, 1),
        applications::set_status(tx, viewer, application, ApplicationStatus::Crashed, None),
        applications::set_stopped(tx, viewer, application, true),
        applications::return_to_plan(tx, viewer, application, of.application.plan_id, of.application.plan_id),
        applications::set_current(tx, viewer, application, release, deployment),
        applications::set_tool_lock(tx, viewer, application, lock),
        applications::delete(tx, viewer, application, now),
        variables::of_application(tx, viewer, application),
        only(variables::of_each_application(tx, viewer, &[application])),
        variables::find(tx, viewer, of.variable.id),
        variables::upsert(tx, viewer, &of.variable),
        variables::delete(tx, viewer, application, key),
        uploads::find(tx, viewer, of.upload),
        uploads::consume(tx, viewer, of.upload, now),
        only(events::of_each_application(tx, viewer, &[application], page)),
        events::list(tx, viewer, Some(organization), page),
        events::list(tx, viewer, None, page),
        events::after(tx, viewer, Some(application), 0, 10),
        events::after(tx, viewer, None, 0, 10),
        usage::of_organization(tx, viewer, organization, from, to),
        only(usage::run_rates(tx, viewer, &[organization])),
        usage::days(tx, viewer, &[organization], from, to),
        ledger::list(tx, viewer, organization, None, page),
        only(ledger::of_each_organization(tx, viewer, &[organization], None, page)),
        ledger::find(tx, viewer, of.entry),
        ledger::by_key(tx, viewer, organization, &of.entry.to_string()),
        ledger::written(tx, viewer, organization, &[of.entry.to_string()]),
        ledger::since(tx, viewer, organization, (from, to), 0, 10),
        ledger::balance(tx, viewer, organization),
        ledger::charged(tx, viewer, Some(&[organization]), from, to),
        ledger::billed(tx, viewer, organization, to, None),
        ledger::put_on_invoice(tx, viewer, organization, to, of.invoice.id),
        ledger::take_off_invoice(tx, viewer, of.invoice.id),
        billing_accounts::find(tx, viewer, organization),
        only(billing_accounts::of_each(tx, viewer, &[organization])),
        billing_accounts::committed(tx, viewer, organization),
        invoices::find(tx, viewer, of.invoice.id),
        invoices::lock(tx, viewer, of.invoice.id),
        only(invoices::of_each_organization(tx, viewer, &[organization], page)),
        invoices::open_of(tx, viewer, organization),
        invoices::save(tx, viewer, &of.invoice, InvoiceStatus::Open),
        spending_alerts::find(tx, viewer, of.alert),
        only(spending_alerts::of_each(tx, viewer, &[organization])),
        spending_alerts::delete(tx, viewer, of.alert),
        suspensions::find(tx, viewer, application),
        only(suspensions::of_each(tx, viewer, &[application])),
        suspensions::delete(tx, viewer, application),
        deployments::find(tx, viewer, of.deployment),
        deployments::by_ids(tx, viewer, &[of.deployment]),
        only(deployments::of_each_application(tx, viewer, &[application], None, page)),
        deployments::steps(tx, viewer, of.deployment),
        deployments::steps_of(tx, viewer, &[of.deployment]),
        releases::find(tx, viewer, of.release),
        releases::by_ids(tx, viewer, &[of.release]),
        instances::find(tx, viewer, of.instance),
        instances::by_ids(tx, viewer, &[of.instance]),
        instances::of_application(tx, viewer, application, page),
        only(instances::current_of_each(tx, viewer, &[application], page)),
        only(instances::of_each_deployment(tx, viewer, &[of.deployment], page)),
        only(instances::on_each(tx, viewer, &[of.node], page)),
        instances::desired_of(tx, viewer, application),
        build_logs::after(tx, viewer, of.deployment, 0, 10),
        only(build_logs::ends_of(tx, viewer, &[of.deployment], 10)),
        only(build_logs::sizes_of(tx, viewer, &[of.deployment])),
        only(tasks::build_outcomes_of(tx, viewer, &[of.deployment])),
        operations::find(tx, viewer, of.operation),
        operations::by_ids(tx, viewer, &[of.operation]),
        operations::of_application(tx, viewer, application, page),
        only(operations::of_each_application(tx, viewer, &[application], page)),
        operations::list(tx, viewer, None, page),
        operations::of_deployment(tx, viewer, of.deployment),
    );
    answers
}

#[tokio::test]
async fn a_foreign_id_and_a_missing_id_are_the_same_answer() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let theirs = owned(&mut tx, &world).await;
        tx.commit().await.unwrap();
        let missing = theirs.missing(&world);
        let own = ask_everything(&database, &world, &world.viewer, &theirs).await;
        for viewer in [other.viewer.clone(), stranger(&world.clock)] {
            let foreign = ask_everything(&database, &world, &viewer, &theirs).await;
            let absent = ask_everything(&database, &world, &viewer, &missing).await;
            assert_eq!(foreign, absent);
        }
        // The owner gets another answer everywhere: so the questions are ones that tell.
        let absent = ask_everything(&database, &world, &stranger(&world.clock), &missing).await;
        for ((question, own), (_, absent)) in own.iter().zip(&absent) {
            assert_ne!(own, absent, "{question}");
        }
        // And a platform administrator, like the platform, sees what the owner sees.
        let admin = Viewer::User { id: other.owner.id, platform_admin: true, memberships: Vec::new(), token: None };
        for viewer in [admin, Viewer::Platform] {
            let all = ask_everything(&database, &world, &viewer, &theirs).await;
            for ((question, all), (_, absent)) in all.iter().zip(&absent) {
                assert_ne!(all, absent, "{question}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_written_into_a_foreign_organization() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let theirs = owned(&mut tx, &world).await;
        tx.commit().await.unwrap();
        let viewer = &other.viewer;
        let ticket = Sha256Digest::of(b"another");
        let request = Request { organization: world.organization.id, mutation: "m", key: "k", input: ticket };
        let mut tx = database.db.begin().await.unwrap();
        let refusals = [
            applications::insert(&mut tx, viewer, &world.application("new")).await,
            variables::upsert(&mut tx, viewer, &Variable { id: VariableId::new(&world.clock), ..theirs.variable.clone() }).await,
            uploads::insert(&mut tx, viewer, &crate::uploads::upload(&world, &theirs.application), ticket).await,
            ledger::append(&mut tx, viewer, &[entry(&world)]).await,
            billing_accounts::lock(&mut tx, viewer, world.organization.id, world.now()).await.map(drop),
            billing_accounts::save(&mut tx, viewer, &Account::blank(world.organization.id, world.now())).await,
            invoices::draft(&mut tx, viewer, &crate::money::invoice(&world)).await.map(drop),
            spending_alerts::insert(&mut tx, viewer, &crate::money::alert(&world)).await,
            suspensions::insert(&mut tx, viewer, &crate::money::suspension(&world, theirs.application.id)).await.map(drop),
            invitations::insert(&mut tx, viewer, &crate::invitations::invitation(&world, "x@example.org"), ticket).await,
            idempotency::remember(&mut tx, viewer, request, theirs.upload, world.now()).await.map(drop),
        ];
        for refusal in refusals {
            assert!(matches!(refusal, Err(StoreError::Reference)), "{refusal:?}");
        }
        // Nor through an organization of one's own.
        let mixed = Variable { organization_id: other.organization.id, id: VariableId::new(&world.clock), ..theirs.variable.clone() };
        assert!(variables::upsert(&mut tx, viewer, &mixed).await.is_err());
    })
    .await;
}
