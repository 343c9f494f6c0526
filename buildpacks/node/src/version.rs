//! Which Node the application wants.

use slipway_buildpack_sdk::{Diagnostic, Refusal, Source, Tool, refuse, warning};

use crate::{
    manifest::{FILE, Manifest},
    range::Range,
    version_files,
};

/// The line that a new application gets: active long-term support.
const DEFAULT: &str = "22";
/// Lines before this one get no more corrections, not even of what is dangerous.
const FIRST_SUPPORTED: u64 = 20;

/// Node as the application wants it.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub tool: Tool,
    pub range: Range,
    pub diagnostics: Vec<Diagnostic>,
}

/// One place that says which Node.
struct Stated {
    text: String,
    origin: &'static str,
    file: &'static str,
    line: Option<u32>,
}

/// The strongest statement. The others are only compared with it.
pub fn wanted(source: &Source, manifest: &Manifest) -> Result<Wanted, Refusal> {
    if manifest.engine("node").is_none()
        && let Some(range) = manifest.engine("iojs")
    {
        let message = format!("`engines.iojs` asks for io.js {range}, which became Node in 2015 and is no longer made.");
        return Err(manifest
            .refuse(&["engines", "iojs"], "NODE_IOJS", message)
            .fix("Remove `engines.iojs`, and name the wanted Node as `engines.node`."));
    }
    let mut stated = stated(source, manifest).into_iter().peekable();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    while let Some(alias) = stated.next_if(Stated::is_alias) {
        diagnostics.push(alias.of_one_machine());
    }
    let Some(strongest) = stated.next() else {
        return Ok(Wanted { tool: default(), range: Range::any(), diagnostics });
    };
    let (constraint, range) = normalize(&strongest.text, strongest.file == FILE).ok_or_else(|| invalid(&strongest))?;
    if range.is_empty() {
        let message = format!("No version of Node fulfils `{}` in {}.", strongest.text, strongest.origin);
        return Err(strongest.refuse("NODE_VERSION_UNSATISFIABLE", message).fix("Write a range that holds a version, such as `>=20 <23`."));
    }
    diagnostics.extend(stated.filter_map(|weaker| compare(&strongest, &range, &weaker)));
    if range.is_before(FIRST_SUPPORTED) {
        let message = format!("Node `{}` ({}) has reached its end of life and gets no security fixes.", strongest.text, strongest.origin);
        diagnostics.push(Diagnostic { line: strongest.line, ..warning("NODE_END_OF_LIFE", message, Some(strongest.file)) });
    }
    let tool = Tool { name: "node".into(), constraint, source: strongest.origin.into(), is_default: false };
    Ok(Wanted { tool, range, diagnostics })
}

pub fn default() -> Tool {
    Tool { name: "node".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true }
}

