//! Usage, the ledger, accounts, invoices and alerts.

use slipway_model::{
    ApplicationId, Currency, InvoiceId, LedgerEntryId, Money, SpendingAlertId, UsageId, Viewer,
    state::{ApplicationStatus, BillingStatus, InvoiceStatus, LedgerAccount, LedgerEntryKind, SuspensionReason, UsageKind},
};
use slipway_store::{
    Page, StoreError, Tx, applications,
    billing_accounts::{self, Account},
    execute,
    invoices::{self, Invoice},
    ledger::{self, LedgerEntry},
    spending_alerts::{self, SpendingAlert},
    suspensions::{self, Suspension},
    usage::{self, UsageDay, UsageRecord},
};
use slipway_store_testing::on_both;
use uuid::Uuid;

use crate::world::World;

const EVERYBODY: &Viewer = &Viewer::Platform;

fn record(world: &World, resource: Uuid) -> UsageRecord {
    UsageRecord {
        id: UsageId::new(&world.clock),
        organization_id: world.organization.id,
        kind: UsageKind::Instance,
        subject_id: ApplicationId::new(&world.clock).uuid(),
        resource_id: resource,
        started_at: world.now(),
        ended_at: None,
        rated_until: world.now(),
        settled: false,
        hourly_rate: Money::from_nanos(7),
    }
}

fn some_id(world: &World) -> Uuid {
    LedgerEntryId::new(&world.clock).uuid()
}

#[tokio::test]
async fn a_thing_is_metered_once_at_a_time() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let resource = some_id(&world);
        assert!(usage::begin(&mut tx, &record(&world, resource)).await.unwrap());
        assert!(!usage::begin(&mut tx, &record(&world, resource)).await.unwrap());
        assert_eq!(usage::open(&mut tx).await.unwrap().len(), 1);
        let organization = world.organization.id;
        let rates = usage::run_rates(&mut tx, &world.viewer, &[organization]).await.unwrap();
        assert_eq!(rates.get(&organization), Some(&Money::from_nanos(7)));
        let ended = usage::end(&mut tx, resource, world.later(60)).await.unwrap().unwrap();
        assert_eq!(ended.ended_at, Some(world.later(60)));
        assert_eq!(usage::end(&mut tx, resource, world.later(61)).await.unwrap(), None);
        assert_eq!(usage::open(&mut tx).await.unwrap(), []);
        assert!(usage::run_rates(&mut tx, &world.viewer, &[organization]).await.unwrap().is_empty());
        assert!(usage::begin(&mut tx, &record(&world, resource)).await.unwrap(), "it may start again");
        let early = usage::end(&mut tx, resource, world.later(-5)).await.unwrap().unwrap();
        assert_eq!(early.ended_at, Some(early.started_at), "nothing ends before it began");
    })
    .await;
}

#[tokio::test]
async fn usage_is_due_until_it_stands_in_the_ledger_up_to_its_end() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let (resource, organization) = (some_id(&world), world.organization.id);
        let row = record(&world, resource);
        usage::begin(&mut tx, &row).await.unwrap();
        assert_eq!(usage::due(&mut tx, world.now()).await.unwrap(), []);
        assert_eq!(usage::due(&mut tx, world.later(60)).await.unwrap(), [organization]);
        assert_eq!(usage::unrated(&mut tx, organization, world.now(), 10).await.unwrap(), []);
        assert_eq!(usage::unrated(&mut tx, organization, world.later(60), 10).await.unwrap(), std::slice::from_ref(&row));
        assert_eq!(usage::rated(&mut tx, &[row.id], world.later(60)).await.unwrap(), 1);
        assert_eq!(usage::rated(&mut tx, &[row.id], world.later(60)).await.unwrap(), 0, "somebody else was first");
        assert_eq!(usage::settled(&mut tx, &[row.id]).await.unwrap(), 0, "it runs");
        // It turns out to have ended before: that is due at once.
        usage::end(&mut tx, resource, world.later(30)).await.unwrap();
        assert_eq!(usage::rated(&mut tx, &[row.id], world.later(90)).await.unwrap(), 0, "it has ended");
        assert_eq!(usage::unrated(&mut tx, organization, world.now(), 10).await.unwrap().len(), 1);
        assert_eq!(usage::settled(&mut tx, &[row.id]).await.unwrap(), 1);
        assert_eq!(usage::unrated(&mut tx, organization, world.later(3600), 10).await.unwrap(), []);
        assert_eq!(usage::due(&mut tx, world.later(3600)).await.unwrap(), []);
        for (from, to, expected) in [(0, 10, 1), (20, 40, 1), (30, 40, 0), (-10, 0, 0), (-10, 1, 1)] {
            let (from, to) = (world.later(from), world.later(to));
            let rows = usage::of_organization(&mut tx, &world.viewer, organization, from, to).await.unwrap();
            assert_eq!(rows.len(), expected, "{from} to {to}");
        }
    })
    .await;
}

