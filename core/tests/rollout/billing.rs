//! What runs is paid for: from its start to its end, by whoever it belongs to, and no longer than they can.

use std::sync::Arc;

use chrono::TimeDelta;
use slipway_core::{
    Error, UserErrorCode,
    billing::{cycle, rating, suspension, wallet},
    crash::{BILLING_POINTS, CrashPoints},
    lifecycle, plan_changes,
};
use slipway_model::{
    ApplicationId, Money, OrganizationId, PlanId,
    state::{ApplicationStatus, BillingStatus, InstanceStatus, LedgerEntryKind, OperationStatus, SuspensionReason},
};
use slipway_store::{
    Page,
    billing_accounts::{self, Account},
    ledger::{self, LedgerEntry},
    organizations, plans, usage,
};
use slipway_store_testing::{TestDatabase, on_both};
use tokio::sync::Notify;

use crate::world::{EVERYBODY, World, deploy};

impl World {
    async fn organization(&self) -> OrganizationId {
        let mut tx = self.database.db.read().await.unwrap();
        organizations::list(&mut tx, EVERYBODY, &Page::first(1)).await.unwrap().items[0].id
    }

    async fn top_up(&self, amount: &str, key: &str) -> LedgerEntry {
        let organization = self.organization().await;
        let new = wallet::TopUp { organization, amount: amount.parse().unwrap(), key: key.to_owned() };
        wallet::top_up(&self.platform(), EVERYBODY, new).await.unwrap()
    }

    async fn account(&self) -> Account {
        let organization = self.organization().await;
        let mut tx = self.database.db.read().await.unwrap();
        let account = billing_accounts::find(&mut tx, EVERYBODY, organization).await.unwrap().unwrap();
        let sum = ledger::balance(&mut tx, EVERYBODY, organization).await.unwrap();
        assert_eq!(account.balance, sum, "an account is what its entries come to");
        account
    }

    /// One turn of the billing cycle, so many hours later.
    async fn hours_later(&self, hours: i64) -> Account {
        self.clock.advance(TimeDelta::hours(hours));
        let p = self.platform();
        cycle::turn(&p, p.now()).await.unwrap();
        self.account().await
    }

    async fn plan_id(&self, slug: &str) -> PlanId {
        plans::by_slug(&mut self.database.db.read().await.unwrap(), &slug.parse().unwrap()).await.unwrap().unwrap().id
    }

    async fn metered(&self, application: ApplicationId) -> Vec<(bool, Money)> {
        let organization = self.organization().await;
        let (from, to) = (self.platform().now() - TimeDelta::days(9), self.platform().now() + TimeDelta::days(9));
        let mut tx = self.database.db.read().await.unwrap();
        let rows = usage::of_organization(&mut tx, EVERYBODY, organization, from, to).await.unwrap();
        let own = rows.into_iter().filter(|row| row.subject_id == application.uuid());
        let mut rows: Vec<_> = own.map(|row| (row.ended_at.is_none(), row.hourly_rate)).collect();
        rows.sort();
        rows
    }
}

