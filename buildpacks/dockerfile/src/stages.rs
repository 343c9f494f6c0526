//! What the image that a Dockerfile ends in will do: the chain of stages behind it, read from the first to the last.

use std::collections::BTreeMap;

use crate::parse::{Instruction, Parsed};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    pub name: Option<String>,
    pub from: String,
    pub line: u32,
    instructions: Vec<Instruction>,
}

/// What running the image means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    pub ports: Vec<u16>,
    pub user: Option<String>,
    pub command: Option<Words>,
    pub entrypoint: Option<Words>,
    pub health: Option<Words>,
    pub env: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    Exec(Vec<String>),
    Shell(String),
}

/// The stages, and the values of arguments before the first.
pub fn stages(parsed: &Parsed) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in &parsed.instructions {
        if instruction.name == "FROM" {
            let words: Vec<&str> = instruction.rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let name = words.iter().position(|word| word.eq_ignore_ascii_case("as")).and_then(|at| words.get(at + 1));
            stages.push(Stage {
                name: name.map(|name| name.to_ascii_lowercase()),
                from: words.first().copied().unwrap_or_default().to_owned(),
                line: instruction.line,
                instructions: Vec::new(),
            });
        } else if let Some(stage) = stages.last_mut() {
            stage.instructions.push(instruction.clone());
        }
    }
    stages
}

/// The stage that is built: the named one, or the last.
pub fn target<'a>(stages: &'a [Stage], target: Option<&str>) -> Option<&'a Stage> {
    match target {
        Some(name) => stages
            .iter()
            .enumerate()
            .find(|(index, stage)| stage.name.as_deref() == Some(&name.to_ascii_lowercase()) || index.to_string() == name)
            .map(|(_, stage)| stage),
        None => stages.last(),
    }
}

/// What the image of a stage will do, with what it takes over from the stages below it.
pub fn running(stages: &[Stage], stage: &Stage) -> Running {
    let below = stages
        .iter()
        .take_while(|other| other.line < stage.line)
        .filter(|other| other.name.is_some() && other.name == Some(stage.from.to_ascii_lowercase()))
        .last();
    let mut running = below.map(|below| self::running(stages, below)).unwrap_or_default();
    let mut args: BTreeMap<String, String> = BTreeMap::new();
    for Instruction { name, rest, .. } in &stage.instructions {
        match name.as_str() {
            "ARG" => {
                let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
                args.insert(name.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned());
            }
            "ENV" => running.env.extend(env(rest)),
            "EXPOSE" => {
                let ports = rest.split_whitespace().filter_map(|word| port(&expand(word, &running.env, &args)));
                let ports: Vec<u16> = ports.filter(|port| !running.ports.contains(port)).collect();
                running.ports.extend(ports);
            }
            "USER" => running.user = Some(rest.clone()),
            "CMD" => running.command = Some(words(rest)),
            "ENTRYPOINT" => {
                // An ENTRYPOINT forgets the CMD of the image below, not that of its own stage.
                running.entrypoint = Some(words(rest));
            }
            "HEALTHCHECK" => running.health = health(rest),
            _ => {}
        }
    }
    running
}

/// `A=1 B="2 3"`, or the old `A rest of the line`.
fn env(rest: &str) -> Vec<(String, String)> {
    match rest.split_once([' ', '\t', '=']) {
        Some((name, value)) if !rest[name.len()..].starts_with('=') => vec![(name.to_owned(), value.trim().to_owned())],
        _ => pairs(rest),
    }
}

fn pairs(rest: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = vec![String::new()];
    let mut quote = None;
    for c in rest.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => words.last_mut().expect("begins with one").push(c),
        }
    }
    words.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `$NAME`, `${NAME}` and `${NAME:-default}`, where the name is known.
fn expand(word: &str, env: &BTreeMap<String, String>, args: &BTreeMap<String, String>) -> String {
    let Some(start) = word.find('$') else { return word.to_owned() };
    let rest = &word[start + 1..];
    let (name, fallback, after) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((inner, after)) => {
            let (name, fallback) = inner.split_once(":-").unwrap_or((inner, ""));
            (name, fallback, after)
        }
        None => {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (&rest[..end], "", &rest[end..])
        }
    };
    let value = env.get(name).or_else(|| args.get(name)).map_or(fallback, String::as_str);
    format!("{}{value}{after}", &word[..start])
}

/// `80`, `80/tcp`, and the first of `8000-8010`; not UDP.
fn port(word: &str) -> Option<u16> {
    let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    if !protocol.eq_ignore_ascii_case("tcp") {
        return None;
    }
    number.split('-').next()?.trim_matches('"').parse().ok().filter(|port| *port != 0)
}

fn words(rest: &str) -> Words {
    match serde_json::from_str::<Vec<String>>(rest) {
        Ok(list) => Words::Exec(list),
        Err(_) => Words::Shell(rest.to_owned()),
    }
}

/// The command after `HEALTHCHECK`'s options; `NONE` takes it away.
fn health(rest: &str) -> Option<Words> {
    let at = rest.split_whitespace().position(|word| word.eq_ignore_ascii_case("CMD"))?;
    let mut rest = rest;
    for _ in 0..=at {
        rest = rest.trim_start().split_once(char::is_whitespace)?.1;
    }
    Some(words(rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn read(text: &str, wanted: Option<&str>) -> Running {
        let stages = stages(&parse(text));
        running(&stages, target(&stages, wanted).unwrap())
    }

    #[test]
    fn the_last_stage_takes_over_what_the_stage_below_says() {
        let text = "FROM node:22 AS base\nENV PORT=4000 NAME=\"a b\"\nEXPOSE $PORT\nUSER app\nFROM node:22 AS build\nEXPOSE 1\nFROM base\nCMD [\"node\", \"x.js\"]\n";
        let got = read(text, None);
        assert_eq!((got.ports, got.user.as_deref()), (vec![4000], Some("app")));
        assert_eq!(got.command, Some(Words::Exec(vec!["node".into(), "x.js".into()])));
        assert_eq!(got.env["NAME"], "a b");
        assert_eq!(read(text, Some("BUILD")).ports, [1]);
    }

    #[test]
    fn ports_are_read_in_every_form() {
        assert_eq!(read("FROM a\nARG P=9\nEXPOSE 80/tcp 53/udp ${P} 8000-8010 ${Q:-7}\n", None).ports, [80, 9, 8000, 7]);
    }

    #[test]
    fn a_health_check_is_the_command_after_its_options() {
        let got = read("FROM a\nHEALTHCHECK --interval=5s --timeout=3s CMD curl -f http://localhost/ || exit 1\n", None);
        assert_eq!(got.health, Some(Words::Shell("curl -f http://localhost/ || exit 1".into())));
        assert_eq!(read("FROM a\nHEALTHCHECK NONE\n", None).health, None);
    }
}
