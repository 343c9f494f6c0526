//! What Traefik has counted, from its Prometheus endpoint. Only the lines about services are read, and of a line only four labels: an
//! answer of a thousand applications is long, and the rest of the format is of no use here.

use std::collections::BTreeMap;

use slipway_model::ApplicationId;
use slipway_protocol::{LATENCY_BOUNDS_MS, LATENCY_CLASSES};

/// Of one application, since the ingress began to count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    pub requests: u64,
    /// Those answered with 500 and above.
    pub server_errors: u64,
    /// By the classes of [`LATENCY_BOUNDS_MS`].
    pub latency: [u64; LATENCY_CLASSES],
}

const REQUESTS: &str = "traefik_service_requests_total";
const LATENCY: &str = "traefik_service_request_duration_seconds_bucket";

/// How the agent asks whether a route is in force: nobody else asks with this method for this kind of answer. What it asked is not
/// counted as a visitor's.
pub const PROBE_METHOD: &str = "HEAD";
pub const PROBE_PROTOCOL: &str = "sse";
pub const PROBE_ACCEPT: &str = "text/event-stream";

/// Reads everything that is counted of applications.
#[must_use]
pub fn parse(text: &str) -> BTreeMap<ApplicationId, Counted> {
    let mut counted: BTreeMap<ApplicationId, Counted> = BTreeMap::new();
    // A class's line counts the classes below it too, for each combination of the other labels.
    let mut cumulative: BTreeMap<ApplicationId, BTreeMap<usize, u64>> = BTreeMap::new();
    for line in text.lines() {
        let Some(sample) = Sample::parse(line) else { continue };
        if sample.label("method") == Some(PROBE_METHOD) && sample.label("protocol") == Some(PROBE_PROTOCOL) {
            continue;
        }
        let Some(application) = sample.label("service").and_then(application) else { continue };
        match sample.name {
            REQUESTS => {
                let of = counted.entry(application).or_default();
                of.requests += sample.value;
                if sample.label("code").is_some_and(|code| code.len() == 3 && code >= "500") {
                    of.server_errors += sample.value;
                }
            }
            LATENCY => {
                if let Some(class) = sample.label("le").and_then(class) {
                    *cumulative.entry(application).or_default().entry(class).or_default() += sample.value;
                }
            }
            _ => {}
        }
    }
    for (application, classes) in cumulative {
        let of = counted.entry(application).or_default();
        let mut below = 0;
        for (class, count) in classes {
            of.latency[class] = count.saturating_sub(below);
            below = count;
        }
    }
    counted
}

/// The service of an application is called as it is, with the name of its provider behind.
fn application(service: &str) -> Option<ApplicationId> {
    service.strip_suffix("@file")?.parse().ok()
}

/// The class that ends at `le` seconds, or the next longer one.
fn class(le: &str) -> Option<usize> {
    if le == "+Inf" {
        return Some(LATENCY_BOUNDS_MS.len());
    }
    let seconds: f64 = le.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let class = LATENCY_BOUNDS_MS.iter().position(|bound| seconds * 1000.0 <= *bound as f64 + 0.001);
    Some(class.unwrap_or(LATENCY_BOUNDS_MS.len()))
}

/// The bounds as Traefik's settings want them.
#[must_use]
pub fn bounds_in_seconds() -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    LATENCY_BOUNDS_MS.iter().map(|bound| *bound as f64 / 1000.0).collect()
}

/// One line of the format: `name{label="value",…} number`. What is escaped in a value never occurs in those that are asked for.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once('}')?;
        // Counters are written as floating-point numbers, large ones with an exponent.
        let value: f64 = value.split_ascii_whitespace().next()?.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and counters are whole")]
        let value = if value.is_finite() && value >= 0.0 { value as u64 } else { return None };
        Some(Self { name, labels, value })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.split("\",").find_map(|label| {
            let (key, value) = label.split_once("=\"")?;
            (key == name).then(|| value.trim_end_matches('"'))
        })
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn what_visitors_asked_is_counted_and_what_the_agent_asked_is_not() {
        let app = ApplicationId::new(&*system_clock());
        let text = format!(
            r#"# HELP traefik_service_requests_total How many HTTP requests
# TYPE traefik_service_requests_total counter
traefik_service_requests_total{{code="200",method="GET",protocol="http",service="{app}@file"}} 1.25e+06
traefik_service_requests_total{{code="502",method="POST",protocol="http",service="{app}@file"}} 3
traefik_service_requests_total{{code="200",method="HEAD",protocol="sse",service="{app}@file"}} 7
traefik_service_requests_total{{code="200",method="HEAD",protocol="http",service="{app}@file"}} 1
traefik_service_requests_total{{code="200",method="GET",protocol="http",service="api@internal"}} 9
traefik_service_request_duration_seconds_bucket{{code="200",method="GET",protocol="http",service="{app}@file",le="0.005"}} 4
traefik_service_request_duration_seconds_bucket{{code="200",method="GET",protocol="http",service="{app}@file",le="0.05"}} 9
traefik_service_request_duration_seconds_bucket{{code="200",method="GET",protocol="http",service="{app}@file",le="+Inf"}} 10
traefik_service_request_duration_seconds_bucket{{code="200",method="HEAD",protocol="sse",service="{app}@file",le="0.005"}} 7
traefik_service_request_duration_seconds_bucket{{code="502",method="POST",protocol="http",service="{app}@file",le="0.005"}} 3
traefik_service_request_duration_seconds_bucket{{code="502",method="POST",protocol="http",service="{app}@file",le="0.05"}} 3
traefik_service_request_duration_seconds_bucket{{code="502",method="POST",protocol="http",service="{app}@file",le="+Inf"}} 3
go_goroutines 12
nonsense{{ 12
"#
        );
        let counted = parse(&text);
        assert_eq!(counted.len(), 1);
        let of = counted[&app];
        assert_eq!((of.requests, of.server_errors), (1_250_004, 3));
        let mut latency = [0; LATENCY_CLASSES];
        (latency[0], latency[3], latency[LATENCY_CLASSES - 1]) = (7, 5, 1);
        assert_eq!(of.latency, latency);
    }

    #[test]
    fn every_bound_is_a_class_of_its_own() {
        for (index, bound) in bounds_in_seconds().into_iter().enumerate() {
            assert_eq!(class(&bound.to_string()), Some(index), "{bound}");
        }
        assert_eq!(class("12"), Some(LATENCY_BOUNDS_MS.len()));
        assert_eq!(class("0.3"), Some(6), "of a Traefik with other settings");
        assert_eq!(class("x"), None);
    }
}
