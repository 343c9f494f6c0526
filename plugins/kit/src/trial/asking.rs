//! One question, and what is wrong with the answer that the host would have taken.

use serde_json::Value;
use slipway_plugin_host::{
    CallError, Misconduct,
    messages::{IngressReply, IngressRequest, PluginError, RenderedRoutes, Reply, Request, RouteTable, RuntimeReply},
};

use super::{About, Fault, Tried, Verdict, request};

/// So many failures of one check are shown.
const MOST_SHOWN: usize = 5;

/// What a question should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Answer,
    Refusal,
    /// For the plugin to decide.
    Either,
    /// A host name that is not served: that is an answer.
    Problem,
}

#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// For people, such as `node 22`.
    pub name: String,
    /// As in a case.
    pub ask: Value,
    pub expect: Expect,
}

impl Ask {
    pub fn new(name: impl Into<String>, ask: Value, expect: Expect) -> Self {
        Self { name: name.into(), ask, expect }
    }
}

/// Questions of which one check is made.
#[derive(Debug, Clone)]
pub(super) struct Theme {
    pub about: About,
    pub name: &'static str,
    pub asks: Vec<Ask>,
}

pub(super) type Answer = Result<Reply, CallError>;

/// Asks as a platform would, and forgets the strike that it may have been.
pub(super) async fn ask(tried: &Tried, question: &Value) -> Result<(Request, Answer), Fault> {
    let message = request(tried.plugin.kind(), question).map_err(|error| Fault::new(format!("not a question: {error}"), Vec::new()))?;
    let answer = tried.plugin.answer(message.clone()).await;
    tried.plugin.release();
    Ok((message, answer))
}

pub(super) async fn check(tried: &Tried, theme: &Theme) -> Verdict {
    let mut tally = Tally::default();
    for one in &theme.asks {
        let (message, answer) = ask(tried, &one.ask).await?;
        tally.count(&one.name, fault(&message, &answer, one.expect), hangs(&answer));
        if tally.hangs {
            break;
        }
    }
    tally.verdict("questions")
}

/// The failures among many questions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    asked: usize,
    failures: usize,
    shown: Vec<String>,
    pub hangs: bool,
}

impl Tally {
    pub fn count(&mut self, name: &str, fault: Option<String>, hangs: bool) {
        self.asked += 1;
        self.hangs |= hangs;
        let Some(fault) = fault else { return };
        self.failures += 1;
        if self.failures <= MOST_SHOWN {
            self.shown.push(format!("{name}: {fault}"));
        }
    }

    pub fn verdict(mut self, what: &str) -> Verdict {
        if self.failures == 0 {
            return Ok(format!("{} {what}", self.asked).into());
        }
        if self.failures > MOST_SHOWN {
            self.shown.push(format!("and {} more", self.failures - MOST_SHOWN));
        }
        Err(Fault { message: format!("it fails on {} of {} {what}", self.failures, self.asked), details: self.shown, hangs: self.hangs })
    }
}

/// Whether a call goes on in this process, or keeps a place.
pub(super) fn hangs(answer: &Answer) -> bool {
    matches!(answer, Err(CallError::Misconduct { misconduct: Misconduct::Overran(_), .. } | CallError::Busy { .. }))
}

/// In a few words.
pub(super) fn in_brief(answer: &Answer) -> String {
    match answer {
        Ok(_) => "answered".into(),
        Err(CallError::Refused(error)) => format!("refused: {error}"),
        Err(CallError::Misconduct { misconduct, .. }) => format!("it {misconduct}"),
        Err(other) => other.to_string(),
    }
}

