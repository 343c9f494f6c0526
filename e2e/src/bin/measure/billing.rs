//! How fast usage is rated, and ninety days of a thousand things beside an independent model.

use std::time::Instant;

use anyhow::{Result, ensure};
use chrono::{DurationRound, TimeDelta};
use slipway_core::billing::rating;
use slipway_e2e::{
    billing::{Leaders, Scale, simulate},
    dist, table,
};
use slipway_model::{Clock, Money, Timestamp, UsageId, state::UsageKind};
use slipway_store::{
    Engine,
    usage::{self, UsageRecord},
};
use slipway_store_testing::TestDatabase;
use uuid::Uuid;

/// Records that run at once; each run of the bench finds the ledger of those before it.
const RECORDS: [usize; 3] = [10_000, 100_000, 1_000_000];
const ORGANIZATIONS: usize = 100;

pub async fn measure() -> Result<()> {
    let asked = |name: &str, usual: i64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let mut rows = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        rows.extend(speed(engine, usize::try_from(asked("SLIPWAY_BILLING_RECORDS", 1_000_000))?).await?);
    }
    let head = ["engine", "records", "seconds", "records per second", "ledger before"];
    println!("{}", table("One hour of everything that runs, rated", &head, &rows));

    let mut rows = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = TestDatabase::of(engine).await;
        let leaders = Leaders::start(&database.url, dist().join("plugins"), 2).await?;
        let scale = Scale {
            days: asked("SLIPWAY_BILLING_DAYS", 90),
            resources: usize::try_from(asked("SLIPWAY_BILLING_RESOURCES", 1_000))?,
            organizations: 10,
            crashes_per_mille: 10,
            seed: 42,
        };
        let outcome = simulate(&leaders, scale).await?;
        rows.push(vec![
            format!("{engine:?}"),
            format!("{} days, {} resources", scale.days, scale.resources),
            outcome.events.to_string(),
            outcome.crashes.to_string(),
            outcome.entries.to_string(),
            outcome.refunds.to_string(),
            outcome.difference.to_string(),
            outcome.duplicates.to_string(),
            format!("{:.0} s", outcome.elapsed.as_secs_f64()),
        ]);
        ensure!(outcome.difference == 0 && outcome.duplicates == 0, "{outcome:?}");
    }
    let head = ["engine", "what", "events", "deaths", "entries", "refunds", "difference", "duplicates", "time"];
    println!("{}", table("Two leaders, one of a hundred turns and events dies, one of twenty-five clocks is an hour wrong", &head, &rows));
    Ok(())
}

/// Up to `most` records.
async fn speed(engine: Engine, most: usize) -> Result<Vec<Vec<String>>> {
    let database = TestDatabase::of(engine).await;
    let leaders = Leaders::start(&database.url, dist().join("plugins"), 1).await?;
    let p = leaders.platform(0);
    let organizations = leaders.organizations(ORGANIZATIONS).await?;
    let (mut rows, mut ledger) = (Vec::new(), 0);
    for count in RECORDS.into_iter().filter(|count| *count <= most) {
        let start = leaders.clock.now().duration_trunc(TimeDelta::hours(1))?;
        let mut made = Vec::with_capacity(count);
        for chunk in (0..count).collect::<Vec<_>>().chunks(10_000) {
            let mut tx = p.db.begin().await?;
            for index in chunk {
                let record = UsageRecord {
                    id: UsageId::new(&leaders.clock),
                    organization_id: organizations[index % organizations.len()],
                    kind: UsageKind::Instance,
                    subject_id: Uuid::from_u128(1 + *index as u128 / 3),
                    resource_id: Uuid::from_u128(1_000_000_000 * (count as u128) + *index as u128),
                    started_at: start,
                    ended_at: None,
                    rated_until: start,
                    settled: false,
                    hourly_rate: Money::from_nanos(8_000_001),
                };
                usage::begin(&mut tx, &record).await?;
                made.push(record.resource_id);
            }
            tx.commit().await?;
        }
        leaders.clock.advance(start + TimeDelta::hours(1) - leaders.clock.now());
        let now = leaders.clock.now();
        let begun = Instant::now();
        settle(p, now).await?;
        // The platform's own cycle may have been at it as well.
        let took = begun.elapsed().as_secs_f64();
        // A million takes long: what is known is told.
        eprintln!("{engine:?}: {count} records in {took:.2} s");
        rows.push(vec![
            format!("{engine:?}"),
            count.to_string(),
            format!("{took:.2}"),
            format!("{:.0}", count as f64 / took),
            ledger.to_string(),
        ]);
        ledger += count;
        for chunk in made.chunks(10_000) {
            let mut tx = p.db.begin().await?;
            for resource in chunk {
                usage::end(&mut tx, *resource, now).await?;
            }
            tx.commit().await?;
        }
        settle(p, now).await?;
    }
    Ok(rows)
}

/// Until nothing is due any more. A turn that found the database busy is repeated, as the cycle does.
async fn settle(p: &slipway_core::Platform, now: Timestamp) -> Result<()> {
    loop {
        if let Err(error) = rating::rate_due(p, now).await {
            eprintln!("a turn failed: {error:#}");
        }
        let hour = now.duration_trunc(TimeDelta::hours(1))?;
        if usage::due(&mut p.db.read().await?, hour).await?.is_empty() {
            return Ok(());
        }
    }
}
