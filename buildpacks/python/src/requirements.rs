//! Requirements files: what they name, what they include, and what pip could not read.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use slipway_buildpack_sdk::{Refusal, Source, refuse};

use crate::text::plain;

/// Where requirements of production are, the likeliest first.
const FILES: [&str; 14] = [
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/requirements.txt",
    "requirements/main.txt",
    "requirements/base.txt",
    "requirements/common.txt",
    "requirements-production.txt",
    "requirements-prod.txt",
    "requirements_prod.txt",
    "requirements-base.txt",
    "requirements.lock",
    "requirements.in",
    "requirements/base.in",
];
/// Packages that have no release for Linux, neither built nor as source that builds there.
const NOT_FOR_LINUX: [&str; 4] = ["pywin32", "pypiwin32", "pyobjc-core", "pyobjc-framework-cocoa"];
/// A file that includes itself, or a chain of files, ends here.
const MOST_FILES: usize = 30;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementsFile {
    pub path: String,
    pub text: String,
}

/// The name of a package, normalized, with its extras and the rest of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub name: String,
    pub extras: Vec<String>,
    /// Such as `>=2,<3`; empty: any.
    pub specifiers: String,
    /// With a marker it may not be for this platform or version, and with an address it has no version.
    pub is_conditional: bool,
}

/// The file that is installed, if there is one, and all that it includes.
pub fn load(source: &Source) -> Result<Vec<RequirementsFile>, Refusal> {
    let Some(first) = source.first_file(&FILES) else { return Ok(Vec::new()) };
    let mut pending = vec![first.to_owned()];
    let mut files: Vec<RequirementsFile> = Vec::new();
    while let Some(path) = pending.pop() {
        if files.len() >= MOST_FILES || files.iter().any(|file| file.path == path) {
            continue;
        }
        let Some(text) = source.read(&path)?.map(plain) else { continue };
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        pending.extend(text.lines().filter_map(included).filter_map(|file| joined(dir, file)));
        files.push(RequirementsFile { path, text });
    }
    Ok(files)
}

impl RequirementsFile {
    pub fn requirements(&self) -> impl Iterator<Item = Requirement> {
        self.text.lines().filter_map(parse)
    }

    /// Whether a line names a directory of the application itself.
    pub fn names_local_directory(&self) -> bool {
        self.text.lines().any(|line| {
            let line = line.trim();
            let target = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable")).unwrap_or(line).trim_start_matches([' ', '=']);
            target == "."
                || target.starts_with(['.', '/']) && !target.starts_with("..")
                || target.starts_with("file:")
                || target.contains("@ file:")
        })
    }

    /// Refuses the first line that pip cannot read, or that no computer with Linux can install.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut continued = false;
        for (index, line) in self.text.lines().enumerate() {
            let invalid = if continued { None } else { problem(line) };
            continued = line.trim_end().ends_with('\\');
            if let Some(problem) = invalid {
                let shown: String = line.trim().chars().take(80).collect();
                return Err(refuse("PYTHON_REQUIREMENTS_INVALID", format!("`{shown}` in `{}` {problem}.", self.path))
                    .at(&self.path)
                    .line(index as u32 + 1)
                    .fix("Write one requirement a line, such as `flask>=3,<4`."));
            }
            if let Some(found) = parse(line).filter(|found| !found.is_conditional && NOT_FOR_LINUX.contains(&found.name.as_str())) {
                let message = format!("`{}` in `{}` is not made for Linux, on which applications run.", found.name, self.path);
                return Err(refuse("PYTHON_REQUIREMENT_NOT_FOR_LINUX", message)
                    .at(&self.path)
                    .line(index as u32 + 1)
                    .fix(format!("Delete the line, or limit it as in `{} ; sys_platform == \"win32\"`.", found.name)));
            }
        }
        Ok(())
    }
}

fn problem(line: &str) -> Option<&'static str> {
    let line = line.trim();
    if ["<<<<<<< ", "=======", ">>>>>>> "].iter().any(|marker| line.starts_with(marker)) {
        return Some("is left from a merge that was not finished");
    }
    let requirement = parse(line)?;
    if without_comment(line).contains("@ file:///") {
        return Some("names a file of the machine on which it was written");
    }
    // Variables are replaced by pip, and what follows an address is not a version.
    if requirement.specifiers.contains(['$', '@', '/', ':', '\\', '\u{fffd}']) {
        return None;
    }
    let specifiers = requirement.specifiers.trim_start_matches('(').trim_end_matches(')').trim().trim_end_matches(',');
    let starts_well = specifiers.is_empty() || specifiers.starts_with(['<', '>', '=', '!', '~']);
    let has_single_equals = specifiers.starts_with('=') && !specifiers.starts_with("==");
    if !starts_well || has_single_equals {
        return Some("is not a requirement");
    }
    // `===` compares text, and what is in it need not be a version; older releases of pip take `>=1.*` as well.
    let is_sound =
        specifiers.is_empty() || specifiers.contains("===") || specifiers.contains('*') || VersionSpecifiers::from_str(specifiers).is_ok();
    (!is_sound).then_some("does not have a version of the form that PEP 440 describes")
}