#[tokio::test]
async fn days_add_up() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let (subject, organization) = (some_id(&world), world.organization.id);
        let day = |day, micros, nanos| UsageDay {
            organization_id: organization,
            subject_id: subject,
            kind: UsageKind::Instance,
            day,
            micros,
            amount: Money::from_nanos(nanos),
        };
        let (first, second) = (world.now(), world.later(86_400));
        usage::add_days(&mut tx, &[day(first, 10, 3), day(second, 20, 4)]).await.unwrap();
        usage::add_days(&mut tx, &[day(first, -1, -2)]).await.unwrap();
        assert_eq!(usage::total(&mut tx, organization, first, second).await.unwrap(), (9, Money::from_nanos(1)));
        assert_eq!(usage::total(&mut tx, organization, second, second).await.unwrap(), (0, Money::ZERO));
        let days = usage::days(&mut tx, &world.viewer, &[organization], first, world.later(86_401)).await.unwrap();
        assert_eq!(days, [day(first, 9, 1), day(second, 20, 4)]);
    })
    .await;
}

pub fn entry(world: &World, key: &str, sequence: i64, kind: LedgerEntryKind, nanos: i64) -> LedgerEntry {
    let (debit, credit) = match kind {
        LedgerEntryKind::TopUp => (LedgerAccount::Payments, LedgerAccount::Wallet),
        LedgerEntryKind::UsageInstance | LedgerEntryKind::UsageDatabase => (LedgerAccount::Wallet, LedgerAccount::Revenue),
        LedgerEntryKind::Refund => (LedgerAccount::Revenue, LedgerAccount::Wallet),
        LedgerEntryKind::Adjustment => (LedgerAccount::Wallet, LedgerAccount::Adjustments),
    };
    LedgerEntry {
        id: LedgerEntryId::new(&world.clock),
        organization_id: world.organization.id,
        sequence,
        kind,
        debit,
        credit,
        amount: Money::from_nanos(nanos),
        currency: Currency::EUR,
        balance_after: Money::ZERO,
        subject_id: None,
        resource_id: None,
        description: "for a test".into(),
        period_start: None,
        period_end: None,
        quantity_micros: None,
        hourly_rate: None,
        used_before_micros: None,
        idempotency_key: key.into(),
        invoice_id: None,
        created_at: world.now(),
    }
}

fn used(world: &World, key: &str, sequence: i64, kind: LedgerEntryKind, subject: Uuid, nanos: i64, seconds: (i64, i64)) -> LedgerEntry {
    LedgerEntry {
        subject_id: Some(subject),
        resource_id: Some(subject),
        period_start: Some(world.later(seconds.0)),
        period_end: Some(world.later(seconds.1)),
        quantity_micros: Some((seconds.1 - seconds.0) * 1_000_000),
        hourly_rate: Some(Money::from_nanos(5)),
        used_before_micros: Some(0),
        ..entry(world, key, sequence, kind, nanos)
    }
}

async fn written(tx: &mut Tx, world: &World) -> Uuid {
    let shop = some_id(world);
    let entries = [
        entry(world, "top-up", 1, LedgerEntryKind::TopUp, 9_000_000_000_000_000_001),
        used(world, "a", 2, LedgerEntryKind::UsageInstance, shop, 10, (0, 10)),
        used(world, "b", 3, LedgerEntryKind::UsageInstance, shop, 20, (10, 30)),
        entry(world, "c", 4, LedgerEntryKind::Adjustment, 5),
        LedgerEntry { quantity_micros: Some(-4_000_000), ..used(world, "d", 5, LedgerEntryKind::Refund, shop, 4, (10, 30)) },
    ];
    ledger::append(tx, EVERYBODY, &entries).await.unwrap();
    shop
}

