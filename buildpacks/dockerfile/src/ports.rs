//! Which port visitors are led to. A Dockerfile often does not say, but its other lines do.

use slipway_buildpack_sdk::{Diagnostic, Port, first_word, info, warning};

use crate::stages::{Running, Words};

/// Where nothing says anything.
const DEFAULT: u16 = 8080;

/// Ports that are exposed beside the one for visitors: remote shells, TLS, debuggers, databases.
const NOT_FOR_VISITORS: [u16; 12] = [22, 443, 8443, 9229, 5005, 5678, 3306, 5432, 6379, 27017, 11211, 5672];

/// Variables, other than PORT, by which programs are told their port or address.
const VARIABLES: [&str; 11] = [
    "ASPNETCORE_HTTP_PORTS",
    "ASPNETCORE_URLS",
    "FLASK_RUN_PORT",
    "GRADIO_SERVER_PORT",
    "HTTP_PORT",
    "NITRO_PORT",
    "SERVER_PORT",
    "STREAMLIT_SERVER_PORT",
    "UVICORN_PORT",
    "APP_PORT",
    "ROCKET_PORT",
];

/// Images that serve on a port of their own unless told otherwise: by the last part of the name, and what the tag holds.
const OF_BASES: [(&str, &str, u16); 20] = [
    ("nginx-unprivileged", "", 8080),
    ("nginx", "", 80),
    ("httpd", "", 80),
    ("caddy", "", 80),
    ("php", "apache", 80),
    ("wordpress", "fpm", 9000),
    ("wordpress", "", 80),
    ("drupal", "", 80),
    ("static-web-server", "", 80),
    ("tomcat", "", 8080),
    ("jetty", "", 8080),
    ("jboss-eap", "", 8080),
    ("wildfly", "", 8080),
    ("ghost", "", 2368),
    ("n8n", "", 5678),
    ("grafana", "", 3000),
    ("meilisearch", "", 7700),
    ("uvicorn-gunicorn-fastapi", "", 80),
    ("uvicorn-gunicorn", "", 80),
    ("uwsgi-nginx-flask", "", 80),
];

