//! A call to a plugin in each of the three places where one runs, beside a plain function call; and what a plugin that misbehaves does
//! to the control plane around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use slipway_e2e::dist;
use slipway_plugin_billing_hourly::Hourly;
use slipway_plugin_host::messages::{RateRequest, ResolveRequest, UsagePeriod};
use slipway_plugin_host::{CallError, Options, Plugin, PluginHost, Trusted};
use slipway_plugin_sdk::BillingPlugin as _;

use crate::sample::Sample;

const CALLS: usize = 2_000;
/// How long each fault goes on while the control plane is asked.
const FAULT: Duration = Duration::from_secs(5);
const FAULTS: [&str; 7] = ["panic", "no_json", "spin", "sleep", "memory", "abort", "threads"];
const NATIVE_FAULTS: [&str; 3] = ["segfault", "overflow", "fork"];

pub async fn measure() -> Result<()> {
    println!("\n## A call to a plugin: what one hour of one instance costs");
    let fixtures = dist().join("fixtures");
    let work = tempfile::tempdir()?;
    for (directory, source, form) in [
        ("here", billing_library(), "native"),
        ("apart", billing_library(), "native"),
        ("sandboxed", fixtures.join("slipway-plugin-billing-hourly.wasm"), "wasm"),
    ] {
        lay_out(&work.path().join(directory), directory, "billing", &source, form)?;
    }
    let plain = plain()?;
    println!("a plain function call: {}", micros(&plain));
    for (name, options) in [("here", Options::default()), ("apart", apart(work.path())?), ("sandboxed", apart(work.path())?)] {
        let plugin = open(work.path(), name, options).await?;
        let sample = calls(&plugin).await?;
        println!("{} ({:?}): {}", name, plugin.isolation(), micros(&sample));
    }

    println!("\n## A plugin that misbehaves in a control plane, which meanwhile answers a signed-in question");
    for (form, file) in [("native", "slipway-plugin-fixture-evil.so"), ("wasm", "slipway-plugin-fixture-evil.wasm")] {
        let directory = work.path().join(format!("evil-{form}"));
        lay_out(&directory, "evil", "runtime", &fixtures.join(file), form)?;
        let data = tempfile::tempdir()?;
        let core = slipway_core::start(config(data.path())?).await?;
        println!("{form} | nothing | | | p99 {}", millis(&asked(&core, data.path()).await?));
        let native = NATIVE_FAULTS.iter().filter(|_| form == "native");
        for fault in FAULTS.iter().chain(native) {
            let plugins = &core.platform().plugins;
            let plugin = plugins.load_apart(&directory, None).await?;
            plugins.put(Arc::clone(&plugin));
            let misbehaving = tokio::spawn(misbehave(Arc::clone(&plugin), fault));
            let sample = asked(&core, data.path()).await?;
            let (count, seen) = misbehaving.await?;
            println!("{form} | {fault} | {count} calls | {seen} | p99 {}", millis(&sample));
            plugin.retire(Duration::ZERO).await;
        }
        core.shutdown().await;
    }
    Ok(())
}

fn config(data: &Path) -> Result<slipway_core::Config> {
    Ok(slipway_core::Config {
        data_dir: data.to_owned(),
        listen: "127.0.0.1:0".parse()?,
        agent_listen: "127.0.0.1:0".parse()?,
        agent_hosts: vec!["127.0.0.1".into()],
        public_url: "http://127.0.0.1".parse()?,
        platform_domain: "localhost".parse()?,
        ingress_port: None,
        currency: "EUR".parse()?,
        billing: slipway_core::billing::Settings::default(),
        database_url: format!("sqlite://{}", data.join("slipway.db").display()),
        plugins_dir: dist().join("plugins"),
        program: slipway_e2e::binary()?,
        points_per_minute: u32::MAX,
        answer_within: slipway_core::Config::USUAL_ANSWER_WITHIN,
        trusted_proxies: Vec::new(),
        development: false,
    })
}

fn billing_library() -> PathBuf {
    dist().join("plugins/billing-hourly/libslipway_plugin_billing_hourly.so")
}