pub(super) fn fault(message: &Request, answer: &Answer, expect: Expect) -> Option<String> {
    match (answer, expect) {
        (Err(CallError::Refused(error)), Expect::Answer | Expect::Problem) => {
            Some(format!("it should be answered, and is refused: {error}"))
        }
        (Err(CallError::Refused(error)), _) => of_refusal(error),
        (Err(_), _) => Some(in_brief(answer)),
        (Ok(_), Expect::Refusal) => Some("it should be refused, and is answered".into()),
        (Ok(Reply::Ingress(IngressReply::CheckDomain { problem })), Expect::Problem) => {
            let said = problem.as_deref().is_some_and(|problem| !problem.trim().is_empty());
            (!said).then(|| "a problem should be told, and there is none".into())
        }
        (Ok(reply), _) => of_reply(message, reply),
    }
}

/// A refusal is read by the person whose request it was, and by their programs.
fn of_refusal(PluginError { code, message, fix }: &PluginError) -> Option<String> {
    let is_code = code.len() <= 80
        && code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !is_code {
        return Some(format!("the refusal's code {code:?} is not one, such as `VERSION_UNAVAILABLE`"));
    }
    if message.trim().is_empty() || fix.as_deref().is_some_and(|fix| fix.trim().is_empty()) {
        return Some(format!("the refusal {code} has to say what is wrong, and what to do if it says that at all"));
    }
    None
}

fn of_reply(message: &Request, reply: &Reply) -> Option<String> {
    match (message, reply) {
        (_, Reply::Runtime(RuntimeReply::Describe(description))) => {
            let images = description.versions.iter().flat_map(|version| [&version.build_image, &version.run_image]);
            images.into_iter().find_map(|image| of_image(image))
        }
        (_, Reply::Runtime(RuntimeReply::Resolve(resolution))) => {
            [&resolution.build_image, &resolution.run_image].into_iter().find_map(|image| of_image(image))
        }
        (Request::Ingress(IngressRequest::Render(table)), Reply::Ingress(IngressReply::Render(rendered))) => of_routes(table, rendered),
        _ => None,
    }
}

/// The same image has to be had tomorrow.
fn of_image(image: &str) -> Option<String> {
    let name = image.rsplit('/').next().unwrap_or(image);
    let is_pinned = image.contains("@sha256:") || name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest");
    (!is_pinned).then(|| format!("the image `{image}` has no digest, and no tag other than `latest`"))
}

/// What the agent needs of a file: a place for each address, and the header by which it sees that the route is in force.
fn of_routes(table: &RouteTable, rendered: &RenderedRoutes) -> Option<String> {
    for route in table.applications.iter().filter(|route| !route.hostnames.is_empty()) {
        let Some(file) = rendered.files.iter().find(|file| file.application == route.application) else {
            return Some(format!("{} has host names and no file", route.application));
        };
        let has = |text: &str| file.content.contains(text);
        if let Some(backend) = route.backends.iter().find(|backend| !has(&format!("@{}@", backend.instance))) {
            return Some(format!("{} has no place for the address of {}: `@{}@`", file.name, backend.instance, backend.instance));
        }
        if let Some(hostname) = route.hostnames.iter().find(|hostname| !has(hostname)) {
            return Some(format!("{} does not name {hostname}", file.name));
        }
        if !has(&route.revision) || !has("x-slipway-route") {
            return Some(format!("{} does not set the header `x-slipway-route: {}`", file.name, route.revision));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_pinned_or_a_fault() {
        for good in ["node:22-slim", "registry:5000/a/b:1", "a@sha256:00"] {
            assert_eq!(of_image(good), None, "{good}");
        }
        for bad in ["node", "node:latest", "registry:5000/a/b", "node:"] {
            assert!(of_image(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_helps_or_is_a_fault() {
        assert_eq!(of_refusal(&PluginError::new("NO_SUCH", "There is none.")), None);
        assert!(of_refusal(&PluginError::new("no such", "There is none.")).is_some());
        assert!(of_refusal(&PluginError::new("NO_SUCH", " ")).is_some());
        assert!(of_refusal(&PluginError::new("NO_SUCH", "There is none.").with_fix("")).is_some());
    }
}