/// The first is the one for visitors.
pub fn ports(running: &Running, path: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Port> {
    let stated = running.env.get("PORT").and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let exposed = &running.ports[..];
    let first = match exposed {
        [] => match stated.or_else(|| elsewhere(running, path, diagnostics)) {
            Some(port) => port,
            None => {
                let message = format!("No `EXPOSE` says which port the program listens on; {DEFAULT} is assumed, and given to it as PORT.");
                diagnostics.push(warning("DOCKERFILE_NO_EXPOSE", message, Some(path)));
                DEFAULT
            }
        },
        [only] => *only,
        several => {
            // Of several, the one that the program is told, that is asked for its health, or that is in its command.
            let told = [stated, in_words(running.health.as_ref()), in_words(running.command.as_ref())];
            let told = told.into_iter().flatten().find(|port| several.contains(port));
            let first = told.or_else(|| several.iter().copied().find(|port| !NOT_FOR_VISITORS.contains(port))).unwrap_or(several[0]);
            diagnostics.push(info(
                "DOCKERFILE_SEVERAL_PORTS",
                format!("Several ports are exposed; visitors are led to {first}."),
                Some(path),
            ));
            first
        }
    };
    let port = |name: String, default| Port { name, env: "PORT".into(), default };
    let others = exposed.iter().filter(|other| **other != first).map(|other| port(format!("port-{other}"), *other));
    std::iter::once(port("http".into(), first)).chain(others).collect()
}

/// Without `EXPOSE`: the health check's address, the command's options, the base image's own port.
fn elsewhere(running: &Running, path: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<u16> {
    let commands =
        || in_words(running.command.as_ref()).or_else(|| in_words(running.entrypoint.as_ref())).map(|port| (port, "the command"));
    let health = in_words(running.health.as_ref()).map(|port| (port, "the health check"));
    let of_base = || starts_server_of_base(running).then(|| of_base(&running.base)).flatten().map(|port| (port, "the base image"));
    let variable = || {
        VARIABLES.into_iter().find_map(|name| {
            let value = running.env.get(name)?;
            Some((number(value).or_else(|| address(value))?, name))
        })
    };
    let (port, origin) = health.or_else(variable).or_else(commands).or_else(of_base)?;
    let message = format!("No `EXPOSE` says which port the program listens on; {port} is taken from {origin}.");
    diagnostics.push(info("DOCKERFILE_PORT_GUESSED", message, Some(path)));
    Some(port)
}

/// A program of its own, started on an image that serves, is not that image's server.
fn starts_server_of_base(running: &Running) -> bool {
    let program = match running.entrypoint.as_ref().or(running.command.as_ref()) {
        None => return true,
        Some(Words::Exec(words)) => words.first().map(String::as_str),
        Some(Words::Shell(line)) => first_word(line),
    };
    let program = program.and_then(|program| program.rsplit('/').next()).unwrap_or_default();
    ["nginx", "nginx-debug", "httpd", "httpd-foreground", "apache2-foreground", "caddy", "catalina.sh", "dotnet"].contains(&program)
}

fn of_base(image: &str) -> Option<u16> {
    let image = image.split('@').next()?;
    let last = image.rsplit('/').next()?;
    let (name, tag) = last.split_once(':').unwrap_or((last, ""));
    if name == "aspnet" {
        // .NET 8 moved from 80, which only root may open.
        let major = tag.split('.').next().and_then(|major| major.parse::<u32>().ok());
        return Some(if major.is_some_and(|major| major < 8) { 80 } else { 8080 });
    }
    OF_BASES.into_iter().find(|(base, part, _)| *base == name && tag.contains(part)).map(|(_, _, port)| port)
}

fn in_words(words: Option<&Words>) -> Option<u16> {
    match words? {
        Words::Exec(words) => in_line(&words.join(" ")),
        Words::Shell(line) => in_line(line),
    }
}

/// `--port 8000`, `--port=8000`, `-p 8000`, `-Dserver.port=8000`, `0.0.0.0:8000`, `http://localhost:8000/`.
fn in_line(line: &str) -> Option<u16> {
    let option = |words: &[&str]| match words {
        [name, value] if matches!(*name, "-p" | "-P") || name.to_ascii_lowercase().ends_with("port") => number(value),
        _ => None,
    };
    let spread = line.replace('=', " ").replace(['"', '\''], " ");
    let words: Vec<&str> = spread.split_whitespace().collect();
    words.windows(2).find_map(option).or_else(|| words.iter().find_map(|word| address(word)))
}

/// The port of an address on this machine.
fn address(word: &str) -> Option<u16> {
    let word = word.rsplit_once("://").map_or(word, |(_, after)| after);
    let (host, port) = word.split('/').next()?.rsplit_once(':')?;
    matches!(host, "" | "0.0.0.0" | "127.0.0.1" | "localhost" | "[::]" | "[::1]" | "*" | "+" | "tcp").then(|| number(port))?
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parse::parse,
        stages::{running, stages},
    };

    fn planned(text: &str) -> (u16, Option<String>) {
        let parsed = parse(text);
        let stages = stages(&parsed);
        let mut diagnostics = Vec::new();
        let ports = ports(&running(&stages, stages.last().unwrap()), "Dockerfile", &mut diagnostics);
        (ports[0].default, diagnostics.into_iter().next().map(|diagnostic| diagnostic.code))
    }

    #[test]
    fn without_expose_other_lines_say_the_port() {
        for (text, port) in [
            ("FROM python:3\nCMD [\"uvicorn\", \"main:app\", \"--host\", \"0.0.0.0\", \"--port\", \"8000\"]\n", 8000),
            ("FROM python:3\nCMD gunicorn --bind=0.0.0.0:5000 app:app\n", 5000),
            ("FROM openjdk\nENTRYPOINT java -Dserver.port=9000 -jar app.jar\n", 9000),
            ("FROM debian:12\nHEALTHCHECK CMD curl -f http://localhost:3000/up || exit 1\nCMD [\"/app\"]\n", 3000),
            ("FROM nginx:alpine\nCOPY . /usr/share/nginx/html\n", 80),
            ("FROM docker.io/nginxinc/nginx-unprivileged:1.27\n", 8080),
            ("FROM php:8.3-apache\n", 80),
            ("FROM mcr.microsoft.com/dotnet/aspnet:8.0\nENTRYPOINT [\"dotnet\", \"a.dll\"]\n", 8080),
            ("FROM mcr.microsoft.com/dotnet/aspnet:6.0\nENV ASPNETCORE_URLS=http://+:5000\nENTRYPOINT [\"dotnet\", \"a.dll\"]\n", 5000),
            ("FROM nginx\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n", 80),
        ] {
            assert_eq!(planned(text), (port, Some("DOCKERFILE_PORT_GUESSED".into())), "{text}");
        }
        assert_eq!(planned("FROM php:8.3-cli\nCMD [\"php\", \"x.php\"]\n"), (8080, Some("DOCKERFILE_NO_EXPOSE".into())));
        assert_eq!(planned("FROM a\nENV PORT=4000\n"), (4000, None));
    }

    #[test]
    fn of_several_ports_the_one_for_visitors_is_first() {
        let several = Some("DOCKERFILE_SEVERAL_PORTS".to_owned());
        assert_eq!(planned("FROM a\nEXPOSE 443 80\n"), (80, several.clone()));
        assert_eq!(planned("FROM a\nEXPOSE 3000 4000\nENV PORT=4000\n"), (4000, several.clone()));
        assert_eq!(planned("FROM a\nEXPOSE 3000 4000\nHEALTHCHECK CMD curl localhost:4000/up\n"), (4000, several));
        assert_eq!(planned("FROM a\nEXPOSE 22\n"), (22, None));
    }
}
