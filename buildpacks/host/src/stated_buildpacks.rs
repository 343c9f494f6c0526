//! `.buildpacks`, in which applications for Heroku and its like list the buildpacks that build them, one address a line. They are
//! not run here. But where one is of a language that nobody here knows, the application would go without a part of its own.

use std::path::Path;

use slipway_buildpack_wit::Refusal;

const FILE: &str = ".buildpacks";
const MAX_BYTES: u64 = 64 << 10;

/// Languages with a buildpack of that name, and none here.
const LANGUAGES: [&str; 20] = [
    "clojure",
    "crystal",
    "dart",
    "dotnet",
    "dotnetcore",
    "elixir",
    "erlang",
    "go",
    "gradle",
    "haskell",
    "java",
    "jvm",
    "kotlin",
    "lua",
    "perl",
    "r",
    "ruby",
    "rust",
    "scala",
    "swift",
];

/// Refuses a list that names a language which no buildpack here is for.
pub fn check(app: &Path) -> Result<(), Refusal> {
    let path = app.join(FILE);
    let is_small = std::fs::symlink_metadata(&path).is_ok_and(|about| about.is_file() && about.len() <= MAX_BYTES);
    let Some(text) = is_small.then(|| std::fs::read_to_string(&path).ok()).flatten() else { return Ok(()) };
    let found = text.lines().enumerate().find_map(|(index, line)| Some((index, LANGUAGES.into_iter().find(|name| *name == named(line))?)));
    let Some((index, language)) = found else { return Ok(()) };
    Err(Refusal {
        code: "BUILDPACK_UNKNOWN".into(),
        message: format!("`{FILE}` says that the application is built with {language} too, for which there is no buildpack here."),
        file: Some(FILE.into()),
        line: u32::try_from(index + 1).ok(),
        fix: format!("Add a Dockerfile that installs what is needed, or delete `{FILE}` if the application can do without {language}."),
    })
}

/// `ruby` of `https://github.com/heroku/heroku-buildpack-ruby.git#v1` and of `heroku/ruby`.
fn named(line: &str) -> String {
    let address = line.trim().split(['#', '?', ' ']).next().unwrap_or_default().trim_end_matches('/');
    let last = address.rsplit('/').next().unwrap_or_default().trim_end_matches(".git").trim_end_matches(".tgz").to_ascii_lowercase();
    let name = last.strip_prefix("heroku-").unwrap_or(&last);
    name.strip_prefix("buildpack-").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_nobody_knows_is_refused_by_its_line_and_what_only_helps_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let check_text = |text: &str| {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            check(dir.path())
        };
        let refusal =
            check_text("https://github.com/heroku/heroku-buildpack-nodejs\nhttps://github.com/heroku/heroku-buildpack-ruby.git#v1\n");
        let refusal = refusal.unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.line), ("BUILDPACK_UNKNOWN", Some(2)));
        assert!(refusal.message.contains("built with ruby"), "{}", refusal.message);
        assert!(check_text("heroku/go\n").is_err());
        check_text("https://github.com/heroku/heroku-buildpack-apt\nheroku/python\n\n# a remark\n").unwrap();
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        check(dir.path()).unwrap();
    }
}
