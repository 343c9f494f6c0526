//! What an administrator sets: a schema that lets nothing through unnoticed, settings that are taken, and refusals that change
//! nothing.

use serde_json::{Map, Value, json};
use slipway_plugin_host::{CallError, Manifest, Said};

use super::{
    Ask, Fault, Tried, Verdict,
    asking::{self, Expect, Tally, fault, hangs, in_brief},
    cases::Case,
    report::Seen,
};

/// As no plugin calls a setting of its own.
const UNKNOWN: &str = "no-such-setting-anywhere";

pub(super) fn schema(tried: &Tried) -> Verdict {
    let Some(schema) = &tried.plugin.manifest().settings_schema else {
        return Ok("there are no settings".to_owned().into());
    };
    let mut problems = Vec::new();
    if schema["type"] != "object" {
        problems.push("it does not say `type = \"object\"`: settings have names".to_owned());
    }
    if schema["additionalProperties"] != false {
        problems.push("it does not say `additionalProperties = false`: a misspelt setting would be taken and do nothing".to_owned());
    }
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let bare = properties.iter().filter(|(_, about)| about["description"].as_str().is_none_or(|text| text.trim().is_empty()));
    problems.extend(bare.map(|(name, _)| format!("`{name}` has no description, which is all that an administrator reads")));
    if problems.is_empty() {
        return Ok(format!("{} settings, each described", properties.len()).into());
    }
    Err(Fault::new("the schema lets things through unnoticed", problems))
}

/// With which the rest is tried: none where none are needed, else the schema's first example, else a case's.
pub(super) fn to_begin_with(manifest: &Manifest, cases: &[Case]) -> Value {
    let needed = manifest.settings_schema.as_ref().and_then(|schema| schema["required"].as_array());
    if needed.is_none_or(Vec::is_empty) {
        return json!({});
    }
    let of_cases = cases.iter().find_map(Case::settings);
    examples(manifest).into_iter().next().or_else(|| of_cases.cloned()).unwrap_or_else(|| json!({}))
}

fn examples(manifest: &Manifest) -> Vec<Value> {
    let schema = manifest.settings_schema.as_ref();
    schema.and_then(|schema| schema["examples"].as_array()).cloned().unwrap_or_default()
}

/// Settings that have to be there are there before any other question, as on a platform.
pub(super) async fn begin(tried: &Tried) -> ((), Verdict) {
    let configured = tried.plugin.configure(tried.begun_with.clone()).await;
    tried.plugin.release();
    let verdict = match configured {
        Ok(()) => Ok(format!("{}", tried.begun_with).into()),
        Err(CallError::Settings { problems, .. }) => {
            let mut details: Vec<String> = problems.iter().map(ToString::to_string).collect();
            details.push("`examples = [{ ... }]` in the settings' schema gives the trial some to begin with".into());
            Err(Fault::new("it needs settings, and there are none to try it with", details))
        }
        Err(error) => Err(Fault::new(in_brief(&Err(error)), Vec::new())),
    };
    ((), verdict)
}

fn message(settings: &Value) -> Vec<u8> {
    json!({ "to": "configure", "ask": settings }).to_string().into_bytes()
}

/// Past the schema, as after a change of it: no settings may make the plugin panic, and unknown ones are refused.
pub(super) async fn unreadable(tried: &Tried) -> Verdict {
    let mut odd = vec![json!("text"), json!(7), json!(true), json!([]), json!([[[[]]]]), json!({ UNKNOWN: 1 })];
    let schema = tried.plugin.manifest().settings_schema.as_ref();
    let names: Vec<&String> =
        schema.and_then(|schema| schema["properties"].as_object()).into_iter().flatten().map(|(name, _)| name).collect();
    for value in [json!(null), json!("\0"), json!(-1), json!(1e300), json!([]), json!({}), json!("x".repeat(100_000))] {
        odd.extend(names.iter().map(|name| json!({ name.as_str(): value })));
    }
    // A schema keeps unknown settings away by itself.
    let has_schema = schema.is_some();
    let mut tally = Tally::default();
    for settings in &odd {
        let said = tried.raw.call(message(settings), tried.raw.message_version(), tried.deadline).await;
        let unknown = settings.get(UNKNOWN).is_some() && !has_schema;
        let problem = match &said {
            Said::Answer(_) if unknown => Some("taken, although there are no settings; it would do nothing".into()),
            Said::Misconduct(misconduct) => Some(format!("it {misconduct}")),
            Said::Answer(_) | Said::Refusal(_) | Said::NotUnderstood(_) => None,
        };
        let shown: String = settings.to_string().chars().take(60).collect();
        let hangs = matches!(&said, Said::Misconduct(slipway_plugin_host::Misconduct::Overran(_)));
        tally.count(&shown, problem, hangs);
        if tally.hangs {
            break;
        }
    }
    let _ = tried.plugin.configure(tried.begun_with.clone()).await;
    tried.plugin.release();
    tally.verdict("settings")
}

/// The schema's examples, which are documentation, are what they say.
pub(super) async fn allowed(tried: &Tried) -> Verdict {
    let examples = examples(tried.plugin.manifest());
    if examples.is_empty() {
        return Ok(Seen::AsItShould("the schema has no examples".into()));
    }
    let mut tally = Tally::default();
    for settings in examples {
        let configured = tried.plugin.configure(settings.clone()).await;
        tried.plugin.release();
        tally.count(&settings.to_string(), configured.err().map(|error| error.to_string()), false);
    }
    let _ = tried.plugin.configure(tried.begun_with.clone()).await;
    tally.verdict("examples")
}

/// After settings that were refused, everything is answered as before.
pub(super) async fn refused(tried: &Tried, asks: &[Ask]) -> Verdict {
    let asks: Vec<&Ask> = asks.iter().filter(|ask| ask.ask.to_string().len() < 10_000).collect();
    let mut before = Vec::new();
    for one in &asks {
        before.push(asking::ask(tried, &one.ask).await?);
    }
    for settings in [json!({ UNKNOWN: 1 }), json!("text"), json!([])] {
        let said = tried.raw.call(message(&settings), tried.raw.message_version(), tried.deadline).await;
        if let Said::Answer(_) = said {
            // Taken, so that it may well change something.
            let _ = tried.plugin.configure(tried.begun_with.clone()).await;
        }
    }
    let mut tally = Tally::default();
    for (one, (message, before)) in asks.iter().zip(&before) {
        let (_, after) = asking::ask(tried, &one.ask).await?;
        let same = match (before, &after) {
            (Ok(before), Ok(after)) => before == after,
            (before, after) => in_brief(before) == in_brief(after),
        };
        let problem = fault(message, &after, Expect::Either).or_else(|| (!same).then(|| "answered otherwise than before".into()));
        tally.count(&one.name, problem, hangs(&after));
    }
    tally.verdict("questions, answered as before")
}
