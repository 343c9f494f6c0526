//! Billing against a model: months of starts, stops, changes of plan and late news, rated by two control planes at once that die and
//! whose clocks are wrong, and at the end every organization's ledger beside what it should be.

mod model;

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use chrono::TimeDelta;
use slipway_core::{
    Config, Core, Platform, Setting,
    billing::{Mode, Settings, rating, wallet},
    crash::CrashPoints,
    metering::{self, Run},
    start_in,
};
use slipway_model::{
    Clock, Currency, ManualClock, Money, OrganizationId, Timestamp, Viewer,
    state::{LedgerEntryKind, UsageKind},
};
use slipway_store::{
    billing_accounts, ledger,
    organizations::{self, Organization},
};
use uuid::Uuid;

pub use model::Model;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub days: i64,
    pub resources: usize,
    pub organizations: usize,
    /// Of a thousand cycles and events, so many die at some line and are repeated.
    pub crashes_per_mille: u64,
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub entries: u64,
    pub refunds: u64,
    pub events: u64,
    pub crashes: u64,
    /// Of all ledgers together from the model, in billionths.
    pub difference: i128,
    /// Periods that stand twice.
    pub duplicates: u64,
    pub charged: i128,
    pub elapsed: Duration,
}

/// Control planes on one database.
pub struct Leaders {
    pub clock: ManualClock,
    cores: Vec<Core>,
    _directory: tempfile::TempDir,
}

impl Leaders {
    /// # Errors
    /// One cannot be started.
    pub async fn start(database_url: &str, plugins: PathBuf, count: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let clock = ManualClock::at("2026-01-31T22:17:03.000001Z".parse()?);
        let mut cores = Vec::new();
        for _ in 0..count {
            let config = Config {
                data_dir: directory.path().to_owned(),
                listen: "127.0.0.1:0".parse()?,
                agent_listen: "127.0.0.1:0".parse()?,
                agent_hosts: vec!["127.0.0.1".into()],
                public_url: "http://127.0.0.1".parse()?,
                platform_domain: "apps.example".parse()?,
                ingress_port: None,
                currency: Currency::EUR,
                billing: Settings { mode: Mode::Prepaid, customers_top_up: false },
                database_url: database_url.to_owned(),
                plugins_dir: plugins.clone(),
                // Its plugins are those of the platform, which need no process of their own.
                program: std::env::current_exe()?,
                points_per_minute: u32::MAX,
                answer_within: Config::USUAL_ANSWER_WITHIN,
                trusted_proxies: Vec::new(),
                development: false,
            };
            cores.push(start_in(config, Setting { clock: Arc::new(clock.clone()), crash: CrashPoints::default() }).await?);
        }
        Ok(Self { clock, cores, _directory: directory })
    }

    #[must_use]
    pub fn platform(&self, index: usize) -> &Platform {
        self.cores[index].platform()
    }

    /// Organizations that can pay whatever comes.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn organizations(&self, count: usize) -> Result<Vec<OrganizationId>> {
        let p = self.platform(0);
        let mut made = Vec::new();
        for index in 0..count {
            let (id, name) = (OrganizationId::new(&self.clock), format!("payer-{index}"));
            let row = Organization { id, slug: name.parse()?, name: name.parse()?, created_at: p.now() };
            let mut tx = p.db.begin().await?;
            organizations::insert(&mut tx, &row).await?;
            tx.commit().await?;
            let new = wallet::TopUp { organization: id, amount: TOP_UP, key: "first".into() };
            wallet::top_up(p, &Viewer::Platform, new).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            made.push(id);
        }
        Ok(made)
    }
}

const TOP_UP: Money = Money::from_nanos(1_000_000_000_000_000);

/// Small, the same everywhere, and good enough to choose what happens (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn is(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// In billionths, so that most charges have to be rounded.
    fn rate(&mut self) -> Money {
        Money::from_nanos(i64::try_from(self.below(90_000_000)).unwrap_or(0))
    }
}

/// Work that dies after it went on so often.
struct Mortal<F> {
    work: Pin<Box<F>>,
    steps_left: Option<u64>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(left) = &mut self.steps_left {
            if *left == 0 {
                return Poll::Ready(None);
            }
            *left -= 1;
        }
        self.work.as_mut().poll(context).map(Some)
    }
}

