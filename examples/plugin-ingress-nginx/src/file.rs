//! The file of one application.

use slipway_plugin_sdk::ApplicationRoute;

use crate::Settings;

/// For the agent, which looks for it to see that a route is in force.
const REVISION_HEADER: &str = "x-slipway-route";

/// Of a route whose names have been checked. The agent puts an address in the place of `@<instance>@`, and the address for visitors in
/// that of `@web@`.
pub(crate) fn text(settings: Settings, route: &ApplicationRoute) -> String {
    let ApplicationRoute { application, revision, hostnames, backends, .. } = route;
    let header = format!("add_header {REVISION_HEADER} {revision} always;");
    let mut server = vec![
        "listen @web@;".to_owned(),
        format!("server_name {};", hostnames.join(" ")),
        format!("client_max_body_size {}m;", settings.max_body_megabytes),
        header.clone(),
    ];
    // Answered by nginx itself, however slow the application is.
    server.extend(block("location = /.well-known/slipway-route", vec![header, "return 204;".into()]));
    let mut lines = Vec::new();
    if backends.is_empty() {
        server.extend(block("location /", vec!["return 503;".into()]));
    } else {
        // The platform takes instances that are not well out of the route; nginx need not guess.
        let each = backends.iter().map(|backend| format!("server @{}@:{} max_fails=0;", backend.instance, backend.port));
        lines.extend(block(&format!("upstream {application}"), each.collect()));
        server.extend(block("location /", pass(application, settings)));
    }
    lines.extend(block("server", server));
    lines.join("\n") + "\n"
}

fn pass(application: &str, settings: Settings) -> Vec<String> {
    let Settings { answer_seconds, .. } = settings;
    [
        format!("proxy_pass http://{application};").as_str(),
        "proxy_http_version 1.1;",
        "proxy_set_header Host $http_host;",
        // What visitors say of themselves is not passed on.
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-Host $http_host;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Port $server_port;",
        "proxy_set_header Forwarded \"\";",
        // WebSockets.
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $slipway_connection;",
        // An instance that is gone is noticed soon.
        "proxy_connect_timeout 2s;",
        &format!("proxy_read_timeout {answer_seconds}s;"),
        &format!("proxy_send_timeout {answer_seconds}s;"),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn block(head: &str, inside: Vec<String>) -> Vec<String> {
    let mut lines = vec![format!("{head} {{")];
    lines.extend(inside.into_iter().map(|line| format!("    {line}")));
    lines.push("}".into());
    lines
}
