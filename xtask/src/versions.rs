//! Writes what the runtime plugins know of Node.js and Python, `plugins/runtime-*/versions.json`, from package registries through
//! their ordinary clients. PHP publishes in no registry: its file is kept by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{root, run};

/// The first line that has an image, and what that is called.
const OLDEST_NODE_IMAGE: (&[u64], &str) = (&[0, 8], "node:0.8.28");
/// A line of development releases that people used all the same, and the day on which the next stable one took its place. The
/// schedule lists stable lines only.
const NODE_DEVELOPMENT: (&[u64], &str) = (&[0, 11], "2015-02-06");

/// The last days with security fixes, from "Status of Python versions" in the Python developer's guide; where it names a month,
/// the last day of it. The second column is the last release of lines that uv no longer lists.
const PYTHON: &[(&str, &str, Option<u64>)] = &[
    ("2.6", "2013-10-29", Some(9)),
    ("2.7", "2020-01-01", Some(18)),
    ("3.0", "2009-06-27", Some(1)),
    ("3.1", "2012-04-09", Some(5)),
    ("3.2", "2016-02-20", Some(6)),
    ("3.3", "2017-09-29", Some(7)),
    ("3.4", "2019-03-18", Some(10)),
    ("3.5", "2020-09-30", Some(10)),
    ("3.6", "2021-12-23", Some(15)),
    ("3.7", "2023-06-27", Some(17)),
    ("3.8", "2024-10-07", None),
    ("3.9", "2025-10-31", None),
    ("3.10", "2026-10-31", None),
    ("3.11", "2027-10-31", None),
    ("3.12", "2028-10-31", None),
    ("3.13", "2029-10-31", None),
    ("3.14", "2030-10-31", None),
    ("3.15", "2031-10-31", None),
    ("3.16", "2032-10-31", None),
];

/// Lines that have no image.
const PYTHON_WITHOUT_IMAGE: &[&str] = &["2.6", "3.0", "3.1", "3.2", "3.3"];

type Release = [u64; 3];

pub fn write() -> Result<()> {
    let scratch = root().join("target/versions");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    let today = printed(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let today = today.trim();
    save("runtime-node", &node(&scratch, today)?)?;
    save("runtime-python", &python(&scratch, today)?)?;
    println!("plugins/runtime-php/versions.json is kept by hand: see its `basis`");
    Ok(())
}

fn node(scratch: &Path, today: &str) -> Result<Value> {
    let published: Vec<String> = serde_json::from_str(&printed(Command::new("npm").args(["view", "node", "versions", "--json"]))?)?;
    run(Command::new("npm").args(["pack", "node-releases", "--silent", "--pack-destination"]).arg(scratch))?;
    let package = files(scratch)?.into_iter().find(|file| file.extension().is_some_and(|e| e == "tgz")).context("npm packs a .tgz")?;
    run(Command::new("tar").arg("-xzf").arg(&package).arg("-C").arg(scratch))?;
    let data = scratch.join("package/data");
    let schedule: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(data.join("release-schedule/release-schedule.json"))?)?;
    let dated: Vec<Value> = serde_json::from_slice(&fs::read(data.join("processed/envs.json"))?)?;

    let names = published.iter().map(String::as_str).chain(dated.iter().filter_map(|release| release["version"].as_str()));
    let releases: BTreeSet<Release> = names.filter_map(release).collect();
    let mut lines = Vec::new();
    let development = json!({ "end": NODE_DEVELOPMENT.1 });
    let scheduled = schedule.iter().filter_map(|(name, about)| Some((number_of(name.strip_prefix('v')?)?, about)));
    for (line, about) in scheduled.chain([(NODE_DEVELOPMENT.0.to_vec(), &development)]).collect::<BTreeMap<_, _>>() {
        let of_line: Vec<String> = releases.iter().filter(|release| release.starts_with(&line)).map(text).collect();
        // Scheduled and not out yet.
        let Some(newest) = of_line.last() else { continue };
        let version = line.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let image = match OLDEST_NODE_IMAGE {
            (oldest, image) if line == oldest => Some(image.to_owned()),
            (oldest, _) => (line.as_slice() > oldest).then(|| format!("node:{version}-slim")),
        };
        lines.push(json!({
            "version": version,
            "image": image,
            "end_of_life": about["end"],
            "lts": about["codename"].as_str().filter(|_| about["lts"].as_str().is_some_and(|since| since <= today)),
            "releases": if image.is_some() { of_line } else { vec![newest.clone()] },
        }));
    }
    let basis = "Releases: the npm packages `node` (its versions) and `node-releases`. End of life and long-term support: the release schedule in `node-releases`, and of 0.11 the day of 0.12. Of lines without an image, the last release alone. Written by `cargo xtask versions`.";
    Ok(json!({ "basis": basis, "as_of": today, "lines": lines }))
}

