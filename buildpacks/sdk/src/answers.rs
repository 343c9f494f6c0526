//! Short ways to say what a buildpack says often.

use crate::{Asset, Command, Context, Detected, Detection, Diagnostic, Level, Reason, Refusal};

/// A refusal with nothing but its id and message; complete it with [`Refusal::at`], [`Refusal::line`] and [`Refusal::fix`].
///
/// ```
/// use slipway_buildpack_sdk::refuse;
///
/// let refusal = refuse("ELM_NO_MAIN", "The module `Main` has no `main`.").at("src/Main.elm").line(1).fix("Add a `main`.");
/// assert_eq!(refusal.to_string(), "ELM_NO_MAIN: The module `Main` has no `main`.");
/// ```
#[must_use]
pub fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { code: code.to_owned(), message: message.into(), file: None, line: None, fix: String::new() }
}

/// Why a tree is recognised, or what was looked for without finding it; `why` is for people.
#[must_use]
pub fn reason(file: &str, why: impl Into<String>) -> Reason {
    Reason { file: file.to_owned(), key: None, why: why.into() }
}

/// Good to know. The id begins with the buildpack's name, as a refusal's does.
#[must_use]
pub fn info(code: &str, message: impl Into<String>, file: Option<&str>) -> Diagnostic {
    Diagnostic { level: Level::Info, code: code.to_owned(), message: message.into(), file: file.map(str::to_owned), line: None }
}

/// Probably not what the application's author wants, though it can be built.
#[must_use]
pub fn warning(code: &str, message: impl Into<String>, file: Option<&str>) -> Diagnostic {
    Diagnostic { level: Level::Warning, ..info(code, message, file) }
}

/// A program and its arguments, which nobody has to quote.
///
/// ```
/// use slipway_buildpack_sdk::{Command, argv};
///
/// assert_eq!(argv(["go", "build"]), Command::Argv(vec!["go".into(), "build".into()]));
/// ```
#[must_use]
pub fn argv<I: Into<String>>(words: impl IntoIterator<Item = I>) -> Command {
    Command::Argv(words.into_iter().map(Into::into).collect())
}

/// A line for the image's `/bin/sh`, for a person's own words. The host puts `exec` before a line that is one program, so that it
/// receives the signals that end it.
#[must_use]
pub fn shell(line: impl Into<String>) -> Command {
    Command::Shell(line.into())
}

/// Begins a detection of the tree that `context` names, with a score of 0. `.into()` makes a [`Detected::Yes`] of it.
#[must_use]
pub fn detection(context: &Context) -> DetectionBuilder {
    DetectionBuilder(Detection {
        app_root: context.app_root.clone(),
        score: 0,
        framework: None,
        package_manager: None,
        reasons: Vec::new(),
        provides: Vec::new(),
        requires: Vec::new(),
    })
}

/// A detection that is being written; see [`detection`].
#[derive(Debug, Clone)]
pub struct DetectionBuilder(Detection);

impl DetectionBuilder {
    /// 0 to 100: how sure. See [`Detection::score`](crate::Detection).
    #[must_use]
    pub fn score(mut self, score: u8) -> Self {
        self.0.score = score;
        self
    }

    /// What the application is written with, such as `express`.
    #[must_use]
    pub fn framework(mut self, name: Option<impl Into<String>>) -> Self {
        self.0.framework = name.map(Into::into);
        self
    }

    /// Who installs its dependencies, such as `pnpm`.
    #[must_use]
    pub fn package_manager(mut self, name: Option<impl Into<String>>) -> Self {
        self.0.package_manager = name.map(Into::into);
        self
    }

    /// A directory below the application's root that this buildpack's steps make; `.`: they may write anywhere in it.
    #[must_use]
    pub fn provides(mut self, asset: impl Into<String>) -> Self {
        self.0.provides.push(asset.into());
        self
    }

    /// A directory that another buildpack may make. It is left in the detection that `plan` gets where none does.
    #[must_use]
    pub fn requires_if_made(mut self, asset: impl Into<String>) -> Self {
        self.0.requires.push(Asset { name: asset.into(), optional: true });
        self
    }

    /// Because of a file. The first reason is the one that people see when two buildpacks disagree.
    #[must_use]
    pub fn because(mut self, file: &str, why: impl Into<String>) -> Self {
        self.0.reasons.push(reason(file, why));
        self
    }

    /// Because of one key of a file.
    #[must_use]
    pub fn because_key(mut self, file: &str, key: &str, why: impl Into<String>) -> Self {
        self.0.reasons.push(Reason { key: Some(key.to_owned()), ..reason(file, why) });
        self
    }
}

impl From<DetectionBuilder> for Detected {
    fn from(builder: DetectionBuilder) -> Self {
        Self::Yes(builder.0)
    }
}