/// `None`: it died somewhere, and whether what it was at was written nobody knows.
async fn mortal<F: Future>(steps_left: Option<u64>, work: F) -> Option<F::Output> {
    Mortal { work: Box::pin(work), steps_left }.await
}

struct Simulation<'a> {
    leaders: &'a Leaders,
    scale: Scale,
    dice: Dice,
    model: Model,
    outcome: Outcome,
    runs: Vec<Run>,
    /// Of each resource: whether it runs.
    on: Vec<bool>,
}

/// Simulates, and compares.
///
/// # Errors
/// Those of the database and of the plugin; whatever of the ledger is not as it should be in form.
pub async fn simulate(leaders: &Leaders, scale: Scale) -> Result<Outcome> {
    let begun = Instant::now();
    let organizations = leaders.organizations(scale.organizations).await?;
    let mut dice = Dice(scale.seed);
    let runs = (0..scale.resources)
        .map(|index| Run {
            organization: organizations[index % organizations.len()],
            kind: UsageKind::Instance,
            subject: Uuid::from_u128(1_000 + index as u128 / 3),
            resource: Uuid::from_u128(1_000_000 + index as u128),
            hourly_rate: dice.rate(),
        })
        .collect();
    let on = vec![false; scale.resources];
    let mut simulation = Simulation { leaders, scale, dice, model: Model::default(), outcome: Outcome::default(), runs, on };
    simulation.run().await?;
    simulation.compare(&organizations).await?;
    simulation.outcome.elapsed = begun.elapsed();
    Ok(simulation.outcome)
}