fn python(scratch: &Path, today: &str) -> Result<Value> {
    let uv = scratch.join("uv");
    run(Command::new("pip").args(["install", "--quiet", "--no-deps", "--target"]).arg(&uv).arg("uv"))?;
    let list = ["python", "list", "--all-versions", "--only-downloads", "--offline", "--no-config", "--output-format", "json"];
    let listed: Vec<Value> = serde_json::from_str(&printed(Command::new(uv.join("bin/uv")).args(list))?)?;
    let of_cpython = listed.iter().filter(|python| python["implementation"] == "cpython");
    let releases: BTreeSet<Release> = of_cpython.filter_map(|python| release(python["version"].as_str()?)).collect();
    for release in &releases {
        let line = format!("{}.{}", release[0], release[1]);
        ensure!(PYTHON.iter().any(|(known, ..)| *known == line), "Python {line} has no end of life in xtask/src/versions.rs");
    }
    let mut lines = Vec::new();
    for (version, end_of_life, last) in PYTHON {
        let line = number_of(version).context("a line is numbers")?;
        let newest = releases.iter().filter(|release| release.starts_with(&line)).map(|release| release[2]).max().or(*last);
        let Some(newest) = newest else { continue };
        let has_image = !PYTHON_WITHOUT_IMAGE.contains(version);
        // CPython counts its releases without a gap, and uv does not have them all.
        let first = if has_image { 0 } else { newest };
        lines.push(json!({
            "version": version,
            "image": has_image.then(|| format!("python:{version}-slim")),
            "end_of_life": end_of_life,
            "releases": (first..=newest).map(|patch| format!("{version}.{patch}")).collect::<Vec<_>>(),
        }));
    }
    let basis = "Releases: the newest of each line in uv's list of downloads, and all below it; for lines that uv no longer lists, the last one by hand. End of life: by hand, from \"Status of Python versions\" in the Python developer's guide. Of lines without an image, the last release alone. Written by `cargo xtask versions`.";
    Ok(json!({ "basis": basis, "as_of": today, "lines": lines }))
}

/// A finished release; pre-releases are none.
fn release(version: &str) -> Option<Release> {
    number_of(version)?.try_into().ok()
}

fn number_of(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

fn text([major, minor, patch]: &Release) -> String {
    format!("{major}.{minor}.{patch}")
}

/// One line of the file to each version line, so that a change is read in a diff.
fn save(plugin: &str, catalogue: &Value) -> Result<()> {
    let lines = catalogue["lines"].as_array().context("a catalogue has lines")?;
    let lines: Vec<_> = lines.iter().map(|line| format!("    {}", compact(line))).collect();
    let (basis, as_of) = (&catalogue["basis"], &catalogue["as_of"]);
    let text = format!("{{\n  \"basis\": {basis},\n  \"as_of\": {as_of},\n  \"lines\": [\n{}\n  ]\n}}\n", lines.join(",\n"));
    let path = root().join("plugins").join(plugin).join("versions.json");
    fs::write(&path, text)?;
    println!("{}: {} lines", path.display(), lines.len());
    Ok(())
}

/// In the order in which a person reads them, without what is not known.
fn compact(line: &Value) -> String {
    let fields = ["version", "lts", "end_of_life", "image", "releases"];
    let known: Vec<_> =
        fields.iter().filter(|field| !line[**field].is_null()).map(|field| format!("\"{field}\": {}", line[*field])).collect();
    format!("{{ {} }}", known.join(", "))
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

fn printed(command: &mut Command) -> Result<String> {
    let output = command.stderr(std::process::Stdio::inherit()).output().with_context(|| format!("{command:?} could not be started"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