#[tokio::test]
async fn what_is_written_once_is_summed_exactly() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        assert_eq!(ledger::balance(&mut tx, &world.viewer, organization).await.unwrap(), Money::ZERO);
        let shop = written(&mut tx, &world).await;
        let balance = ledger::balance(&mut tx, &world.viewer, organization).await.unwrap();
        assert_eq!(balance, Money::from_nanos(9_000_000_000_000_000_001 - 10 - 20 - 5 + 4));
        let keys = ["a", "b", "x"].map(str::to_owned);
        assert_eq!(ledger::written(&mut tx, &world.viewer, organization, &keys).await.unwrap().len(), 2);
        let a = ledger::by_key(&mut tx, &world.viewer, organization, "a").await.unwrap().unwrap();
        assert_eq!((a.of_wallet(), a.sequence), (Money::from_nanos(-10), 2));
        assert_eq!(ledger::find(&mut tx, &world.viewer, a.id).await.unwrap(), Some(a));
        let listed = ledger::list(&mut tx, &world.viewer, organization, None, &Page::first(3)).await.unwrap();
        assert_eq!((listed.items.len(), listed.has_next), (3, true));
        let kinds = [LedgerEntryKind::TopUp];
        let each = ledger::of_each_organization(&mut tx, &world.viewer, &[organization], Some(&kinds), &Page::first(3)).await.unwrap();
        assert_eq!(each[&organization].items.len(), 1);
        let span = (world.now(), world.later(1));
        let after: Vec<i64> =
            ledger::since(&mut tx, &world.viewer, organization, span, 1, 3).await.unwrap().into_iter().map(|row| row.sequence).collect();
        assert_eq!(after, [2, 3, 4]);
        let late = ledger::after(&mut tx, shop, world.later(10)).await.unwrap();
        assert_eq!(late.iter().map(|row| row.idempotency_key.as_str()).collect::<Vec<_>>(), ["b", "d"]);

        let charged = ledger::charged(&mut tx, &world.viewer, Some(&[organization]), world.now(), world.later(11)).await.unwrap();
        assert_eq!(charged.len(), 1);
        assert_eq!((charged[0].subject_id, charged[0].micros, charged[0].amount), (shop, 26_000_000, Money::from_nanos(26)));
        let nothing = ledger::charged(&mut tx, &world.viewer, None, world.later(11), world.later(99)).await.unwrap();
        assert_eq!(nothing, []);
        let twice = ledger::append(&mut tx, EVERYBODY, &[entry(&world, "a", 9, LedgerEntryKind::TopUp, 1)]).await;
        assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_is_held_and_saved() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        assert_eq!(billing_accounts::find(&mut tx, &world.viewer, organization).await.unwrap(), None);
        let mut account = billing_accounts::lock(&mut tx, EVERYBODY, organization, world.now()).await.unwrap();
        assert_eq!(account, Account::blank(organization, world.now()));
        account.balance = Money::from_nanos(-3);
        account.sequence = 2;
        account.status = BillingStatus::Grace;
        account.grace_ends_at = Some(world.later(9));
        billing_accounts::save(&mut tx, EVERYBODY, &account).await.unwrap();
        assert_eq!(billing_accounts::lock(&mut tx, EVERYBODY, organization, world.later(5)).await.unwrap(), account);
        assert_eq!(billing_accounts::of_each(&mut tx, &world.viewer, &[organization]).await.unwrap()[&organization], account);
        assert_eq!(billing_accounts::to_judge(&mut tx).await.unwrap(), [organization]);
        account.status = BillingStatus::Active;
        billing_accounts::save(&mut tx, EVERYBODY, &account).await.unwrap();
        assert_eq!(billing_accounts::to_judge(&mut tx).await.unwrap(), []);
        let owed = invoices::draft(&mut tx, EVERYBODY, &invoice(&world)).await.unwrap();
        assert_eq!(billing_accounts::to_judge(&mut tx).await.unwrap(), []);
        let open = Invoice { status: InvoiceStatus::Open, number: Some(1), ..owed };
        invoices::save(&mut tx, EVERYBODY, &open, InvoiceStatus::Draft).await.unwrap();
        assert_eq!(billing_accounts::to_judge(&mut tx).await.unwrap(), [organization], "an invoice is to be paid");
        invoices::save(&mut tx, EVERYBODY, &Invoice { status: InvoiceStatus::Paid, ..open }, InvoiceStatus::Open).await.unwrap();
        usage::begin(&mut tx, &record(&world, some_id(&world))).await.unwrap();
        assert_eq!(billing_accounts::to_judge(&mut tx).await.unwrap(), [organization], "something runs");

        let application = world.insert_application(&mut tx, "shop").await;
        execute!(tx, "UPDATE applications SET desired_instances = 3 WHERE id = $1", application.id).unwrap();
        let committed = billing_accounts::committed(&mut tx, &world.viewer, organization).await.unwrap();
        assert_eq!(committed.nanos(), 3 * world.plan.price_hourly.nanos());
        applications::set_stopped(&mut tx, EVERYBODY, application.id, true).await.unwrap();
        assert_eq!(billing_accounts::committed(&mut tx, &world.viewer, organization).await.unwrap(), Money::ZERO);
        assert!(applications::return_to_plan(&mut tx, EVERYBODY, application.id, world.plan.id, world.plan.id).await.unwrap());
    })
    .await;
}

