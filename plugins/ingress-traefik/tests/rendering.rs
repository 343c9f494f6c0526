//! The files that Traefik reads, byte for byte.

use proptest::prelude::*;
use slipway_plugin_ingress_traefik::Traefik;
use slipway_plugin_sdk::{ApplicationRoute, Backend, IngressPlugin, PluginError, RouteTable};

fn route(hostnames: &[&str]) -> ApplicationRoute {
    ApplicationRoute {
        application: "app_01h".into(),
        revision: "rel_7".into(),
        hostnames: hostnames.iter().map(|&name| name.to_owned()).collect(),
        backends: vec![Backend { instance: "ins_a".into(), port: 3000 }, Backend { instance: "ins_b".into(), port: 3000 }],
        tls: false,
    }
}

fn render(applications: Vec<ApplicationRoute>) -> Result<Vec<String>, PluginError> {
    let routes = Traefik::default().render(RouteTable { applications })?;
    Ok(routes.files.into_iter().map(|file| file.content).collect())
}

fn code(route: ApplicationRoute) -> String {
    render(vec![route]).unwrap_err().code
}

const PLAIN: &str = r#"[http.routers.app_01h]
rule = "Host(`shop.example.org`) || Host(`www.shop.example.org`)"
entryPoints = ["web"]
middlewares = ["app_01h"]
service = "app_01h"

[http.middlewares.app_01h.headers.customResponseHeaders]
x-slipway-route = "rel_7"

[http.services.app_01h.loadBalancer]
serversTransport = "app_01h"

[[http.services.app_01h.loadBalancer.servers]]
url = "http://@ins_a@:3000"

[[http.services.app_01h.loadBalancer.servers]]
url = "http://@ins_b@:3000"

[http.serversTransports.app_01h.forwardingTimeouts]
dialTimeout = "2s"
"#;

const SECURE_WITHOUT_BACKENDS: &str = r#"[http.routers.app_01h]
rule = "Host(`shop.example.org`)"
entryPoints = ["web"]
middlewares = ["app_01h"]
service = "app_01h"

[http.routers.app_01h-secure]
rule = "Host(`shop.example.org`)"
entryPoints = ["websecure"]
middlewares = ["app_01h"]
service = "app_01h"

[http.routers.app_01h-secure.tls]

[http.middlewares.app_01h.headers.customResponseHeaders]
x-slipway-route = "rel_7"

[http.services.app_01h.loadBalancer]
serversTransport = "app_01h"
servers = []

[http.serversTransports.app_01h.forwardingTimeouts]
dialTimeout = "2s"
"#;

#[test]
fn a_route_is_the_template_with_its_names_put_in() {
    let hostnames = ["shop.example.org", "www.shop.example.org"];
    let routes = Traefik::default().render(RouteTable { applications: vec![route(&hostnames)] }).unwrap();
    let [file] = &routes.files[..] else { panic!("{routes:?}") };
    assert_eq!(file.content, PLAIN);
    assert_eq!((file.application.as_str(), file.revision.as_str(), file.name.as_str()), ("app_01h", "rel_7", "app_01h.toml"));
}

#[test]
fn with_tls_it_is_reached_both_ways_and_without_backends_it_stays() {
    let secure = ApplicationRoute { tls: true, backends: Vec::new(), ..route(&["shop.example.org"]) };
    assert_eq!(render(vec![secure]).unwrap(), [SECURE_WITHOUT_BACKENDS]);
}

#[test]
fn settings_name_entry_points_and_the_certificate_resolver() {
    let traefik = Traefik::default();
    let settings = serde_json::json!({ "http_entry_point": "http", "https_entry_point": "https", "cert_resolver": "acme" });
    traefik.configure(settings).unwrap();
    let secure = ApplicationRoute { tls: true, ..route(&["shop.example.org"]) };
    let content = &traefik.render(RouteTable { applications: vec![secure] }).unwrap().files[0].content;
    for line in ["entryPoints = [\"http\"]", "entryPoints = [\"https\"]", "certResolver = \"acme\""] {
        assert!(content.contains(line), "{content}");
    }
    assert_eq!(traefik.configure(serde_json::json!({ "colour": "green" })).unwrap_err().code, "SETTINGS_INVALID");
    traefik.configure(serde_json::Value::Null).unwrap();
    assert!(traefik.render(RouteTable { applications: vec![route(&["a.b"])] }).unwrap().files[0].content.contains("[\"web\"]"));
}