impl Simulation<'_> {
    async fn run(&mut self) -> Result<()> {
        let hour = 3_600_000_000;
        let now = self.leaders.clock.now();
        for index in 0..self.runs.len() {
            self.start(index, now).await?;
        }
        for _ in 0..self.scale.days * 24 {
            // Something happens to two of a hundred, at some moments of the hour, in their order.
            let count = 1 + self.scale.resources as u64 / 50;
            let mut moments: Vec<i64> = (0..count).map(|_| self.dice.below(hour) as i64).collect();
            moments.sort_unstable();
            let start = self.leaders.clock.now();
            for moment in moments {
                let at = start + TimeDelta::microseconds(moment);
                self.leaders.clock.advance(at - self.leaders.clock.now());
                let index = self.dice.below(self.runs.len() as u64) as usize;
                self.happen(index, at).await?;
            }
            self.leaders.clock.advance(start + TimeDelta::hours(1) - self.leaders.clock.now());
            self.cycle().await;
        }
        // The end: everything stops, and what is due is rated.
        let now = self.leaders.clock.now();
        for index in 0..self.runs.len() {
            if self.on[index] {
                self.stop(index, now).await?;
            }
        }
        while rating::rate_due(self.leaders.platform(0), now).await? > 0 {}
        Ok(())
    }

    /// Starts, stops, or changes the plan, all within an hour as it comes.
    async fn happen(&mut self, index: usize, at: Timestamp) -> Result<()> {
        self.outcome.events += 1;
        if !self.on[index] {
            return self.start(index, at).await;
        }
        match self.dice.below(10) {
            // Its node was away: it ended hours ago, and some of that was charged.
            0 => {
                let late = TimeDelta::minutes(i64::try_from(self.dice.below(400)).unwrap_or(0));
                self.stop(index, at - late).await
            }
            1..=5 => {
                self.stop(index, at).await?;
                self.runs[index].hourly_rate = self.dice.rate();
                self.start(index, at).await
            }
            _ => self.stop(index, at).await,
        }
    }

    async fn start(&mut self, index: usize, at: Timestamp) -> Result<()> {
        let run = self.runs[index];
        self.model.start(run, at);
        self.on[index] = true;
        self.write(move |p| {
            Box::pin(async move {
                let mut tx = p.db.begin().await?;
                metering::begin_run(&mut tx, p, run, at).await?;
                tx.commit().await
            })
        })
        .await
    }

    async fn stop(&mut self, index: usize, at: Timestamp) -> Result<()> {
        let resource = self.runs[index].resource;
        self.model.stop(resource, at);
        self.on[index] = false;
        self.write(move |p| {
            Box::pin(async move {
                let mut tx = p.db.begin().await?;
                metering::end_run(&mut tx, resource, at).await?;
                tx.commit().await
            })
        })
        .await
    }

    /// Until it is known to be written; sometimes it was before, and its writer died.
    async fn write<'a>(
        &'a mut self,
        work: impl Fn(&'a Platform) -> Pin<Box<dyn Future<Output = Result<(), slipway_store::StoreError>> + Send + 'a>>,
    ) -> Result<()> {
        let leaders = self.leaders;
        loop {
            let fate = self.fate(12);
            match mortal(fate, work(leaders.platform(0))).await {
                Some(outcome) => return Ok(outcome?),
                None => self.outcome.crashes += 1,
            }
        }
    }

    fn fate(&mut self, most: u64) -> Option<u64> {
        if !self.dice.is(self.scale.crashes_per_mille) {
            return None;
        }
        // Near the beginning as often as near the end.
        let most = 1 + self.dice.below(most);
        Some(self.dice.below(most))
    }

    /// Both leaders at once, the one now and then with a clock that is an hour wrong, either way.
    async fn cycle(&mut self) {
        let now = self.leaders.clock.now();
        let wrong = match self.dice.below(50) {
            0 => TimeDelta::hours(1),
            1 => TimeDelta::hours(-1),
            _ => TimeDelta::zero(),
        };
        let fates = [self.fate(400), self.fate(400)];
        let (one, other) = (self.leaders.platform(0), self.leaders.platform(self.leaders.cores.len() - 1));
        let turns = tokio::join!(mortal(fates[0], rating::rate_due(one, now)), mortal(fates[1], rating::rate_due(other, now + wrong)));
        for turn in [turns.0, turns.1] {
            match turn {
                None => self.outcome.crashes += 1,
                Some(Ok(_)) => {}
                // The other one was faster too often, or a key was taken: the next turn has it.
                Some(Err(error)) => eprintln!("a turn failed: {error:#}"),
            }
        }
    }

    async fn compare(&mut self, organizations: &[OrganizationId]) -> Result<()> {
        let p = self.leaders.platform(0);
        let mut charged: HashMap<Uuid, i128> = HashMap::new();
        for organization in organizations {
            let everybody = &Viewer::Platform;
            let mut tx = p.db.read().await?;
            let account = billing_accounts::find(&mut tx, everybody, *organization).await?.context("an account")?;
            let (mut last, mut balance) = (0, 0_i64);
            // Of each period, how often it stands and how often it was given back.
            let mut periods: BTreeMap<(Uuid, Timestamp), i32> = BTreeMap::new();
            loop {
                let span = (Timestamp::UNIX_EPOCH, Timestamp::MAX_UTC.min("2100-01-01T00:00:00Z".parse()?));
                let entries = ledger::since(&mut tx, everybody, *organization, span, last, 5_000).await?;
                let Some(end) = entries.last() else { break };
                ensure!(end.sequence == last + entries.len() as i64, "the sequence has gaps");
                last = end.sequence;
                for entry in entries {
                    balance += entry.of_wallet().nanos();
                    ensure!(entry.balance_after.nanos() == balance, "a balance that its entries do not come to");
                    self.outcome.entries += 1;
                    let (Some(resource), Some(start)) = (entry.resource_id, entry.period_start) else { continue };
                    *charged.entry(resource).or_default() -= i128::from(entry.of_wallet().nanos());
                    let count = periods.entry((resource, start)).or_default();
                    match entry.kind {
                        LedgerEntryKind::Refund => {
                            self.outcome.refunds += 1;
                            // What is left of a period still stands.
                            *count -= i32::from(
                                entry
                                    .quantity_micros
                                    .zip(entry.period_end)
                                    .is_some_and(|(less, end)| (end - start).num_microseconds() == Some(-less)),
                            );
                        }
                        _ => *count += 1,
                    }
                }
            }
            ensure!(account.sequence == last && account.balance.nanos() == balance, "the account is not what its entries come to");
            self.outcome.duplicates += periods.values().filter(|count| **count > 1).count() as u64;
        }
        for (resource, should) in self.model.charges() {
            let is = charged.remove(&resource).unwrap_or_default();
            self.outcome.difference += (is - should).abs();
            self.outcome.charged += is;
        }
        ensure!(charged.is_empty(), "charges for what never ran");
        Ok(())
    }
}