pub fn suspension(world: &World, application: ApplicationId) -> Suspension {
    let reason = SuspensionReason::InsufficientBalance;
    Suspension { application_id: application, organization_id: world.organization.id, reason, created_at: world.now() }
}

#[tokio::test]
async fn an_application_is_suspended_once() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let id = world.insert_application(&mut tx, "shop").await.id;
        let organization = world.organization.id;
        assert_eq!(suspensions::running(&mut tx, organization).await.unwrap(), [], "it was never deployed");
        execute!(tx, "UPDATE applications SET status = 'running' WHERE id = $1", id).unwrap();
        assert_eq!(suspensions::running(&mut tx, organization).await.unwrap(), [id]);
        assert!(suspensions::insert(&mut tx, EVERYBODY, &suspension(&world, id)).await.unwrap());
        assert!(!suspensions::insert(&mut tx, EVERYBODY, &suspension(&world, id)).await.unwrap());
        assert_eq!(suspensions::find(&mut tx, &world.viewer, id).await.unwrap(), Some(suspension(&world, id)));
        assert_eq!(suspensions::of_each(&mut tx, &world.viewer, &[id]).await.unwrap()[&id], SuspensionReason::InsufficientBalance);
        assert_eq!(suspensions::for_balance(&mut tx, organization).await.unwrap(), [id]);
        applications::set_status(&mut tx, EVERYBODY, id, ApplicationStatus::Deleting, None).await.unwrap();
        assert_eq!(suspensions::for_balance(&mut tx, organization).await.unwrap(), [], "it is on its way out");
        applications::set_status(&mut tx, EVERYBODY, id, ApplicationStatus::Suspended, None).await.unwrap();
        assert!(suspensions::delete(&mut tx, EVERYBODY, id).await.unwrap());
        assert!(!suspensions::delete(&mut tx, EVERYBODY, id).await.unwrap());
        assert_eq!(suspensions::for_balance(&mut tx, organization).await.unwrap(), []);
    })
    .await;
}

pub fn invoice(world: &World) -> Invoice {
    Invoice {
        id: InvoiceId::new(&world.clock),
        organization_id: world.organization.id,
        number: None,
        status: InvoiceStatus::Draft,
        customer: "Acme".into(),
        period_start: world.now(),
        period_end: world.later(100),
        currency: Currency::EUR,
        total: Money::from_nanos(26),
        layout: serde_json::json!({"currency": "EUR", "lines": []}),
        issued_at: None,
        voided_at: None,
        created_at: world.now(),
    }
}

