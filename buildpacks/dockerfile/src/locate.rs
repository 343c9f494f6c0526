//! Which file is the Dockerfile, how much that says, and which directory it copies from.

use slipway_buildpack_sdk::{Context, STATED_BUILD, Source};

use crate::{parse::Parsed, stages::Stage};

/// In the root: these state how the application is to be built.
const USUAL: [&str; 4] = ["Dockerfile", "dockerfile", "Containerfile", "containerfile"];
/// The same, where no other Dockerfile stands beside it.
const OF_PRODUCTION: [&str; 4] = ["Dockerfile.prod", "Dockerfile.production", "prod.Dockerfile", "production.Dockerfile"];
/// Often for something else, such as developing; used where no language recognises the tree.
const ELSEWHERE: [&str; 7] = [
    "docker/Dockerfile",
    ".docker/Dockerfile",
    "docker/Dockerfile.prod",
    "docker/prod/Dockerfile",
    "docker/production/Dockerfile",
    "deploy/Dockerfile",
    "build/Dockerfile",
];
pub const ONLY_A_HINT: u8 = 50;

pub struct Found {
    pub path: String,
    pub score: u8,
}

/// The file that the settings name, else the usual one.
pub fn find(source: &Source, context: &Context) -> Option<Found> {
    let found = |path: &str, score| Found { path: path.to_owned(), score };
    if let Some(path) = context.dockerfile_path.as_deref() {
        let path = path.trim_start_matches("./");
        return source.is_file(path).then(|| found(path, STATED_BUILD));
    }
    if let Some(path) = source.first_file(&USUAL) {
        return Some(found(path, STATED_BUILD));
    }
    let is_one = |name: &str| name.split('.').any(|part| part.eq_ignore_ascii_case("dockerfile")) && !name.ends_with(".dockerignore");
    let in_root: Vec<_> = source.list(".").into_iter().filter(|entry| !entry.is_dir && is_one(&entry.name)).collect();
    if let [only] = &in_root[..]
        && OF_PRODUCTION.contains(&only.name.as_str())
    {
        return Some(found(&only.name, STATED_BUILD));
    }
    source.first_file(&OF_PRODUCTION).or_else(|| source.first_file(&ELSEWHERE)).map(|path| found(path, ONLY_A_HINT))
}

/// What a stage copies from the source by its plain name, and the line.
pub fn copied(stage: &Stage) -> Vec<(String, u32)> {
    let copies = stage.instructions.iter().filter(|instruction| matches!(instruction.name.as_str(), "COPY" | "ADD"));
    copies
        .filter(|instruction| !instruction.has_heredoc && !instruction.rest.contains("--from="))
        .flat_map(|instruction| {
            let words: Vec<String> = match serde_json::from_str::<Vec<String>>(words_after_flags(&instruction.rest)) {
                Ok(words) => words,
                Err(_) => instruction.rest.split_whitespace().filter(|word| !word.starts_with("--")).map(str::to_owned).collect(),
            };
            let sources = words.len().saturating_sub(1);
            words.into_iter().take(sources).map(|word| (word, instruction.line))
        })
        // Patterns may match nothing, variables and addresses are for the builder.
        .filter(|(word, _)| {
            !word.contains(['*', '?', '[', '$', '"', '\'', '\\', '{']) && !word.contains("://") && !word.starts_with("git@")
        })
        .map(|(word, line)| (word.trim_start_matches("./").trim_matches('/').to_owned(), line))
        .collect()
}

fn words_after_flags(mut rest: &str) -> &str {
    while rest.starts_with("--") {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, after)| after.trim_start());
    }
    rest
}

pub fn exists(source: &Source, dir: &str, path: &str) -> bool {
    let path = match (dir, path) {
        (".", path) => path.to_owned(),
        (dir, "" | ".") => dir.to_owned(),
        (dir, path) => format!("{dir}/{path}"),
    };
    path.is_empty() || path == "." || source.is_file(&path) || source.is_dir(&path)
}

/// The root; but the Dockerfile's own directory, where only that holds all of what is copied.
pub fn build_context(source: &Source, path: &str, stages: &[&Stage]) -> String {
    let Some((dir, _)) = path.rsplit_once('/') else { return ".".into() };
    let copied: Vec<_> = stages.iter().flat_map(|stage| copied(stage)).collect();
    let holds_all = |dir: &str| copied.iter().all(|(path, _)| exists(source, dir, path));
    if !holds_all(".") && holds_all(dir) { dir.to_owned() } else { ".".into() }
}

/// Whether a `.dockerignore` could make a file appear or vanish is not asked: what is absent cannot be copied.
pub fn first_absent(source: &Source, dir: &str, stages: &[&Stage]) -> Option<(String, u32)> {
    stages.iter().flat_map(|stage| copied(stage)).find(|(path, _)| !exists(source, dir, path) && !path.contains(".."))
}

/// A frontend of somebody else's, whose files are Dockerfiles only in name.
pub fn foreign_frontend(parsed: &Parsed) -> Option<(&str, u32)> {
    let (frontend, line) = parsed.syntax.as_ref()?;
    let name = frontend.rsplit_once('@').map_or(frontend.as_str(), |(name, _)| name);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let is_dockers = name.starts_with("docker/dockerfile") || name.contains("/docker/dockerfile") || name.contains("moby/dockerfile");
    (!is_dockers).then_some((frontend.as_str(), *line))
}
