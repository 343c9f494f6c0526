//! Whether this process lives, whether it can serve, and a few figures for a scraper.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use slipway_plugin_host::Stats;

use crate::Platform;

/// Lives as long as it answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ready while its database answers.
pub(super) async fn ready(State(platform): State<Platform>) -> Response {
    match platform.db.read().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// Prometheus text, version 0.0.4.
pub(super) async fn metrics(State(platform): State<Platform>) -> Response {
    let uptime = (platform.now() - platform.started_at).num_seconds();
    let nodes = platform.fleet.connected();
    let statements = platform.db.statements();
    let text = format!(
        "# HELP slipway_uptime_seconds Seconds since this control plane started.\n\
         # TYPE slipway_uptime_seconds gauge\n\
         slipway_uptime_seconds {uptime}\n\
         # HELP slipway_nodes_connected Worker nodes whose agents are connected to this control plane.\n\
         # TYPE slipway_nodes_connected gauge\n\
         slipway_nodes_connected {nodes}\n\
         # HELP slipway_database_statements_total Statements run since this control plane started.\n\
         # TYPE slipway_database_statements_total counter\n\
         slipway_database_statements_total {statements}\n"
    );
    let text = text + &plugins(&platform);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Figures of each plugin, by its id, which is letters, digits and hyphens.
fn plugins(platform: &Platform) -> String {
    let mut plugins: Vec<_> = platform.plugins.plugins();
    plugins.sort_by(|one, other| one.id().cmp(other.id()));
    let stats: Vec<_> = plugins.iter().map(|plugin| (plugin.id(), plugin.stats(), plugin.is_usable())).collect();
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Stats, bool) -> Option<String>| {
        text += &format!("# HELP slipway_plugin_{name} {help}\n# TYPE slipway_plugin_{name} {kind}\n");
        for (id, stats, is_usable) in &stats {
            if let Some(value) = value(stats, *is_usable) {
                text += &format!("slipway_plugin_{name}{{plugin=\"{id}\"}} {value}\n");
            }
        }
    };
    metric("usable", "gauge", "Whether it is enabled and not quarantined.", &|_, usable| Some(u8::from(usable).to_string()));
    metric("calls_total", "counter", "Calls that reached it.", &|stats, _| Some(stats.calls.to_string()));
    metric("refusals_total", "counter", "Calls that it answered with a refusal.", &|stats, _| Some(stats.refusals.to_string()));
    metric("errors_total", "counter", "Calls that came to nothing.", &|stats, _| Some(stats.errors.to_string()));
    metric("strikes", "gauge", "Misconduct since it was loaded or released.", &|stats, _| Some(stats.strikes.to_string()));
    metric("restarts_total", "counter", "Starts of its process or sandbox after the first.", &|stats, _| Some(stats.restarts.to_string()));
    metric("call_p99_seconds", "gauge", "99th percentile of its last calls.", &|stats, _| {
        stats.p99_micros.map(|micros| format!("{:.6}", std::time::Duration::from_micros(micros).as_secs_f64()))
    });
    text
}
