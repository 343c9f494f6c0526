//! The files in which version managers keep what an application wants: `.nvmrc`, `.tool-versions`, `mise.toml` and their like.

use slipway_buildpack_sdk::Source;

const MISE: [&str; 6] =
    ["mise.toml", ".mise.toml", ".config/mise.toml", ".config/mise/config.toml", "mise/config.toml", ".mise/config.toml"];

/// Words that say nothing about an application: whatever is on the writer's machine.
const NOTHING: [&str; 4] = ["system", "default", "none", "ignore"];

/// What a file states, with the file's name; from the most to the least particular to Node.
pub fn stated(source: &Source) -> Vec<(String, &'static str)> {
    let own = [".nvmrc", ".node-version", ".n-node-version"].into_iter().filter_map(|file| Some((first_line(source, file)?, file)));
    let asdf = tool_versions(source).map(|version| (version, ".tool-versions"));
    let mise = MISE.into_iter().find_map(|file| Some((toml_tool(source, file, &["tools"])?, file)));
    let proto = toml_tool(source, ".prototools", &[]).map(|version| (version, ".prototools"));
    own.chain(asdf).chain(mise).chain(proto).filter(|(version, _)| !NOTHING.contains(&version.as_str())).collect()
}

fn first_line(source: &Source, file: &str) -> Option<String> {
    let text = source.peek(file)?;
    let line = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).find(|line| !line.is_empty())?;
    Some(line.to_owned())
}

fn tool_versions(source: &Source) -> Option<String> {
    source.peek(".tool-versions")?.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        matches!(words.next(), Some("nodejs" | "node")).then(|| words.next().map(str::to_owned))?
    })
}

/// `node = "22"` in the table at a path of keys, in any of the forms that mise knows.
fn toml_tool(source: &Source, file: &str, path: &[&str]) -> Option<String> {
    let table: toml::Table = source.peek(file)?.parse().ok()?;
    let tools = path.iter().try_fold(&table, |table, key| table.get(*key)?.as_table())?;
    let stated = tools.get("node").or_else(|| tools.get("nodejs")).or_else(|| tools.get("core:node"))?;
    let version = plain(stated)?;
    Some(version.strip_prefix("prefix:").unwrap_or(&version).to_owned())
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(version) => Some(version.trim().to_owned()).filter(|version| !version.is_empty()),
        toml::Value::Integer(version) => Some(version.to_string()),
        toml::Value::Float(version) => Some(version.to_string()),
        toml::Value::Array(versions) => plain(versions.first()?),
        toml::Value::Table(table) => plain(table.get("version")?),
        _ => None,
    }
}