#[tokio::test]
async fn an_invoice_is_drafted_anew_until_it_is_issued() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        let shop = written(&mut tx, &world).await;
        billing_accounts::lock(&mut tx, EVERYBODY, organization, world.now()).await.unwrap();
        assert_eq!(ledger::unbilled(&mut tx, world.later(5)).await.unwrap(), [], "nothing has ended by then");
        assert_eq!(ledger::unbilled(&mut tx, world.later(100)).await.unwrap(), [organization]);
        let billed = ledger::billed(&mut tx, &world.viewer, organization, world.later(100), None).await.unwrap();
        assert_eq!(billed.len(), 1);
        assert_eq!((billed[0].subject_id, billed[0].amount, billed[0].hourly_rate), (shop, Money::from_nanos(26), Money::from_nanos(5)));

        let first = invoices::draft(&mut tx, EVERYBODY, &invoice(&world)).await.unwrap();
        let second = invoices::draft(&mut tx, EVERYBODY, &Invoice { total: Money::from_nanos(7), ..invoice(&world) }).await.unwrap();
        assert_eq!((first.id, second.total), (second.id, Money::from_nanos(7)));
        assert_eq!(invoices::draft_of(&mut tx, organization, world.now()).await.unwrap(), Some(second.clone()));
        assert_eq!(ledger::put_on_invoice(&mut tx, EVERYBODY, organization, world.later(100), second.id).await.unwrap(), 3);
        assert_eq!(ledger::unbilled(&mut tx, world.later(100)).await.unwrap(), []);
        assert_eq!(ledger::billed(&mut tx, EVERYBODY, organization, world.later(100), Some(second.id)).await.unwrap(), billed);
        assert_eq!(ledger::billed(&mut tx, EVERYBODY, organization, world.later(100), None).await.unwrap(), []);

        let mut issued = invoices::lock(&mut tx, EVERYBODY, second.id).await.unwrap().unwrap();
        issued.status = InvoiceStatus::Open;
        issued.number = Some(invoices::next_number(&mut tx).await.unwrap());
        assert_eq!(issued.number, Some(1));
        assert!(invoices::save(&mut tx, EVERYBODY, &issued, InvoiceStatus::Draft).await.unwrap());
        assert!(!invoices::save(&mut tx, EVERYBODY, &issued, InvoiceStatus::Draft).await.unwrap(), "it is no draft any more");
        assert_eq!(invoices::find(&mut tx, &world.viewer, issued.id).await.unwrap(), Some(issued.clone()));
        assert_eq!(invoices::open_of(&mut tx, &world.viewer, organization).await.unwrap(), std::slice::from_ref(&issued));
        assert_eq!(invoices::numbers(&mut tx).await.unwrap(), [1]);
        assert_eq!(ledger::take_off_invoice(&mut tx, EVERYBODY, issued.id).await.unwrap(), 3);
        // The month may be drafted again.
        let again = invoices::draft(&mut tx, EVERYBODY, &invoice(&world)).await.unwrap();
        assert_ne!(again.id, issued.id);
        let each = invoices::of_each_organization(&mut tx, &world.viewer, &[organization], &Page::first(10)).await.unwrap();
        assert_eq!(each[&organization].items.len(), 2);
    })
    .await;
}

pub fn alert(world: &World) -> SpendingAlert {
    SpendingAlert {
        id: SpendingAlertId::new(&world.clock),
        organization_id: world.organization.id,
        application_id: None,
        threshold: Money::from_nanos(5),
        reached_in: None,
        created_at: world.now(),
    }
}

#[tokio::test]
async fn an_alert_is_reached_once_a_month() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        let row = alert(&world);
        spending_alerts::insert(&mut tx, &world.viewer, &row).await.unwrap();
        assert_eq!(spending_alerts::find(&mut tx, &world.viewer, row.id).await.unwrap(), Some(row.clone()));
        assert_eq!(
            spending_alerts::of_each(&mut tx, &world.viewer, &[organization]).await.unwrap()[&organization],
            std::slice::from_ref(&row)
        );
        let (month, next) = (world.now(), world.later(2_678_400));
        assert_eq!(spending_alerts::waiting(&mut tx, month).await.unwrap(), std::slice::from_ref(&row));
        assert!(spending_alerts::reached(&mut tx, row.id, month).await.unwrap());
        assert!(!spending_alerts::reached(&mut tx, row.id, month).await.unwrap());
        assert_eq!(spending_alerts::waiting(&mut tx, month).await.unwrap(), []);
        assert_eq!(spending_alerts::waiting(&mut tx, next).await.unwrap().len(), 1);
        assert!(spending_alerts::delete(&mut tx, &world.viewer, row.id).await.unwrap());
        assert!(!spending_alerts::delete(&mut tx, &world.viewer, row.id).await.unwrap());
    })
    .await;
}