/// From the strongest to the weakest.
fn stated(source: &Source, manifest: &Manifest) -> Vec<Stated> {
    let keys: [(Option<&str>, &[&str], &'static str); 3] = [
        (manifest.engine("node"), &["engines", "node"], "package.json#engines.node"),
        (manifest.dev_engine("runtime", "node"), &["devEngines", "runtime", "version"], "package.json#devEngines.runtime"),
        (manifest.text(&["volta", "node"]), &["volta", "node"], "package.json#volta.node"),
    ];
    let keys = keys
        .into_iter()
        .filter_map(|(text, path, origin)| Some(Stated { text: text?.to_owned(), origin, file: FILE, line: manifest.line(path) }));
    let files = version_files::stated(source).into_iter().map(|(text, file)| Stated { text, origin: file, file, line: None });
    keys.chain(files).collect()
}

impl Stated {
    /// A word that may be anybody's own name for a version, as version managers let people define them.
    fn is_alias(&self) -> bool {
        let is_word = self.text.starts_with(|c: char| c.is_ascii_alphabetic())
            && self.text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
        self.file != FILE && is_word && !self.text.to_ascii_lowercase().starts_with("lts") && normalize(&self.text, false).is_none()
    }

    fn of_one_machine(&self) -> Diagnostic {
        let message = format!(
            "`{}` in {} is no version, but at most a name that one machine's version manager knows, so it is left aside. Write a version \
             such as `22`.",
            self.text, self.origin
        );
        warning("NODE_VERSION_ALIAS", message, Some(self.file))
    }

    fn refuse(&self, code: &str, message: String) -> Refusal {
        Refusal { line: self.line, ..refuse(code, message).at(self.file) }
    }
}

fn invalid(stated: &Stated) -> Refusal {
    stated
        .refuse("NODE_VERSION_INVALID", format!("`{}` in {} is not a version or range of Node.", stated.text, stated.origin))
        .fix("Write a version such as `22` or a range such as `>=20 <23`.")
}

/// What there is to say about a statement that another one outweighs.
fn compare(strongest: &Stated, range: &Range, weaker: &Stated) -> Option<Diagnostic> {
    let message = match normalize(&weaker.text, weaker.file == FILE) {
        Some((_, other)) if other.meets(range) => return None,
        Some(_) => format!(
            "{} asks for Node `{}`, but {} for `{}`, which is what is used.",
            weaker.origin, weaker.text, strongest.origin, strongest.text
        ),
        None => format!("`{}` in {} is not a version of Node; {} is used.", weaker.text, weaker.origin, strongest.origin),
    };
    Some(Diagnostic { line: weaker.line, ..warning("NODE_VERSIONS_DISAGREE", message, Some(weaker.file)) })
}

/// The names that version managers know, as what they stand for; ranges as they are; `None` for anything else. package.json
/// knows fewer names: those that package managers publish releases under.
fn normalize(text: &str, in_manifest: bool) -> Option<(String, Range)> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let named = match lower.strip_prefix("lts-").map_or_else(|| lower.clone(), |line| format!("lts/{line}")).as_str() {
        "latest" | "current" => Some("*"),
        "node" | "stable" if !in_manifest => Some("*"),
        "lts" | "lts/*" | "--lts" | "lts/latest" | "lts/current" => Some(DEFAULT),
        "lts/krypton" => Some("24"),
        "lts/jod" => Some("22"),
        "lts/iron" => Some("20"),
        "lts/hydrogen" => Some("18"),
        "lts/gallium" => Some("16"),
        "lts/fermium" => Some("14"),
        "lts/erbium" => Some("12"),
        "lts/dubnium" => Some("10"),
        "lts/carbon" => Some("8"),
        "lts/boron" => Some("6"),
        "lts/argon" => Some("4"),
        _ => None,
    };
    // `node-20.1.0` and `node/20` are how some version managers list it.
    let plain = text.strip_prefix("node-").or_else(|| text.strip_prefix("node/")).filter(|_| !in_manifest).unwrap_or(text);
    let constraint = named.unwrap_or(plain);
    let range = Range::parse(constraint)?;
    Some((if constraint.is_empty() { "*".to_owned() } else { constraint.to_owned() }, range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_release_lines_become_numbers() {
        let named = |text| normalize(text, false).map(|(constraint, _)| constraint);
        assert_eq!(named("lts/Iron").as_deref(), Some("20"));
        assert_eq!(named("lts-hydrogen").as_deref(), Some("18"));
        assert_eq!(named("node").as_deref(), Some("*"));
        assert_eq!(named("node-20.1.0").as_deref(), Some("20.1.0"));
        assert_eq!(named("v14.18.1").as_deref(), Some("v14.18.1"));
        assert_eq!(named("iojs"), None);
        assert_eq!(named("lts/unknown"), None);
    }

    #[test]
    fn the_manifest_knows_no_names_of_version_managers() {
        assert!(normalize("stable", true).is_none());
        assert!(normalize("latest", true).is_some());
    }
}
