//! Wallets, invoices, reports and alerts, over the API.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_core::{
    billing::{self, Mode, Settings, cycle},
    metering::{self, Run},
};
use slipway_model::{
    ApplicationId, Clock, Money, Role, Viewer,
    state::{InvoiceStatus, UsageKind},
};
use slipway_store::{billing_accounts, invoices, ledger};
use slipway_store_testing::TestDatabase;

use crate::world::{Customer, World, receive, send};

const CREATE: &str = "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) {
    application { id } errors { __typename code ... on InsufficientBalanceError { balance { amount currency } required { amount } } } } }";
const ACCOUNT: &str = "query($id: ID!) { organization(id: $id) { billing { id status balance { amount currency } creditLimit { amount }
    runRateHourly { amount } monthToDate { amount } graceEndsAt
    ledger { nodes { kind amount { amount } balanceAfter { amount } debit credit description } }
    spendingAlerts { threshold { amount } reachedIn }
    invoices { nodes { id number status total { amount } periodStart periodEnd pdfUrl
        lines { description quantity unitPrice { amount } amount { amount } application { name } } } } } } }";

impl World {
    async fn paid() -> Self {
        Self::with(|config| config.billing = Settings { mode: Mode::Prepaid, customers_top_up: false }).await
    }

    async fn account(&self, customer: &Customer) -> Value {
        let id = customer.organization.to_string();
        let mut account = self.data(&customer.token, ACCOUNT, json!({"id": id})).await["organization"]["billing"].take();
        // What is shown is what the entries come to.
        let mut tx = self.platform().db.read().await.unwrap();
        let sum = ledger::balance(&mut tx, &Viewer::Platform, customer.organization).await.unwrap();
        assert_eq!(account["balance"]["amount"], json!(sum.to_string()));
        account.take()
    }

    async fn pay(&self, customer: &Customer, amount: &str, key: &str) -> Value {
        let input = json!({"organizationId": customer.organization.to_string(), "amount": amount, "idempotencyKey": key});
        self.mutate(&self.admin, "billingTopUp", input, "entry { id amount { amount } } account { balance { amount } }").await
    }

    /// An instance of an application ran for so long, until now.
    async fn ran(&self, customer: &Customer, application: &str, hours: i64, rate: &str) {
        let p = self.platform();
        let application: ApplicationId = application.parse().unwrap();
        let run = Run {
            organization: customer.organization,
            kind: UsageKind::Instance,
            subject: application.uuid(),
            resource: p.clock.uuid(),
            hourly_rate: rate.parse::<Money>().unwrap(),
        };
        let mut tx = p.db.begin().await.unwrap();
        metering::begin_run(&mut tx, p, run, p.now() - TimeDelta::hours(hours)).await.unwrap();
        metering::end_run(&mut tx, run.resource, p.now()).await.unwrap();
        tx.commit().await.unwrap();
        cycle::turn(p, p.now()).await.unwrap();
    }
}

async fn money_for_one(world: &World) {
    let ada = world.customer("ada", Role::Owner).await;
    // An hour of the plan `small`.
    world.pay(&ada, "0.008", "first").await;
    let input = world.new_application(&ada, "App").await;
    let inputs = (0..100).map(|i| {
        let mut input = input.clone();
        input["slug"] = json!(format!("app-{i}"));
        input
    });
    let token = ada.token.as_str();
    let tries = inputs.map(|input| async move { world.ask(Some(token), CREATE, json!({"input": input})).await });
    let tries: Vec<Value> = futures::future::join_all(tries).await;
    let made = tries.iter().filter(|answer| answer["data"]["applicationCreate"]["application"]["id"].is_string()).count();
    let refused = tries.iter().filter_map(|answer| answer["data"]["applicationCreate"]["errors"].get(0)).collect::<Vec<_>>();
    assert_eq!((made, refused.len()), (1, 99), "{:?}", tries.iter().find(|answer| !answer["errors"].is_null()));
    let refusal = json!({"__typename": "InsufficientBalanceError", "code": "INSUFFICIENT_BALANCE",
        "balance": {"amount": "0.008", "currency": "EUR"}, "required": {"amount": "0.016"}});
    assert!(refused.iter().all(|error| **error == refusal), "{:?}", refused[0]);
    let count = "query($id: ID!) { organization(id: $id) { quota { usedApplications } } }";
    let used = world.data(&ada.token, count, json!({"id": ada.organization.to_string()})).await;
    assert_eq!(used["organization"]["quota"]["usedApplications"], 1);
}

