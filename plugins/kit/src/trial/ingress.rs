//! What an ingress plugin is asked. What customers may name stands in its files, and must not be able to leave its place there.

use serde_json::{Value, json};
use slipway_plugin_host::messages::{IngressReply, RenderedRoutes, Reply};

use super::{
    About, Ask, Fault, Theme, Tried, Verdict,
    asking::{self, Expect, hangs, in_brief},
};

/// Not names at all, and each of them would end something in one proxy's configuration or another's.
const BREAKING: [&str; 16] = [
    "a`) || Host(`b.example",
    "a;b.example",
    "a{b}.example",
    "a}b.example",
    "a\nb.example",
    "a\rb.example",
    "\"a\".example",
    "a'b.example",
    "a b.example",
    "a\\b.example",
    "$host",
    "#.example",
    "a<b>.example",
    "a\0b.example",
    "@ins_1@",
    "a:80",
];
const ODD: [&str; 8] = ["", ".", "a..b", "-a.example", "A.EXAMPLE", "*.example.org", "10.0.0.1", "пример.example"];

fn app(id: &str) -> Value {
    json!({
        "application": id,
        "revision": format!("rev-{id}"),
        "hostnames": [format!("{}.example.org", id.replace('_', "-"))],
        "backends": [{ "instance": format!("ins_{id}"), "port": 3000 }],
        "tls": false,
    })
}

/// The same with one field changed.
fn with(mut app: Value, field: &str, value: Value) -> Value {
    app[field] = value;
    app
}

fn render(name: &str, applications: Vec<Value>, expect: Expect) -> Ask {
    Ask::new(name, json!({ "render": { "applications": applications } }), expect)
}

fn check_domain(hostname: &str, expect: Expect) -> Ask {
    Ask::new(format!("{hostname:?}"), json!({ "check_domain": { "hostname": hostname } }), expect)
}

pub(super) fn themes() -> Vec<Theme> {
    let two_backends = json!([{ "instance": "ins_1", "port": 3000 }, { "instance": "ins_2", "port": 65535 }]);
    let many = (0..2000).map(|at| app(&format!("app_{at}"))).collect();
    let usual = vec![
        render("no application", Vec::new(), Expect::Answer),
        render("one application", vec![app("app_1")], Expect::Answer),
        render("two applications", vec![app("app_1"), app("app_2")], Expect::Answer),
        render("TLS", vec![with(app("app_1"), "tls", json!(true))], Expect::Answer),
        render("several host names", vec![with(app("app_1"), "hostnames", json!(["a.example.org", "b.example.org"]))], Expect::Answer),
        render("several instances", vec![with(app("app_1"), "backends", two_backends)], Expect::Answer),
        render("no instance", vec![with(app("app_1"), "backends", json!([]))], Expect::Answer),
        render("no host name", vec![with(app("app_1"), "hostnames", json!([]))], Expect::Answer),
        render("two thousand applications", many, Expect::Answer),
    ];
    let mut domains = vec![check_domain("shop.example.org", Expect::Answer), check_domain("xn--e1afmkfd.example", Expect::Answer)];
    domains.extend(ODD.map(|hostname| check_domain(hostname, Expect::Answer)));

    let mut hostnames: Vec<Ask> = Vec::new();
    for hostname in BREAKING {
        hostnames.push(render(&format!("{hostname:?}"), vec![with(app("app_1"), "hostnames", json!([hostname]))], Expect::Refusal));
        hostnames.push(check_domain(hostname, Expect::Problem));
    }
    hostnames.extend(ODD.map(|name| render(&format!("{name:?}"), vec![with(app("app_1"), "hostnames", json!([name]))], Expect::Either)));
    hostnames.push(check_domain(&"a.".repeat(50_000), Expect::Answer));

    let mut names: Vec<Ask> = Vec::new();
    for name in BREAKING.into_iter().filter(|name| *name != "a:80").chain(["", "../../etc/passwd", "a/b"]) {
        let backends = json!([{ "instance": name, "port": 80 }]);
        names.push(render(&format!("the application {name:?}"), vec![with(app("app_1"), "application", json!(name))], Expect::Refusal));
        names.push(render(&format!("the instance {name:?}"), vec![with(app("app_1"), "backends", backends)], Expect::Refusal));
        if !matches!(name, "../../etc/passwd" | "a/b") {
            names.push(render(&format!("the revision {name:?}"), vec![with(app("app_1"), "revision", json!(name))], Expect::Refusal));
        }
    }
    names.push(render("port 0", vec![with(app("app_1"), "backends", json!([{ "instance": "ins_1", "port": 0 }]))], Expect::Either));
    let same_name = with(app("app_2"), "hostnames", json!(["app-1.example.org"]));
    let twice = vec![
        render("one host name, two applications", vec![app("app_1"), same_name], Expect::Refusal),
        render("one application, two routes", vec![app("app_1"), app("app_1")], Expect::Refusal),
    ];
    vec![
        Theme { about: About::Questions, name: "render", asks: usual },
        Theme { about: About::Questions, name: "check_domain", asks: domains },
        Theme { about: About::Hostile, name: "host names that are none", asks: hostnames },
        Theme { about: About::Hostile, name: "names that would leave their place", asks: names },
        Theme { about: About::Hostile, name: "the same name twice", asks: twice },
    ]
}

/// A route's file depends on that route alone: the platform takes equal revisions for equal files.
pub(super) async fn independent(tried: &Tried) -> Verdict {
    let alone = rendered(tried, vec![app("app_2")]).await?;
    let beside = rendered(tried, vec![app("app_1"), app("app_2"), app("app_3")]).await?;
    let file = |routes: &RenderedRoutes| routes.files.iter().find(|file| file.application == "app_2").cloned();
    if file(&alone) == file(&beside) {
        return Ok("a route's file does not depend on the other routes".to_owned().into());
    }
    let texts = [alone, beside].map(|routes| file(&routes).map(|file| file.content).unwrap_or_default());
    let diff = similar::TextDiff::from_lines(&texts[0], &texts[1]);
    let lines = diff.unified_diff().header("by itself", "beside others").to_string();
    Err(Fault::new("a route's file changes with the other routes", lines.lines().map(str::to_owned).collect()))
}

async fn rendered(tried: &Tried, applications: Vec<Value>) -> Result<RenderedRoutes, Fault> {
    let (_, answer) = asking::ask(tried, &json!({ "render": { "applications": applications } })).await?;
    match answer {
        Ok(Reply::Ingress(IngressReply::Render(routes))) => Ok(routes),
        other => Err(Fault { message: in_brief(&other), details: Vec::new(), hangs: hangs(&other) }),
    }
}
