//! A platform where organizations pay (R15, R16, R18): refused without money, charged while it runs, moved to another plan without a
//! visitor noticing, suspended with its data, resumed, and told what it cost.
#![allow(clippy::print_stderr, reason = "the figures are the point")]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipway_e2e::{Load, Platform, containers, example, visit_until};

const LIMIT: Duration = Duration::from_secs(90);

struct Paid(Platform);

impl Paid {
    /// The payload of a mutation that must be refused nothing.
    async fn mutate(&self, field: &str, input: Value, selection: &str) -> Result<Value> {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} errors {{ code message }} }} }}");
        let payload = self.0.query(&document, json!({"input": input})).await?[field].take();
        ensure!(payload["errors"] == json!([]), "{field}: {payload:#}");
        Ok(payload)
    }

    async fn account(&self) -> Result<Value> {
        let document = "{ organizations(first: 1) { nodes { id billing { status balance { amount } runRateHourly { amount }
            ledger(first: 100, kind: [USAGE_INSTANCE]) { nodes { amount { amount } description application { slug } } } } } } }";
        Ok(self.0.query(document, json!({})).await?["organizations"]["nodes"][0].take())
    }

    async fn application(&self) -> Result<Value> {
        let document = "{ application(slug: \"shop\") { id status suspensionReason plan { slug } currentDeployment { number }
            planOffers { plan { id slug } priceChange { amount } refusal } } }";
        Ok(self.0.query(document, json!({})).await?["application"].take())
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
        let until = tokio::time::Instant::now() + LIMIT;
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            ensure!(tokio::time::Instant::now() < until, "not within {LIMIT:?}: {what}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn memory(&self) -> Result<Vec<i64>> {
        let running = containers(&self.0.node().await?)?.into_iter().filter(|container| container.running);
        running.map(|container| container.inspect["HostConfig"]["Memory"].as_i64().context("a limit")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_paid_for_moved_suspended_and_resumed() -> Result<()> {
    let paid = Paid(Platform::start_with(&[("SLIPWAY_BILLING", "prepaid")], None).await?);
    let source = example("node-express")?;
    let refused = paid.0.deploy_on_plan(source.path(), "shop", "small").await?.expect_failure();
    assert!(refused.to_string().contains("wallet"), "{refused:#}");

    let organization = paid.account().await?["id"].clone();
    let top_up = json!({"organizationId": organization, "amount": "10", "idempotencyKey": "first"});
    paid.mutate("billingTopUp", top_up, "entry { id }").await?;
    paid.0.deploy_on_plan(source.path(), "shop", "small").await?.expect_live();
    let running = paid.account().await?;
    assert_eq!(running["billing"]["runRateHourly"]["amount"], "0.008", "{running:#}");

    // R18, with visitors who count what they are refused.
    let load = Load::start(paid.0.ingress, &paid.0.host("shop"), 4, Duration::from_millis(10));
    let application = paid.application().await?;
    let offers = application["planOffers"].as_array().context("offers")?;
    let medium = offers.iter().find(|offer| offer["plan"]["slug"] == "medium").context("an offer")?;
    assert_eq!((&medium["priceChange"]["amount"], &medium["refusal"]), (&json!("0.008"), &Value::Null));
    let change = json!({"id": application["id"], "planId": medium["plan"]["id"]});
    let changed = paid.mutate("applicationPlanChange", change, "operation { id } priceChange { amount }").await?;
    let operation = changed["operation"]["id"].clone();
    paid.until("the plan is changed", async || {
        let document = "query($id: ID!) { operation(id: $id) { status error } }";
        let seen = paid.0.query(document, json!({"id": operation})).await?["operation"].take();
        ensure!(seen["status"] != "FAILED", "{seen:#}");
        Ok((seen["status"] == "SUCCEEDED").then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = load.stop().await;
    eprintln!("a change of plan under load: {} requests, {} failures {:?}", report.requests, report.failed(), report.failures);
    assert_eq!(report.failed(), 0, "{report:?}");
    assert_eq!(paid.memory().await?, [1 << 30], "it has what its new plan grants");
    assert_eq!(paid.account().await?["billing"]["runRateHourly"]["amount"], "0.016", "and costs what that costs");

    // What ended was charged to the microsecond.
    let account = paid
        .until("what ran on the old plan is charged", async || {
            let account = paid.account().await?;
            Ok(account["billing"]["ledger"]["nodes"].as_array().is_some_and(|entries| !entries.is_empty()).then_some(account))
        })
        .await?;
    let entry = &account["billing"]["ledger"]["nodes"][0];
    assert_eq!(entry["application"]["slug"], "shop", "{account:#}");
    assert!(entry["description"].as_str().is_some_and(|text| text.ends_with("at 0.008 EUR per hour")), "{account:#}");

    // Suspended and resumed: it runs what it ran.
    paid.mutate("applicationSuspend", json!({"id": application["id"], "reason": "ADMIN"}), "application { status }").await?;
    paid.until("nothing runs", async || Ok(paid.memory().await?.is_empty().then_some(()))).await?;
    let suspended = paid.application().await?;
    assert_eq!((&suspended["status"], &suspended["suspensionReason"]), (&json!("SUSPENDED"), &json!("ADMIN")));
    let refused = paid.0.deploy(source.path(), "shop").await?.expect_failure();
    assert!(refused.to_string().contains("suspended"), "{refused:#}");
    paid.mutate("applicationResume", json!({"id": application["id"]}), "application { status }").await?;
    visit_until(paid.0.ingress, &paid.0.host("shop"), LIMIT, |answer| answer.status == 200).await?;
    let resumed = paid.application().await?;
    assert_eq!(resumed["currentDeployment"], suspended["currentDeployment"]);
    paid.0.settle(LIMIT).await
}