/// The file in `-r base.txt` or `-c constraints.txt`.
fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = ["--requirement", "--constraint", "-r", "-c"].iter().find_map(|flag| line.strip_prefix(flag))?;
    let file = rest.trim_start_matches([' ', '=']).split(" #").next()?.trim();
    (!file.is_empty() && !file.contains("://")).then_some(file)
}

/// `file` seen from `dir`; `None` when it leads out of the application.
fn joined(dir: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A comment begins the line or follows a space.
fn without_comment(line: &str) -> &str {
    let start = line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    &line[..start.unwrap_or(line.len())]
}

/// The requirement in a line such as `Flask[async]>=2 ; python_version > "3"  # why`.
pub fn parse(line: &str) -> Option<Requirement> {
    let line = line.trim();
    let line = without_comment(line).split(" --").next().unwrap_or_default().trim_end_matches('\\').trim();
    if !line.starts_with(|c: char| c.is_ascii_alphanumeric()) || line.contains("://") && !line.contains('@') {
        return None;
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    // An archive or a directory of the application, and `git+https://...@tag`.
    if rest.starts_with(['/', '+']) || [".whl", ".zip", ".tar.gz"].iter().any(|suffix| line.ends_with(suffix)) {
        return None;
    }
    let rest = rest.trim_start();
    let (extras, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((extras, rest)) => (extras.split(',').map(|extra| extra.trim().to_ascii_lowercase()).collect(), rest),
        None => (Vec::new(), rest),
    };
    let (specifiers, marker) = rest.split_once(';').map_or((rest, None), |(before, marker)| (before, Some(marker)));
    let specifiers = specifiers.trim().to_owned();
    let is_conditional = marker.is_some() || specifiers.starts_with('@');
    Some(Requirement { name: normalize(name), extras, specifiers, is_conditional })
}

/// Lower case, and one `-` for any run of `-`, `_` and `.`, as indexes compare names.
pub fn normalize(name: &str) -> String {
    name.split(['-', '_', '.']).filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> RequirementsFile {
        RequirementsFile { path: "requirements.txt".into(), text: text.into() }
    }

    #[test]
    fn names_are_found_in_requirement_lines() {
        let lines =
            "Flask==3\nuvicorn[standard]>=0.1 ; python_version>'3'\npsycopg2__binary # x\n# no\n-r x\ngit+https://x/y\na @ https://x\n./b";
        let found: Vec<_> = file(lines).requirements().map(|requirement| requirement.name).collect();
        assert_eq!(found, ["flask", "uvicorn", "psycopg2-binary", "a"]);
        let uvicorn = parse("uvicorn[standard] >=0.1 ; python_version>'3'").unwrap();
        assert_eq!((uvicorn.extras, uvicorn.specifiers.as_str(), uvicorn.is_conditional), (vec!["standard".into()], ">=0.1", true));
    }

    #[test]
    fn a_line_that_pip_cannot_read_is_refused_with_its_number() {
        for bad in
            ["flask!", "flask = 3", "flask==", "flask 3", "flask>=three", "<<<<<<< HEAD", "flask=3", "flask#x", "six @ file:///croot/six_1"]
        {
            let refusal = file(&format!("six\n{bad}\n")).check().expect_err(bad);
            assert_eq!((refusal.code.as_str(), refusal.line), ("PYTHON_REQUIREMENTS_INVALID", Some(2)), "{bad}");
        }
    }

    #[test]
    fn every_line_that_pip_reads_is_let_through() {
        let good = "# x\nflask\nflask>=2,<3\nflask (>=2)\nflask~=2.0 # why\na==1.0 --hash=sha256:00\nb==1 \\\n    --hash=sha256:00\n\
            c[x,y]==1.*; python_version<'3'\nd @ https://x/y.zip\n-e .\n--index-url https://x\ngit+https://x/y@v1#egg=z\n./dir\n\
            e===strange\nf>=1.0,\nj\t# why\nk>=1.*\nl  ==  1.0\npywin32; sys_platform == 'win32'\nwheels/g.whl\nh==1.0.post1+local\n${VAR}\nopencv-python-headless ==4.8.0.74\r\ni==1;sys_platform=='win32'\n";
        file(good).check().unwrap();
    }

    #[test]
    fn included_files_are_found_from_where_they_are_named() {
        assert_eq!(included("-r base.txt"), Some("base.txt"));
        assert_eq!(included("--requirement=../x.txt # y"), Some("../x.txt"));
        assert_eq!(included("-rbase.txt"), Some("base.txt"));
        assert_eq!(joined("requirements", "../base.txt").as_deref(), Some("base.txt"));
        assert_eq!(joined("", "../base.txt"), None);
    }

    #[test]
    fn the_application_itself_is_told_from_what_is_fetched() {
        for local in ["-e .", ".", "./lib", "-e ./lib", "-e file:."] {
            assert!(file(local).names_local_directory(), "{local}");
        }
        for other in ["-e git+https://x/y#egg=z", "flask", "--extra-index-url https://x"] {
            assert!(!file(other).names_local_directory(), "{other}");
        }
    }
}
