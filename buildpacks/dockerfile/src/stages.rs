//! What the image that a Dockerfile ends in will do: the chain of stages behind it, read from the first to the last.

use std::collections::BTreeMap;

use crate::parse::{Instruction, Parsed};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    pub name: Option<String>,
    pub from: String,
    pub line: u32,
    pub instructions: Vec<Instruction>,
    /// Defaults of the arguments before the first stage.
    globals: BTreeMap<String, String>,
}

/// What running the image means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// The image that the chain of stages begins with.
    pub base: String,
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

/// The stages, with the values of the arguments before the first.
pub fn stages(parsed: &Parsed) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut globals: BTreeMap<String, String> = BTreeMap::new();
    for instruction in &parsed.instructions {
        if instruction.name == "FROM" {
            let words: Vec<&str> = instruction.rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let name = words.iter().position(|word| word.eq_ignore_ascii_case("as")).and_then(|at| words.get(at + 1));
            stages.push(Stage {
                name: name.map(|name| name.to_ascii_lowercase()),
                from: expand(words.first().copied().unwrap_or_default(), &globals, &BTreeMap::new()),
                line: instruction.line,
                instructions: Vec::new(),
                globals: globals.clone(),
            });
        } else if let Some(stage) = stages.last_mut() {
            stage.instructions.push(instruction.clone());
        } else if instruction.name == "ARG" {
            let values: Vec<_> =
                pairs(&instruction.rest).into_iter().map(|(name, value)| (name, expand(&value, &globals, &globals))).collect();
            globals.extend(values);
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

/// The stage that another builds upon.
fn below<'a>(stages: &'a [Stage], stage: &Stage) -> Option<&'a Stage> {
    stages
        .iter()
        .take_while(|other| other.line < stage.line)
        .filter(|other| other.name.is_some() && other.name == Some(stage.from.to_ascii_lowercase()))
        .last()
}

/// The stages that are built for one: itself, those below it, and those that it copies from.
pub fn built_for<'a>(stages: &'a [Stage], stage: &'a Stage) -> Vec<&'a Stage> {
    let mut built: Vec<&Stage> = Vec::new();
    let mut pending = vec![stage];
    while let Some(stage) = pending.pop() {
        if built.iter().any(|other| other.line == stage.line) {
            continue;
        }
        built.push(stage);
        pending.extend(below(stages, stage));
        let origins = stage.instructions.iter().flat_map(|instruction| instruction.rest.split([' ', ',', '\t'])).filter_map(|word| {
            let origin = word.strip_prefix("--from=").or_else(|| word.strip_prefix("from="))?;
            target(stages, Some(origin))
        });
        pending.extend(origins.filter(|origin| origin.line < stage.line));
    }
    built.sort_by_key(|stage| stage.line);
    built
}

/// What the image of a stage will do, with what it takes over from the stages below it.
pub fn running(stages: &[Stage], stage: &Stage) -> Running {
    let mut running = match below(stages, stage) {
        Some(below) => self::running(stages, below),
        None => Running { base: stage.from.clone(), ..Running::default() },
    };
    let mut args: BTreeMap<String, String> = BTreeMap::new();
    let mut states_command = false;
    for Instruction { name, rest, .. } in &stage.instructions {
        match name.as_str() {
            "ARG" => {
                for word in rest.split_whitespace().filter(|word| !word.contains('=')) {
                    args.extend(stage.globals.get(word).map(|value| (word.to_owned(), value.clone())));
                }
                args.extend(pairs(rest));
            }
            "ENV" => {
                let values: Vec<_> = env(rest).into_iter().map(|(name, value)| (name, expand(&value, &running.env, &args))).collect();
                running.env.extend(values);
            }
            "EXPOSE" => {
                for word in rest.split_whitespace() {
                    let port = port(&expand(word, &running.env, &args)).filter(|port| !running.ports.contains(port));
                    running.ports.extend(port);
                }
            }
            "USER" => running.user = Some(expand(rest, &running.env, &args)),
            "CMD" => {
                states_command = true;
                running.command = Some(words(rest));
            }
            "ENTRYPOINT" => {
                // An ENTRYPOINT forgets the CMD of the image below, not that of its own stage.
                running.command = running.command.filter(|_| states_command);
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
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, fallback, left) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some((inner, left)) => {
                let (name, fallback) = inner.split_once(":-").or_else(|| inner.split_once('-')).unwrap_or((inner, ""));
                (name, fallback, left)
            }
            None => {
                let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
                (&after[..end], "", &after[end..])
            }
        };
        let value = env.get(name).or_else(|| args.get(name)).filter(|value| !value.is_empty());
        expanded.push_str(value.map_or(fallback, String::as_str));
        rest = left;
    }
    expanded + rest
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
    fn arguments_before_the_first_stage_are_known_in_it_once_it_asks() {
        let got = read("ARG TAG=22 PORT=5000\nFROM node:${TAG}-slim\nARG PORT\nENV PORT=$PORT\nEXPOSE ${PORT}\n", None);
        assert_eq!((got.base.as_str(), got.ports, got.env["PORT"].as_str()), ("node:22-slim", vec![5000], "5000"));
    }

    #[test]
    fn an_entrypoint_forgets_the_command_of_the_stage_below() {
        assert_eq!(read("FROM a AS b\nCMD x\nFROM b\nENTRYPOINT [\"y\"]\n", None).command, None);
        assert!(read("FROM a\nCMD x\nENTRYPOINT [\"y\"]\n", None).command.is_some());
    }

    #[test]
    fn only_the_stages_that_are_needed_are_built() {
        let all = stages(&parse("FROM a AS deps\nFROM a AS test\nFROM deps AS build\nFROM a\nCOPY --from=build /x /x\n"));
        let names: Vec<_> = built_for(&all, all.last().unwrap()).iter().map(|stage| stage.name.as_deref()).collect();
        assert_eq!(names, [Some("deps"), Some("build"), None]);
    }

    #[test]
    fn a_health_check_is_the_command_after_its_options() {
        let got = read("FROM a\nHEALTHCHECK --interval=5s --timeout=3s CMD curl -f http://localhost/ || exit 1\n", None);
        assert_eq!(got.health, Some(Words::Shell("curl -f http://localhost/ || exit 1".into())));
        assert_eq!(read("FROM a\nHEALTHCHECK NONE\n", None).health, None);
    }
}
