//! What a runtime plugin is asked.

use serde_json::{Value, json};
use slipway_plugin_host::messages::{Reply, RuntimeDescription, RuntimeReply};

use super::{
    About, Ask, Theme, Tried, Verdict,
    asking::{self, Expect, fault, hangs},
    report::Fault,
};

const MIB: i64 = 1024 * 1024;
/// So many of a runtime's versions are asked for.
const MOST_VERSIONS: usize = 40;

/// Such as customers write by mistake, or to see what happens.
const ODD_CONSTRAINTS: [&str; 32] = [
    "",
    " ",
    "\0",
    "latest",
    "*",
    "x",
    "^",
    "~",
    "=",
    ">",
    "<>",
    "||",
    "1 ||",
    "^^1",
    ">=1 <",
    "1..2",
    ".",
    "-",
    "-1",
    "1-",
    "v",
    "v1",
    "1.2.3.4.5.6.7.8.9",
    "99999999999999999999999999999999",
    ">=99999999999999999999",
    "1e400",
    "NaN",
    "((((((((((((((((",
    "日本語",
    "1\n2",
    "$(reboot)",
    "../../etc/passwd",
];
const ODD_NAMES: [&str; 7] = ["", " ", "no-such-tool", "NO-SUCH-TOOL", "\0", "日本語", "../../etc/passwd"];

pub(super) async fn describe(tried: &Tried) -> (Option<RuntimeDescription>, Verdict) {
    let (message, answer) = match asking::ask(tried, &json!("describe")).await {
        Ok(asked) => asked,
        Err(fault) => return (None, Err(fault)),
    };
    let problem = fault(&message, &answer, Expect::Answer);
    let hangs = hangs(&answer);
    let description = match answer {
        Ok(Reply::Runtime(RuntimeReply::Describe(description))) => Some(description),
        _ => None,
    };
    let seen = description.as_ref().map(|description| {
        format!("`{}`, {} versions, tools: {}", description.slug, description.versions.len(), description.tools.join(", "))
    });
    let verdict = match problem {
        Some(problem) => Err(Fault { message: problem, details: Vec::new(), hangs }),
        None => Ok(seen.unwrap_or_default().into()),
    };
    (description, verdict)
}

fn resolve(tool: &str, constraint: &str, expect: Expect) -> Ask {
    let shown: String = format!("{tool} {constraint:?}").chars().take(80).collect();
    Ask::new(shown, json!({ "resolve": { "tool": tool, "constraint": constraint } }), expect)
}

fn launch(version: &str, memory_bytes: i64, cpu_millis: i64, expect: Expect) -> Ask {
    let name = format!("{version}: {memory_bytes} bytes, {cpu_millis} thousandths of a core");
    let ask: Value = json!({ "launch": { "memory_bytes": memory_bytes, "cpu_millis": cpu_millis, "version": version } });
    Ask::new(name, ask, expect)
}

pub(super) fn themes(description: Option<&RuntimeDescription>) -> Vec<Theme> {
    let described = description.map(|d| d.versions.as_slice()).unwrap_or_default();
    let versions: Vec<&str> = described.iter().take(MOST_VERSIONS).map(|version| version.version.as_str()).collect();
    let default = described.iter().find(|version| version.is_default).map_or("1", |version| &version.version);
    let tools: Vec<&str> = description.map(|d| d.tools.iter().map(String::as_str).collect()).unwrap_or_default();

    let mut resolved: Vec<Ask> = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        // The first tool is the language itself, whose default version is a constraint that means itself.
        let expect = |version: &str| if at == 0 && version == default { Expect::Answer } else { Expect::Either };
        resolved.extend(versions.iter().map(|version| resolve(tool, version, expect(version))));
    }
    resolved.extend(ODD_NAMES.iter().filter(|name| !tools.contains(name)).map(|tool| resolve(tool, default, Expect::Refusal)));

    let usual_sizes = [512 * MIB, 1024 * MIB, 8 * 1024 * MIB, 256 * 1024 * MIB];
    let mut launched: Vec<Ask> = Vec::new();
    for version in versions.iter().copied().chain(versions.is_empty().then_some(default)) {
        launched.extend(usual_sizes.map(|bytes| launch(version, bytes, 1000, Expect::Answer)));
    }
    launched.push(launch(default, 64 * MIB, 50, Expect::Either));

    let long = "1".repeat(100_000);
    let ranges = "1 || ".repeat(20_000);
    let mut odd: Vec<Ask> = Vec::new();
    for tool in tools.iter().copied().chain(tools.is_empty().then_some("node")) {
        odd.extend(
            ODD_CONSTRAINTS.iter().copied().chain([long.as_str(), &ranges]).map(|constraint| resolve(tool, constraint, Expect::Either)),
        );
    }
    let mut sizes: Vec<Ask> = [(0, 0), (-1, -1), (1, 1), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]
        .map(|(memory, cpu)| launch(default, memory, cpu, Expect::Either))
        .to_vec();
    sizes.extend(ODD_NAMES.map(|version| launch(version, 512 * MIB, 500, Expect::Either)));
    vec![
        Theme { about: About::Questions, name: "resolve", asks: resolved },
        Theme { about: About::Questions, name: "launch", asks: launched },
        Theme { about: About::Hostile, name: "odd constraints", asks: odd },
        Theme { about: About::Hostile, name: "odd sizes and versions", asks: sizes },
    ]
}