#[tokio::test]
async fn of_many_at_once_one_is_made_with_money_for_one() {
    money_for_one(&World::paid().await).await;
}

#[tokio::test]
async fn of_many_at_once_one_is_made_with_money_for_one_on_postgresql() {
    let postgres = TestDatabase::postgres().await;
    let url = postgres.url.clone();
    let world = World::with(|config| {
        config.billing = Settings { mode: Mode::Prepaid, customers_top_up: false };
        config.database_url = url;
    });
    money_for_one(&world.await).await;
}

#[tokio::test]
async fn nobody_needs_money_where_billing_is_off() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let shop = world.application(&ada, "Shop").await;
    world.ran(&ada, &shop, 3, "1").await;
    let account = world.account(&ada).await;
    assert_eq!((&account["status"], &account["balance"]["amount"]), (&json!("ACTIVE"), &json!("0")));
    let entries = account["ledger"]["nodes"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["debit"] == "WAIVED" && entry["amount"]["amount"] == "0"), "{account}");
    let report = world
        .data(
            &world.admin,
            "query($from: DateTime!, $to: DateTime!) { usageReport(from: $from, to: $to) { total { amount } } }",
            json!({"from": (world.clock.now() - TimeDelta::hours(9)).to_rfc3339(), "to": world.clock.now().to_rfc3339()}),
        )
        .await;
    assert_eq!(report["usageReport"]["total"]["amount"], "3", "and reports say what it would have cost");
}

#[tokio::test]
async fn a_payment_is_one_however_often_it_is_sent() {
    let world = World::paid().await;
    let ada = world.customer("ada", Role::Owner).await;
    let world = &world;
    let tries = (0..20).map(|_| world.pay(&ada, "12.5", "invoice 7"));
    let entries: Vec<Value> = futures::future::join_all(tries).await;
    assert!(entries.iter().all(|payload| payload["entry"]["id"] == entries[0]["entry"]["id"]), "{entries:?}");
    let account = world.account(&ada).await;
    assert_eq!((&account["balance"]["amount"], account["ledger"]["nodes"].as_array().unwrap().len()), (&json!("12.5"), 1));
    // A day later, and longer, too.
    world.clock.advance(TimeDelta::days(40));
    assert_eq!(world.pay(&ada, "12.5", "invoice 7").await["entry"]["id"], entries[0]["entry"]["id"]);
    assert_eq!(world.pay(&ada, "13", "invoice 7").await["errors"][0]["code"], "CONFLICT");
    let organization = ada.organization.to_string();
    for (amount, key, expected) in [
        ("0", "k", "INVALID amount"),
        ("-1", "k", "INVALID amount"),
        ("1000000.000000001", "k", "INVALID amount"),
        ("1", "", "INVALID idempotencyKey"),
    ] {
        let input = json!({"organizationId": organization, "amount": amount, "idempotencyKey": key});
        assert_eq!(world.refusals(&world.admin, "billingTopUp", input).await, [expected]);
    }
    // Who runs the platform records payments, unless it is set up otherwise.
    let input = json!({"organizationId": organization, "amount": "1", "idempotencyKey": "own"});
    assert_eq!(world.refusals(&ada.token, "billingTopUp", input).await, ["UNSUPPORTED"]);

    let adjust = |amount: &str, reason: &str, key: &str| json!({"organizationId": organization, "amount": amount, "reason": reason, "idempotencyKey": key});
    let selection = "entry { kind amount { amount } balanceAfter { amount } description }";
    let given = world.mutate(&world.admin, "billingAdjust", adjust("-2.25", "Moved to another account", "a"), selection).await;
    let expected = json!({"kind": "ADJUSTMENT", "amount": {"amount": "-2.25"}, "balanceAfter": {"amount": "10.25"}, "description": "Moved to another account"});
    assert_eq!(given["entry"], expected);
    assert_eq!(world.refusals(&world.admin, "billingAdjust", adjust("0", "x", "b")).await, ["INVALID amount"]);
    assert_eq!(world.refusals(&world.admin, "billingAdjust", adjust("1", " ", "b")).await, ["REQUIRED reason"]);
    assert_eq!(world.refusals(&world.admin, "billingAdjust", adjust("-2.25", "Other", "a")).await, ["CONFLICT idempotencyKey"]);
}

