//! The ledger equals an independent model to the last unit, whatever dies meanwhile (F33). `SLIPWAY_BILLING_DAYS` and
//! `SLIPWAY_BILLING_RESOURCES` make it longer and larger, `SLIPWAY_TEST_ENGINE` is the one engine to run on: `cargo xtask bench billing` runs ninety days of a thousand.

use slipway_e2e::{
    billing::{Leaders, Scale, simulate},
    dist,
};
use slipway_store_testing::on_both;

fn asked<T: std::str::FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn the_ledger_equals_the_model_to_the_last_unit() {
    let only = std::env::var("SLIPWAY_TEST_ENGINE").ok();
    on_both(async |database| {
        if only.as_ref().is_some_and(|only| !format!("{:?}", database.db.engine()).eq_ignore_ascii_case(only)) {
            return;
        }
        let leaders = Leaders::start(&database.url, dist().join("plugins"), 2).await.unwrap();
        let scale = Scale {
            days: asked("SLIPWAY_BILLING_DAYS", 3),
            resources: asked("SLIPWAY_BILLING_RESOURCES", 60),
            organizations: 4,
            crashes_per_mille: asked("SLIPWAY_BILLING_CRASHES", 100),
            seed: asked("SLIPWAY_BILLING_SEED", 7),
        };
        let outcome = simulate(&leaders, scale).await.unwrap();
        println!("{:?}: {scale:?}: {outcome:?}", database.db.engine());
        assert_eq!((outcome.difference, outcome.duplicates), (0, 0), "{outcome:?}");
        assert!(outcome.crashes > 0 && outcome.refunds > 0 && outcome.charged > 0, "{outcome:?}");
    })
    .await;
}
