//! Whether a plugin is fit for a platform: it loads, answers every question as it should and always the same, refuses what it
//! cannot answer in a way that helps, and is brought down by nothing that customers, administrators or later platforms send.

mod apart;
mod asking;
mod billing;
mod cases;
mod concurrency;
mod course;
mod ingress;
mod messages;
mod report;
mod runtime;
mod settings;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use slipway_plugin_host::{Kind, Options, Plugin, PluginHost, Raw, messages::Request};

pub use self::{
    apart::apart,
    course::Event,
    report::{About, Check, Report, Status},
};
use self::{
    asking::{Ask, Theme},
    course::{Course, Stop},
    report::{Fault, Verdict},
};

/// What is tried.
#[derive(Debug, Clone)]
pub struct Subject {
    /// A directory with the plugin's directory in it, and nothing else.
    pub root: PathBuf,
    /// The author's questions with their answers; `None`: there are none.
    pub cases: Option<PathBuf>,
    /// What it answers now becomes what its cases expect.
    pub update: bool,
}

/// Why there was no trial: no process can be made to try it in. What the plugin does wrong is in the report instead.
#[derive(Debug, thiserror::Error)]
#[error("the trial's own process: {0}")]
pub struct TrialError(#[from] io::Error);

/// A plugin on trial: as a platform has it, and by hand.
struct Tried {
    plugin: Arc<Plugin>,
    raw: Raw,
    deadline: Duration,
    /// The settings that everything is tried with, but cases that have their own.
    begun_with: serde_json::Value,
}

/// Tries a plugin in this process, which a bad one may end: see [`apart`]. Passes over the first `from` checks.
pub async fn run(subject: &Subject, from: usize, tell: &mut dyn FnMut(Event)) {
    let mut course = Course::new(from, tell);
    let end = walk(subject, &mut course).await;
    tell(match end {
        Ok(()) | Err(Stop::Unloadable) => Event::Done,
        Err(Stop::Again) => Event::Again,
    });
}

async fn walk(subject: &Subject, course: &mut Course<'_>) -> Result<(), Stop> {
    // For components; in the folder of the trial, and gone with it.
    let options = Options { compiled: Some(subject.root.join(".compiled")), ..Options::default() };
    let deadline = options.call_deadline;
    let (plugin, raw) = course.foundation(About::Plugin, "loads", load(&subject.root, options)).await?.ok_or(Stop::Unloadable)?;
    let cases = subject.cases.as_deref().map(cases::read_all).unwrap_or(Ok(Vec::new()));
    let begun_with = settings::to_begin_with(plugin.manifest(), cases.as_deref().unwrap_or_default());
    let tried = Tried { plugin, raw, deadline, begun_with };
    course.step(About::Plugin, "versions", async { versions(&tried) }).await?;
    course.step(About::Plugin, "settings schema", async { settings::schema(&tried) }).await?;
    course.foundation(About::Plugin, "settings", settings::begin(&tried)).await?;
    let themes = match tried.plugin.kind() {
        Kind::Runtime => {
            let description = course.foundation(About::Questions, "describe", runtime::describe(&tried)).await?;
            runtime::themes(description.as_ref())
        }
        Kind::Billing => billing::themes(tried.plugin.message_version()),
        Kind::Ingress => ingress::themes(),
    };
    for theme in themes.iter().filter(|theme| theme.about == About::Questions) {
        course.step(theme.about, theme.name, asking::check(&tried, theme)).await?;
    }
    if tried.plugin.kind() == Kind::Ingress {
        course.step(About::Questions, "each by itself", ingress::independent(&tried)).await?;
    }
    match &cases {
        Err(error) => {
            let problem = Fault::new(error.to_string(), Vec::new());
            course.step(About::Cases, "cases", async { Err(problem) }).await?;
        }
        Ok(cases) if cases.is_empty() && subject.cases.is_some() => {
            let problem = Fault::new("there are none", vec!["a case is a file of JSON with an `ask`".into()]);
            course.step(About::Cases, "cases", async { Err(problem) }).await?;
        }
        Ok(cases) => {
            for case in cases {
                course.step(About::Cases, &case.name, cases::check(&tried, case, subject.update)).await?;
            }
        }
    }
    let usual: Vec<Ask> = themes.iter().filter(|theme| theme.about == About::Questions).flat_map(|theme| theme.asks.clone()).collect();
    course.step(About::Purity, "again", concurrency::again(&tried, &usual)).await?;
    course.step(About::Purity, "several at once", concurrency::at_once(&tried, &usual)).await?;
    for theme in themes.iter().filter(|theme| theme.about == About::Hostile) {
        course.step(theme.about, theme.name, asking::check(&tried, theme)).await?;
    }
    course.step(About::Messages, "what is no request", messages::nonsense(&tried)).await?;
    course.step(About::Messages, "other kinds of plugins", messages::other_kinds(&tried)).await?;
    course.step(About::Messages, "other message versions", messages::other_versions(&tried)).await?;
    course.step(About::Messages, "nothing at all", messages::null(&tried)).await?;
    course.step(About::Messages, "fields of later platforms", messages::more_fields(&tried, &usual)).await?;
    course.step(About::Settings, "settings that it cannot read", settings::unreadable(&tried)).await?;
    course.step(About::Settings, "settings that the schema allows", settings::allowed(&tried)).await?;
    course.step(About::Settings, "what was refused changes nothing", settings::refused(&tried, &usual)).await
}

/// As a platform does.
async fn load(root: &Path, options: Options) -> (Option<(Arc<Plugin>, Raw)>, Verdict) {
    let unloadable = |reason: String| (None, Err(Fault::new(reason, Vec::new())));
    let host = match PluginHost::open(root, options.clone()).await {
        Ok(host) => host,
        Err(error) => return unloadable(error.to_string()),
    };
    let Some(plugin) = host.plugins().pop() else {
        let reason = host.incompatible().pop().map(|broken| broken.reason.to_string());
        return unloadable(reason.unwrap_or_else(|| "there is no plugin".into()));
    };
    match Raw::load(plugin.directory(), &options).await {
        Ok(raw) => {
            let seen = format!("{} {}, message version {}", plugin.id(), plugin.manifest().version, plugin.message_version());
            (Some((plugin, raw)), Ok(seen.into()))
        }
        Err(error) => unloadable(error.to_string()),
    }
}

/// A manifest that promises more than its library speaks says so to nobody until a platform uses it.
fn versions(tried: &Tried) -> Verdict {
    let [lowest, highest] = tried.plugin.manifest().message_versions;
    let [spoken_lowest, spoken_highest] = tried.raw.library_versions();
    if lowest < spoken_lowest || highest > spoken_highest {
        let message = format!("the manifest says message versions {lowest} to {highest}, the library {spoken_lowest} to {spoken_highest}");
        return Err(Fault::new(message, vec![format!("message_versions = [{spoken_lowest}, {spoken_highest}]")]));
    }
    Ok(format!("the library speaks {spoken_lowest} to {spoken_highest}").into())
}

/// A question of this plugin's kind, from what is asked. The kit's own questions are messages; a test says so.
fn request(kind: Kind, ask: &serde_json::Value) -> Result<Request, String> {
    let message = serde_json::json!({ "to": kind, "ask": ask });
    serde_json::from_value(message).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_of_the_kit_is_a_message() {
        for (kind, themes) in
            [(Kind::Runtime, runtime::themes(None)), (Kind::Billing, billing::themes(u32::MAX)), (Kind::Ingress, ingress::themes())]
        {
            let asks = themes.iter().flat_map(|theme| &theme.asks);
            for ask in asks {
                assert_eq!(request(kind, &ask.ask).err(), None, "{kind}: {}", ask.name);
            }
            assert!(themes.iter().map(|theme| theme.asks.len()).sum::<usize>() > 20, "{kind}");
        }
    }
}