fn lay_out(directory: &Path, id: &str, kind: &str, library: &Path, form: &str) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::copy(library, directory.join("library")).with_context(|| library.display().to_string())?;
    let manifest = format!(
        "id = {id:?}\nname = \"Measured\"\nversion = \"1.0.0\"\nkind = {kind:?}\nform = {form:?}\nmessage_versions = [1, 1]\nlibrary = \"library\"\n"
    );
    Ok(std::fs::write(directory.join("plugin.toml"), manifest)?)
}

fn apart(work: &Path) -> Result<Options> {
    let program = Some(slipway_e2e::binary()?);
    Ok(Options { trusted: Trusted::Those(Default::default()), program, compiled: Some(work.join(".compiled")), ..Options::default() })
}

async fn open(root: &Path, id: &str, options: Options) -> Result<Arc<Plugin>> {
    let host = PluginHost::open(root, options).await?;
    host.get(id).with_context(|| format!("{id} does not load: {:?}", host.incompatible()))
}

fn request() -> Result<RateRequest> {
    let usage = UsagePeriod {
        key: "usage:one:0".into(),
        start: "2026-01-01T00:00:00Z".parse()?,
        end: "2026-01-01T01:00:00Z".parse()?,
        hourly_rate: "0.012".parse()?,
        ..UsagePeriod::default()
    };
    Ok(RateRequest { currency: "EUR".into(), usage: vec![usage] })
}

fn plain() -> Result<Sample> {
    let (plugin, request) = (Hourly, request()?);
    let mut durations = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let request = request.clone();
        let begin = Instant::now();
        let charges = std::hint::black_box(plugin.rate(std::hint::black_box(request)));
        durations.push(begin.elapsed());
        if charges.is_err() {
            bail!("{charges:?}");
        }
    }
    Ok(Sample::new(durations))
}

async fn calls(plugin: &Plugin) -> Result<Sample> {
    let request = request()?;
    let mut durations = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let request = request.clone();
        let begin = Instant::now();
        plugin.billing_rate(request).await?;
        durations.push(begin.elapsed());
    }
    Ok(Sample::new(durations))
}

/// Calls, one after the other, for as long as the fault lasts; how many, and what the last caller saw.
async fn misbehave(plugin: Arc<Plugin>, fault: &'static str) -> (usize, String) {
    let (begin, mut count, mut seen) = (Instant::now(), 0, String::new());
    while begin.elapsed() < FAULT {
        let request = ResolveRequest { tool: fault.into(), constraint: "600000".into() };
        match plugin.runtime_resolve(request).await {
            Err(CallError::NotMade { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => {
                count += 1;
                seen = outcome.map_or_else(|error| error.to_string().chars().take(120).collect(), |_| "an answer".to_owned());
            }
        }
        // What counts here is what it does, not how often it may.
        plugin.release();
    }
    (count, seen.replace('\n', " "))
}

/// How long the control plane takes to answer a signed-in question, meanwhile.
async fn asked(core: &slipway_core::Core, data: &Path) -> Result<Sample> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let body = json!({ "query": "{ viewer { id } plugins(first: 10) { nodes { id name status } } }" });
    let url = format!("http://{}/graphql", core.address());
    let token = std::fs::read_to_string(data.join(slipway_core::seed::TOKEN_FILE))?;
    let (token, begin, mut durations) = (token.trim(), Instant::now(), Vec::new());
    while begin.elapsed() < FAULT {
        let asked = Instant::now();
        let answer = client.post(&url).bearer_auth(token).json(&body).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        durations.push(asked.elapsed());
        if !status.is_success() {
            bail!("the control plane answered {status}");
        }
    }
    Ok(Sample::new(durations))
}

fn micros(sample: &Sample) -> String {
    let micros = |share| sample.quantile(share).as_secs_f64() * 1e6;
    format!("median {:.1} µs, p99 {:.1} µs", micros(0.5), micros(0.99))
}

fn millis(sample: &Sample) -> String {
    format!("{:.1} ms", sample.quantile(0.99).as_secs_f64() * 1e3)
}