#[tokio::test]
async fn customers_top_up_where_that_is_allowed() {
    let world = World::with(|config| config.billing = Settings { mode: Mode::Prepaid, customers_top_up: true }).await;
    let (ada, mem) = (world.customer("ada", Role::Admin).await, world.customer("mem", Role::Member).await);
    let input = |customer: &Customer| json!({"organizationId": customer.organization.to_string(), "amount": "1", "idempotencyKey": "k"});
    assert_eq!(world.refusals(&ada.token, "billingTopUp", input(&ada)).await, Vec::<String>::new());
    assert_eq!(world.refusals(&ada.token, "billingTopUp", input(&mem)).await, ["NOT_FOUND organizationId"]);
    let query = "mutation($input: BillingTopUpInput!) { billingTopUp(input: $input) { entry { id } } }";
    let answer = world.ask(Some(&mem.token), query, json!({"input": input(&mem)})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "a member pays nothing");
}

#[tokio::test]
async fn credit_lets_things_run_below_zero() {
    let world = World::paid().await;
    let ada = world.customer("ada", Role::Owner).await;
    let input = world.new_application(&ada, "Shop").await;
    assert_eq!(world.refusals(&ada.token, "applicationCreate", input.clone()).await, ["INSUFFICIENT_BALANCE"]);
    let limit = json!({"organizationId": ada.organization.to_string(), "creditLimit": "1"});
    let set = world.mutate(&world.admin, "billingAccountUpdate", limit, "account { creditLimit { amount } }").await;
    assert_eq!(set["account"]["creditLimit"]["amount"], "1");
    assert_eq!(world.refusals(&ada.token, "applicationCreate", input).await, Vec::<String>::new());
}