#[test]
fn each_application_has_its_own_file_and_one_without_host_names_has_none() {
    let second = ApplicationRoute { application: "app_2".into(), ..route(&["b.example"]) };
    let unnamed = ApplicationRoute { application: "app_3".into(), ..route(&[]) };
    let files = render(vec![route(&["a.example"]), second, unnamed]).unwrap();
    assert_eq!(files.len(), 2);
    assert!(files[0].contains("a.example") && !files[0].contains("b.example"));
}

#[test]
fn a_host_name_cannot_close_its_rule() {
    for name in [
        "a`) || Host(`b.example",
        "a.b`",
        "a b.example",
        "a.b\n",
        "a.b\"",
        "\\x61.b",
        "A.example",
        "*.example",
        "",
        "a..b",
        "10.0.0.1",
        "@ins_a@.b",
    ] {
        assert_eq!(code(route(&[name])), "HOSTNAME_INVALID", "{name:?}");
    }
}

#[test]
fn ids_and_revisions_are_plain() {
    for bad in ["", "a.b", "../a", "a`b", "a b", "a@b", "a-b"] {
        assert_eq!(code(ApplicationRoute { application: bad.into(), ..route(&["a.b"]) }), "ID_INVALID", "{bad:?}");
        let backends = vec![Backend { instance: bad.into(), port: 1 }];
        assert_eq!(code(ApplicationRoute { backends, ..route(&["a.b"]) }), "ID_INVALID", "{bad:?}");
    }
    for bad in ["", "a\r\nset-cookie: x", "a b", "@ins_a@"] {
        assert_eq!(code(ApplicationRoute { revision: bad.into(), ..route(&["a.b"]) }), "REVISION_INVALID", "{bad:?}");
    }
    let backends = vec![Backend { instance: "ins_a".into(), port: 0 }];
    assert_eq!(code(ApplicationRoute { backends, ..route(&["a.b"]) }), "PORT_INVALID");
}

#[test]
fn a_host_name_leads_to_one_application() {
    let thief = ApplicationRoute { application: "app_2".into(), ..route(&["a.example"]) };
    assert_eq!(render(vec![route(&["a.example"]), thief]).unwrap_err().code, "HOSTNAME_TWICE");
    assert_eq!(render(vec![route(&["a.example"]), route(&["b.example"])]).unwrap_err().code, "APPLICATION_TWICE");
}

#[test]
fn a_domain_is_checked_in_words_for_its_owner() {
    let check = |name: &str| Traefik::default().check_domain(name).unwrap();
    assert_eq!(check("shop.example.org"), None);
    assert_eq!(check("xn--bcher-kva.example"), None);
    assert!(check("localhost").unwrap().contains("no dot"));
    assert!(check("*.example.org").unwrap().contains("wildcards"));
    assert!(check("192.0.2.1").unwrap().contains("IP addresses"));
    assert!(check("bücher.example").unwrap().contains("xn--"));
    assert!(check("a.b\u{1b}[2J").unwrap().chars().all(|c| !c.is_control()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn whatever_the_host_name_the_file_is_the_template_or_there_is_none(any in "\\PC{0,40}", like in "[a-z0-9.`()|@\"\n*-]{1,30}", good in "[a-z][a-z0-9]{0,8}\\.[a-z]{2,5}") {
        for name in [&any, &like, &good] {
            match render(vec![route(&[name])]) {
                Ok(files) => {
                    prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'));
                    let template = PLAIN.replace("Host(`shop.example.org`) || Host(`www.shop.example.org`)", &format!("Host(`{name}`)"));
                    prop_assert_eq!(&files, &[template]);
                }
                Err(error) => {
                    prop_assert_eq!(error.code, "HOSTNAME_INVALID");
                    prop_assert_ne!(name, &good);
                }
            }
        }
    }
}