fn code(error: Error) -> UserErrorCode {
    let Error::User(errors) = error else { panic!("{error:?}") };
    errors[0].code
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_account_has_a_day_then_all_is_suspended_and_a_top_up_resumes_it() {
    on_both(async |database| {
        let world = World::prepaid(database).await;
        let p = world.platform();
        let mut agent = world.agent().await;
        world.top_up("0.5", "first").await;
        let application = world.application("shop").await;
        let live = world.deploy_live(application.id).await;
        let rate = world.instances(application.id).await[0].hourly_rate;
        assert!(rate > Money::ZERO);

        // What is left covers less than a day: its people are warned, and nothing stops.
        let hours_left = 500_000_000 / rate.nanos();
        let low = world.hours_later(hours_left - 20).await;
        assert_eq!(low.status, BillingStatus::LowBalance, "{low:?}");
        let grace = world.hours_later(22).await;
        assert_eq!(grace.status, BillingStatus::Grace, "{grace:?}");
        assert!(grace.balance < Money::ZERO);
        assert_eq!(grace.grace_ends_at, Some(p.now() + TimeDelta::hours(24)));
        let later = world.hours_later(23).await;
        assert_eq!((later.status, later.grace_ends_at), (BillingStatus::Grace, grace.grace_ends_at), "the grace is not prolonged");
        assert_eq!(agent.containers_of(application.id).len(), 1);

        let suspended = world.hours_later(1).await;
        assert_eq!(suspended.status, BillingStatus::Suspended);
        let row = world.application_is(application.id, ApplicationStatus::Suspended).await;
        assert!(row.status_reason.unwrap().contains("data stays"));
        world.eventually("nothing runs", async || agent.containers_of(application.id).is_empty().then_some(())).await;
        world
            .eventually("nothing is metered", async || {
                usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap().is_empty().then_some(())
            })
            .await;
        let refused = slipway_core::deployments::request(&p, EVERYBODY, deploy(application.id)).await.unwrap_err();
        assert_eq!(code(refused), UserErrorCode::InvalidState, "it is suspended");
        assert_eq!(world.application_now(application.id).await.current_release_id, row.current_release_id, "its release stays");
        let resumed_by_hand = suspension::resume(&p, EVERYBODY, application.id).await.unwrap_err();
        assert_eq!(code(resumed_by_hand), UserErrorCode::InvalidState);

        let owed = world.hours_later(5).await.balance;
        assert_eq!(world.hours_later(5).await.balance, owed, "what is suspended costs nothing");
        // While the clock jumped, its node said nothing.
        agent.cut();
        agent.connect();
        world
            .eventually("the node is heard of", async || {
                let node = slipway_store::nodes::find(&mut world.database.db.read().await.unwrap(), agent.node).await.unwrap().unwrap();
                node.last_heartbeat_at.is_some_and(|at| at >= p.now()).then_some(())
            })
            .await;
        world.top_up("10", "second").await;
        assert_eq!(world.account().await.status, BillingStatus::Active);
        world.application_is(application.id, ApplicationStatus::Running).await;
        assert_eq!(world.serving(application.id).await[0].deployment_id, live.id, "what ran runs again");
        assert_eq!(agent.tasks_begun().len(), 2, "nothing was built again");
        let kinds = world.event_kinds(application.id).await;
        assert!(kinds.contains(&"application.suspended".to_owned()) && kinds.contains(&"application.resumed".to_owned()), "{kinds:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_by_its_customer_stays_stopped_when_it_is_resumed() {
    let world = World::new().await;
    let p = world.platform();
    let agent = world.agent().await;
    let (shop, blog) = (world.application("shop").await, world.application("blog").await);
    world.deploy_live(shop.id).await;
    world.deploy_live(blog.id).await;
    let (_, operation) = lifecycle::stop(&p, EVERYBODY, blog.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;

    for application in [shop.id, blog.id] {
        let suspended = suspension::suspend(&p, EVERYBODY, application, SuspensionReason::Abuse).await.unwrap();
        assert_eq!(suspended.status, ApplicationStatus::Suspended);
        assert!(suspension::suspend(&p, EVERYBODY, application, SuspensionReason::Admin).await.is_err(), "it is already");
        assert!(
            lifecycle::start(&p, EVERYBODY, application).await.is_err() && lifecycle::restart(&p, EVERYBODY, application).await.is_err()
        );
    }
    let by_hand = suspension::suspend(&p, EVERYBODY, shop.id, SuspensionReason::InsufficientBalance).await.unwrap_err();
    assert_eq!(code(by_hand), UserErrorCode::Invalid);
    world.eventually("nothing runs", async || agent.containers_of(shop.id).is_empty().then_some(())).await;
    cycle::turn(&p, p.now()).await.unwrap();
    assert_eq!(world.application_now(shop.id).await.status, ApplicationStatus::Suspended, "money does not resume it");

    for application in [shop.id, blog.id] {
        suspension::resume(&p, EVERYBODY, application).await.unwrap();
        assert!(suspension::resume(&p, EVERYBODY, application).await.is_err(), "it is no longer");
    }
    world.application_is(shop.id, ApplicationStatus::Running).await;
    assert_eq!(world.application_now(blog.id).await.status, ApplicationStatus::Stopped);
    world.check(&agent, shop.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_suspending_calls_off_is_made_when_it_is_resumed() {
    let world = World::new().await;
    let p = world.platform();
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let (_, operation) = lifecycle::stop(&p, EVERYBODY, application.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Starting);
    let (_, start) = lifecycle::start(&p, EVERYBODY, application.id).await.unwrap();
    world.operation_is(start.id, OperationStatus::Running).await;

    suspension::suspend(&p, EVERYBODY, application.id, SuspensionReason::Admin).await.unwrap();
    world.operation_is(start.id, OperationStatus::Canceled).await;
    assert!(!world.application_now(application.id).await.stopped, "its customer has not stopped it");
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Healthy);
    suspension::resume(&p, EVERYBODY, application.id).await.unwrap();
    world.application_is(application.id, ApplicationStatus::Running).await;
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_that_comes_late_suspends_nobody_who_has_paid_and_resumes_nobody_who_owes() {
    let world = World::new().await;
    let p = world.platform();
    let _agent = world.agent().await;
    let organization = world.organization().await;
    world.top_up("1", "first").await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    suspension::follow(&p, organization, BillingStatus::Suspended).await.unwrap();
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Running);

    let account = world.account().await;
    let mut tx = world.database.db.begin().await.unwrap();
    billing_accounts::save(&mut tx, EVERYBODY, &Account { status: BillingStatus::Suspended, ..account }).await.unwrap();
    tx.commit().await.unwrap();
    suspension::follow(&p, organization, BillingStatus::Suspended).await.unwrap();
    world.application_is(application.id, ApplicationStatus::Suspended).await;
    suspension::follow(&p, organization, BillingStatus::Active).await.unwrap();
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Suspended);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_calls_off_what_is_under_way() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, slipway_model::state::DeploymentStatus::Building).await;
    suspension::suspend(&world.platform(), EVERYBODY, application.id, SuspensionReason::Admin).await.unwrap();
    assert_eq!(world.deployment(deployment.id).await.status, slipway_model::state::DeploymentStatus::Canceled);
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Suspended);
    suspension::resume(&world.platform(), EVERYBODY, application.id).await.unwrap();
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Created, "it never ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_plan_replaces_what_runs_without_a_gap_and_costs_the_new_rate_at_once() {
    on_both(async |database| {
        let world = World::prepaid(database).await;
        let p = world.platform();
        let agent = world.agent().await;
        world.top_up("5", "first").await;
        let application = world.application_on("shop", "small", 2).await;
        world.deploy_live(application.id).await;
        let before: Vec<_> = world.serving(application.id).await.into_iter().map(|row| (row.id, row.hourly_rate)).collect();

        let medium = world.plan_id("medium").await;
        let change = plan_changes::change(&p, EVERYBODY, application.id, medium, Some(application.version)).await.unwrap();
        assert_eq!((change.application.plan_id, change.application.version), (medium, application.version + 1));
        world.operation_is(change.operation.unwrap().id, OperationStatus::Succeeded).await;
        let after: Vec<_> = world.serving(application.id).await.into_iter().map(|row| (row.id, row.hourly_rate, row.plan_id)).collect();
        assert!(after.iter().all(|(id, _, plan)| *plan == medium && before.iter().all(|(old, _)| old != id)), "{after:?}");
        let (old, new) = (before[0].1, after[0].1);
        assert_eq!(change.price_change.nanos(), 2 * (new.nanos() - old.nanos()));
        assert_eq!(world.metered(application.id).await, [(false, old), (false, old), (true, new), (true, new)]);
        world.check(&agent, application.id).await;

        // The same again, and versions of before.
        let again = plan_changes::change(&p, EVERYBODY, application.id, medium, None).await.unwrap_err();
        assert_eq!(code(again), UserErrorCode::Invalid);
        let small = world.plan_id("small").await;
        let stale = plan_changes::change(&p, EVERYBODY, application.id, small, Some(application.version)).await.unwrap_err();
        assert_eq!(code(stale), UserErrorCode::StaleVersion);
        let large = world.plan_id("large").await;
        world.hours_later(155).await;
        let poor = plan_changes::change(&p, EVERYBODY, application.id, large, None).await.unwrap_err();
        assert_eq!(code(poor), UserErrorCode::InsufficientBalance);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_does_not_fit_keeps_its_plan() {
    let world = World::new().await;
    let p = world.platform();
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let serving: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
    let (small, medium) = (application.plan_id, world.plan_id("medium").await);

    // With what the new plan grants it does not become healthy.
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Exited);
    let change = plan_changes::change(&p, EVERYBODY, application.id, medium, None).await.unwrap();
    world.operation_is(change.operation.unwrap().id, OperationStatus::Failed).await;
    assert_eq!(world.application_now(application.id).await.plan_id, small);
    assert_eq!(world.serving(application.id).await.into_iter().map(|row| row.id).collect::<Vec<_>>(), serving);
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Healthy);

    // It runs more instances than the smaller plan grants, or its image is larger than its storage.
    let mut tiny = plans::find(&mut world.database.db.read().await.unwrap(), medium).await.unwrap().unwrap();
    (tiny.id, tiny.slug) = (PlanId::new(&world.clock), "tiny".parse().unwrap());
    (tiny.max_instances, tiny.storage_bytes) = (1, 1);
    let mut tx = world.database.db.begin().await.unwrap();
    plans::insert(&mut tx, &tiny).await.unwrap();
    tx.commit().await.unwrap();
    let operation = lifecycle::scale(&p, EVERYBODY, application.id, 2, None).await.unwrap().operation;
    world.operation_is(operation.unwrap().id, OperationStatus::Succeeded).await;
    let refused = plan_changes::change(&p, EVERYBODY, application.id, tiny.id, None).await.unwrap_err();
    let Error::User(errors) = refused else { panic!("{refused:?}") };
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), [UserErrorCode::QuotaExceeded, UserErrorCode::InvalidState]);
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_dies_while_it_charges_charges_once() {
    for point in BILLING_POINTS {
        let mut world = World::prepaid(TestDatabase::sqlite().await).await;
        let _agent = world.agent().await;
        world.top_up("100", "first").await;
        let application = world.application("shop").await;
        world.deploy_live(application.id).await;
        let rate = world.instances(application.id).await[0].hourly_rate;
        world.clock.advance(TimeDelta::hours(5));
        let reached = Arc::new(Notify::new());
        // Its own cycle comes to the place first.
        world.restart_with(CrashPoints::halt_at(point, reached.clone())).await;
        tokio::time::timeout(std::time::Duration::from_secs(20), reached.notified()).await.unwrap();
        world.restart().await;
        let p = world.platform();
        rating::rate_due(&p, p.now()).await.unwrap();
        rating::rate_due(&p, p.now()).await.unwrap();
        let organization = world.organization().await;
        let kinds = [LedgerEntryKind::UsageInstance];
        let mut tx = world.database.db.read().await.unwrap();
        let entries = ledger::list(&mut tx, EVERYBODY, organization, Some(&kinds), &Page::first(100)).await.unwrap().items;
        drop(tx);
        assert!((5..=6).contains(&entries.len()), "{point}: {}", entries.len());
        let whole: Vec<_> = entries.iter().filter(|entry| entry.quantity_micros == Some(3_600_000_000)).collect();
        assert!(whole.len() >= 4 && whole.iter().all(|entry| entry.amount == rate), "{point}");
        world.account().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_before_it_became_known_is_given_back() {
    on_both(async |database| {
        let world = World::prepaid(database).await;
        let p = world.platform();
        world.top_up("100", "first").await;
        let organization = world.organization().await;
        let rate: Money = "3.6".parse().unwrap();
        let run = slipway_core::metering::Run {
            organization,
            kind: slipway_model::state::UsageKind::Instance,
            subject: uuid::Uuid::from_u128(1),
            resource: uuid::Uuid::from_u128(2),
            hourly_rate: rate,
        };
        let start = p.now();
        let mut tx = world.database.db.begin().await.unwrap();
        slipway_core::metering::begin_run(&mut tx, &p, run, start).await.unwrap();
        tx.commit().await.unwrap();
        let charged = world.hours_later(30).await;
        assert!(charged.balance < "0".parse().unwrap(), "{charged:?}");
        // Its node was away, and says now that it ended ten seconds after its start.
        let mut tx = world.database.db.begin().await.unwrap();
        slipway_core::metering::end_run(&mut tx, run.resource, start + TimeDelta::seconds(10)).await.unwrap();
        tx.commit().await.unwrap();
        let account = world.hours_later(0).await;
        assert_eq!(account.balance, "99.99".parse().unwrap(), "ten seconds at a thousandth each");
        assert_eq!(account.status, BillingStatus::Active);
        let report = ledger::charged(
            &mut world.database.db.read().await.unwrap(),
            EVERYBODY,
            Some(&[organization]),
            start - TimeDelta::hours(1),
            p.now(),
        )
        .await
        .unwrap();
        assert_eq!((report[0].micros, report[0].amount), (10_000_000, "0.01".parse().unwrap()));
    })
    .await;
}