async fn get(world: &World, token: &str, path: &str) -> (u16, Vec<u8>) {
    let response = world.http.get(world.url(path)).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

/// Moves the clock to a moment of the next month.
fn to_next_month(world: &World, hours: i64) {
    let now = world.clock.now();
    world.clock.advance(slipway_core::billing::month_after(now) - now + TimeDelta::hours(hours));
}

async fn a_month_is_invoiced(world: World) {
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    world.pay(&ada, "1000", "first").await;
    world.pay(&bob, "1", "first").await;
    to_next_month(&world, 100);
    let (shop, blog) = (world.application(&ada, "Shop").await, world.application(&ada, "Blog").await);
    world.ran(&ada, &shop, 10, "0.1").await;
    world.ran(&ada, &shop, 20, "0.25").await;
    world.ran(&ada, &blog, 3, "0.333333333").await;
    let theirs = world.application(&bob, "Theirs").await;
    world.ran(&bob, &theirs, 2, "1").await;
    assert_eq!(world.account(&ada).await["invoices"]["nodes"], json!([]), "the month is not over");
    assert_eq!(world.account(&ada).await["monthToDate"]["amount"], "6.999999999");

    to_next_month(&world, 1);
    let p = world.platform();
    cycle::turn(p, p.now()).await.unwrap();
    cycle::turn(p, p.now()).await.unwrap();
    let account = world.account(&ada).await;
    let drafts = account["invoices"]["nodes"].as_array().unwrap();
    assert_eq!(drafts.len(), 1, "{account}");
    assert_eq!((&drafts[0]["status"], &drafts[0]["number"]), (&json!("DRAFT"), &Value::Null));
    assert_eq!(drafts[0]["total"]["amount"], "6.999999999");
    let mut lines: Vec<(String, String, String)> = drafts[0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&line["application"]["name"]), text(&line["quantity"]), text(&line["amount"]["amount"]))
        })
        .collect();
    lines.sort();
    let expected = [("Blog", "3", "0.999999999"), ("Shop", "10", "1"), ("Shop", "20", "5")];
    assert_eq!(lines.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect::<Vec<_>>(), expected);
    assert_eq!(account["monthToDate"]["amount"], "0", "a new month has begun");

    // Issued at once by several, each gets a number of its own, without gaps.
    let bobs = world.account(&bob).await["invoices"]["nodes"][0]["id"].clone();
    let finalize = |id: Value| {
        let world = &world;
        async move { world.mutate(&world.admin, "invoiceFinalize", json!({"id": id}), "invoice { id number status }").await }
    };
    let issued = futures::future::join(finalize(drafts[0]["id"].clone()), finalize(bobs.clone())).await;
    let mut numbers = [&issued.0, &issued.1].map(|payload| payload["invoice"]["number"].as_str().unwrap().to_owned());
    numbers.sort();
    assert_eq!(numbers, ["INV-000001", "INV-000002"]);
    assert_eq!((&issued.0["invoice"]["status"], &issued.1["invoice"]["status"]), (&json!("PAID"), &json!("OPEN")), "bob owes");
    assert_eq!(finalize(bobs.clone()).await["errors"][0]["code"], "INVALID_STATE");

    // On paper.
    let id = drafts[0]["id"].as_str().unwrap();
    assert!(drafts[0]["pdfUrl"].as_str().unwrap().ends_with(&format!("/billing/invoices/{id}.pdf")));
    let (status, pdf) = get(&world, &ada.token, &format!("/billing/invoices/{id}.pdf")).await;
    assert_eq!((status, &pdf[..5]), (200, &b"%PDF-"[..]));
    let text = String::from_utf8_lossy(&pdf);
    for shown in
        [issued.0["invoice"]["number"].as_str().unwrap(), "Shop, instance hours", "0.999999999", "(6.999999999)", "Paid from the wallet."]
    {
        assert!(text.contains(shown), "{shown}");
    }
    let foreign = get(&world, &bob.token, &format!("/billing/invoices/{id}.pdf")).await;
    let missing = get(&world, &bob.token, "/billing/invoices/ivc_00000000000000000000000000.pdf").await;
    assert_eq!((foreign.0, &foreign), (404, &missing));
    assert_eq!(world.http.get(world.url(&format!("/billing/invoices/{id}.pdf"))).send().await.unwrap().status(), 401);

    // Taken back: the number stays, and the month is drafted again.
    let void = world.mutate(&world.admin, "invoiceVoid", json!({"id": id}), "invoice { status number }").await;
    assert_eq!(void["invoice"], json!({"status": "VOID", "number": issued.0["invoice"]["number"]}));
    assert_eq!(world.refusals(&world.admin, "invoiceVoid", json!({"id": id})).await, ["INVALID_STATE"]);
    let again = world.account(&ada).await["invoices"]["nodes"].as_array().unwrap().clone();
    assert_eq!(again.iter().filter(|invoice| invoice["status"] == "DRAFT" && invoice["total"]["amount"] == "6.999999999").count(), 1);
    let draft = again.iter().find(|invoice| invoice["status"] == "DRAFT").unwrap();
    assert_eq!(finalize(draft["id"].clone()).await["invoice"]["number"], "INV-000003");
    let mut tx = p.db.read().await.unwrap();
    assert_eq!(invoices::numbers(&mut tx).await.unwrap(), [1, 2, 3]);
    drop(tx);

    // What bob owed is paid with his next payment.
    world.pay(&bob, "100", "second").await;
    assert_eq!(world.account(&bob).await["invoices"]["nodes"][0]["status"], "PAID");

    // For a spreadsheet.
    let span = format!("from={}&to={}", "2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z");
    let (status, csv) = get(&world, &ada.token, &format!("/billing/{}/ledger.csv?{span}", ada.organization)).await;
    assert_eq!((status, String::from_utf8(csv).unwrap().lines().count()), (200, 1), "nothing was written then");
    let from = (world.clock.now() - TimeDelta::days(100)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (_, csv) = get(&world, &ada.token, &format!("/billing/{}/ledger.csv?from={from}", ada.organization)).await;
    let csv = String::from_utf8(csv).unwrap();
    let mut tx = p.db.read().await.unwrap();
    let count = billing_accounts::find(&mut tx, &Viewer::Platform, ada.organization).await.unwrap().unwrap().sequence;
    assert_eq!(csv.lines().count() as i64, 1 + count);
    assert!(csv.lines().last().unwrap().contains("usage_instance,wallet,revenue"), "{csv}");
    assert_eq!(get(&world, &bob.token, &format!("/billing/{}/ledger.csv", ada.organization)).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_charged_stands_on_one_invoice_whoever_drafts_issues_and_takes_back_at_once() {
    let postgres = TestDatabase::postgres().await;
    let url = postgres.url.clone();
    let world = World::with(|config| {
        config.billing = Settings { mode: Mode::Prepaid, customers_top_up: false };
        config.database_url = url;
    })
    .await;
    let ada = world.customer("ada", Role::Owner).await;
    world.pay(&ada, "1000", "first").await;
    let shop = world.application(&ada, "Shop").await;
    let everybody = &Viewer::Platform;
    let p = world.platform();
    for _ in 0..3 {
        to_next_month(&world, 100);
        world.ran(&ada, &shop, 10, "0.1").await;
    }
    to_next_month(&world, 1);
    for round in 0..20 {
        let mut tx = p.db.read().await.unwrap();
        let page = slipway_store::Page::first(100);
        let mut listed = invoices::of_each_organization(&mut tx, everybody, &[ada.organization], &page).await.unwrap();
        drop(tx);
        let listed = listed.remove(&ada.organization).map(|slice| slice.items).unwrap_or_default();
        // Each may be refused, or find that another was faster; what counts is what it leaves.
        let work = listed.into_iter().filter(|invoice| invoice.status != InvoiceStatus::Void).map(async |invoice| match invoice.status {
            InvoiceStatus::Draft => billing::invoices::finalize(p, everybody, invoice.id).await.is_ok(),
            _ => billing::invoices::void(p, everybody, invoice.id).await.is_ok(),
        });
        let due = async || billing::invoices::draft_due(p, p.now()).await.is_ok();
        futures::future::join3(futures::future::join_all(work), due(), due()).await;

        let mut tx = p.db.read().await.unwrap();
        let stand: Vec<(String, Money, Money)> = slipway_store::fetch_all!(
            &mut tx,
            "SELECT i.status, i.total_nanos, CAST(COALESCE(SUM(CASE WHEN e.debit = 'wallet' THEN e.amount_nanos ELSE -e.amount_nanos END), 0)
                 AS BIGINT)
             FROM invoices i LEFT JOIN ledger_entries e ON e.invoice_id = i.id WHERE i.status <> 'void' GROUP BY i.id, i.status, i.total_nanos"
        )
        .unwrap();
        for (status, total, charged) in &stand {
            assert_eq!(total, charged, "round {round}: an invoice that is {status} says other than stands on it: {stand:?}");
        }
    }
}

#[tokio::test]
async fn a_month_is_drafted_issued_printed_and_taken_back() {
    a_month_is_invoiced(World::paid().await).await;
}

#[tokio::test]
async fn a_month_is_drafted_issued_printed_and_taken_back_on_postgresql() {
    let postgres = TestDatabase::postgres().await;
    let url = postgres.url.clone();
    let world = World::with(|config| {
        config.billing = Settings { mode: Mode::Prepaid, customers_top_up: false };
        config.database_url = url;
    });
    a_month_is_invoiced(world.await).await;
}

#[tokio::test]
async fn spending_is_reported_by_application_and_by_day_and_told_once() {
    let world = World::paid().await;
    let ada = world.customer("ada", Role::Owner).await;
    world.pay(&ada, "1000", "first").await;
    to_next_month(&world, 60);
    let (shop, blog) = (world.application(&ada, "Shop").await, world.application(&ada, "Blog").await);
    let organization = ada.organization.to_string();
    let alert = |threshold: &str| json!({"organizationId": organization, "threshold": threshold});
    for threshold in ["5", "500"] {
        world.mutate(&ada.token, "spendingAlertCreate", alert(threshold), "alert { id }").await;
    }
    let of_blog = json!({"organizationId": organization, "threshold": "5", "applicationId": blog});
    let of_blog = world.mutate(&ada.token, "spendingAlertCreate", of_blog, "alert { id application { name } }").await;
    assert_eq!(of_blog["alert"]["application"]["name"], "Blog");
    assert_eq!(world.refusals(&ada.token, "spendingAlertCreate", alert("0")).await, ["INVALID threshold"]);

    world.ran(&ada, &shop, 3, "2").await;
    world.clock.advance(TimeDelta::days(2));
    world.ran(&ada, &blog, 1, "1.5").await;
    let account = world.account(&ada).await;
    assert_eq!(account["monthToDate"]["amount"], "7.5");
    let mut reached: Vec<(&str, bool)> = account["spendingAlerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| (alert["threshold"]["amount"].as_str().unwrap(), !alert["reachedIn"].is_null()))
        .collect();
    reached.sort_unstable();
    assert_eq!(reached, [("5", false), ("5", true), ("500", false)], "{account}");
    let events = "query($id: ID!) { events(organizationId: $id) { nodes { type message } } }";
    let told = world.ask(Some(&ada.token), events, json!({"id": organization})).await;
    if let Some(nodes) = told["data"]["events"]["nodes"].as_array() {
        assert_eq!(nodes.iter().filter(|event| event["type"] == "billing.alert").count(), 1, "{told}");
    }

    let month = slipway_core::billing::month_of(world.clock.now());
    let query = "query($id: ID!, $from: DateTime!, $to: DateTime!) { organization(id: $id) { billing {
        usage(from: $from, to: $to) { total { amount } byApplication { application { name } hours amount { amount } } }
        days: usageTrend(from: $from, to: $to) { from hours amount { amount } }
        months: usageTrend(from: $from, to: $to, step: MONTH) { amount { amount } } } } }";
    let span = json!({"id": organization, "from": month.to_rfc3339(), "to": world.clock.now().to_rfc3339()});
    let seen = world.data(&ada.token, query, span).await["organization"]["billing"].take();
    let lines = json!([
        {"application": {"name": "Shop"}, "hours": "3", "amount": {"amount": "6"}},
        {"application": {"name": "Blog"}, "hours": "1", "amount": {"amount": "1.5"}},
    ]);
    assert_eq!((&seen["usage"]["total"]["amount"], &seen["usage"]["byApplication"]), (&json!("7.5"), &lines));
    let days: Vec<&str> = seen["days"].as_array().unwrap().iter().map(|day| day["amount"]["amount"].as_str().unwrap()).collect();
    assert_eq!((days.len(), days.iter().filter(|amount| **amount != "0").count()), (5, 2), "{days:?}");
    assert_eq!(seen["months"], json!([{"amount": {"amount": "7.5"}}]));

    let gone = world.mutate(&ada.token, "spendingAlertDelete", json!({"id": of_blog["alert"]["id"]}), "deletedId").await;
    assert_eq!(gone["deletedId"], of_blog["alert"]["id"]);
}

