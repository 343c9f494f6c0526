//! Traefik's dynamic configuration, as far as Slipway uses it, and the template that fills it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_plugin_sdk::ApplicationRoute;

/// The agent looks for it to see that a route is in force.
const REVISION_HEADER: &str = "x-slipway-route";

/// Traefik's own default lets requests to an instance that has just gone hang for 20 seconds and more.
const DIAL_TIMEOUT: &str = "2s";

/// The administrator's settings: how this platform's Traefik is set up.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    http_entry_point: String,
    https_entry_point: String,
    /// The certificate resolver for routes with TLS. Without one, Traefik serves the certificates that it was given.
    cert_resolver: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { http_entry_point: "web".into(), https_entry_point: "websecure".into(), cert_resolver: None }
    }
}

// In maps with a fixed order, so that the same route is the same bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Configuration {
    http: Http,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    routers: BTreeMap<String, Router>,
    middlewares: BTreeMap<String, Middleware>,
    services: BTreeMap<String, Service>,
    servers_transports: BTreeMap<String, ServersTransport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Router {
    rule: String,
    entry_points: Vec<String>,
    middlewares: Vec<String>,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_resolver: Option<String>,
}

#[derive(Debug, Serialize)]
struct Middleware {
    headers: Headers,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Headers {
    custom_response_headers: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadBalancer {
    servers_transport: String,
    servers: Vec<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServersTransport {
    forwarding_timeouts: ForwardingTimeouts,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ForwardingTimeouts {
    dial_timeout: &'static str,
}

/// The configuration of one application, whose names have been checked and which has a host name.
pub(crate) fn of(settings: &Settings, route: &ApplicationRoute) -> Configuration {
    let name = &route.application;
    let one = |value| BTreeMap::from([(name.clone(), value)]);
    let rule = route.hostnames.iter().map(|hostname| format!("Host(`{hostname}`)")).collect::<Vec<_>>().join(" || ");
    let router = |entry_point: &str, tls| Router {
        rule: rule.clone(),
        entry_points: vec![entry_point.to_owned()],
        middlewares: vec![name.clone()],
        service: name.clone(),
        tls,
    };

    // Plain HTTP is served in either case: an application whose certificate failed goes on without.
    let mut routers = BTreeMap::from([(name.clone(), router(&settings.http_entry_point, None))]);
    if route.tls {
        let tls = Tls { cert_resolver: settings.cert_resolver.clone() };
        routers.insert(format!("{name}-secure"), router(&settings.https_entry_point, Some(tls)));
    }
    let headers = Headers { custom_response_headers: BTreeMap::from([(REVISION_HEADER, route.revision.clone())]) };
    let servers = route.backends.iter().map(|backend| Server { url: format!("http://@{}@:{}", backend.instance, backend.port) }).collect();

    Configuration {
        http: Http {
            routers,
            middlewares: BTreeMap::from([(name.clone(), Middleware { headers })]),
            services: BTreeMap::from([(
                name.clone(),
                Service { load_balancer: LoadBalancer { servers_transport: name.clone(), servers } },
            )]),
            servers_transports: one(ServersTransport { forwarding_timeouts: ForwardingTimeouts { dial_timeout: DIAL_TIMEOUT } }),
        },
    }
}