#[tokio::test]
async fn costs_are_estimated_and_plans_offered() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let query = "query($id: ID!) { costEstimate(planId: $id, instances: 3) { hourly { amount } monthly { amount currency } } }";
    let estimate = world.ask(None, query, json!({"id": world.plan("small").await})).await;
    let expected = json!({"hourly": {"amount": "0.024"}, "monthly": {"amount": "15", "currency": "EUR"}});
    assert_eq!(estimate["data"]["costEstimate"], expected, "{estimate}");
    let shop = world.application(&ada, "Shop").await;
    for (instances, change) in [(4, "0.024"), (3, "-0.008")] {
        let scale = json!({"id": shop, "instances": instances});
        let scaled = world.mutate(&ada.token, "applicationScale", scale, "operation { id } priceChange { amount currency }").await;
        assert_eq!(scaled["priceChange"], json!({"amount": change, "currency": "EUR"}), "{scaled}");
    }
    let query = "query($id: ID!) { application(id: $id) { suspensionReason planOffers { plan { slug } priceChange { amount } refusal } } }";
    let offers = world.data(&ada.token, query, json!({"id": shop})).await["application"].take();
    assert_eq!(offers["suspensionReason"], Value::Null);
    let offers: Vec<(&str, &str, bool)> = offers["planOffers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|offer| {
            let (slug, change) = (&offer["plan"]["slug"], &offer["priceChange"]["amount"]);
            (slug.as_str().unwrap(), change.as_str().unwrap(), offer["refusal"].is_null())
        })
        .collect();
    assert_eq!(offers, [("nano", "-0.012", false), ("medium", "0.024", true), ("large", "0.12", true)]);
    let change = json!({"id": shop, "planId": world.plan("nano").await});
    assert_eq!(world.refusals(&ada.token, "applicationPlanChange", change).await, ["QUOTA_EXCEEDED instances"]);
    let change = json!({"id": shop, "planId": world.plan("medium").await});
    let changed = world
        .mutate(
            &ada.token,
            "applicationPlanChange",
            change,
            "application { plan { slug } version } operation { id } priceChange { amount }",
        )
        .await;
    assert_eq!(
        changed,
        json!({"application": {"plan": {"slug": "medium"}, "version": 4}, "operation": null, "priceChange": {"amount": "0.024"}, "errors": []})
    );
}

#[tokio::test]
async fn whoever_watches_an_account_sees_it_change() {
    let world = World::paid().await;
    let ada = world.customer("ada", Role::Owner).await;
    let mut socket = world.open(&ada.token).await;
    let query = "subscription($id: ID!) { billingChanged(organizationId: $id) { balance { amount } status } }";
    let payload = json!({"query": query, "variables": {"id": ada.organization.to_string()}});
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    let seen = |message: &Value| message["payload"]["data"]["billingChanged"]["balance"]["amount"].clone();
    assert_eq!(seen(&receive(&mut socket).await), "0");
    world.pay(&ada, "3", "first").await;
    assert_eq!(seen(&receive(&mut socket).await), "3");
}
