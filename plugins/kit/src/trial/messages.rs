//! Bytes that are no request, requests for others, and requests of platforms that are yet to come.

use serde_json::{Map, Value, json};
use slipway_plugin_host::{Kind, Said};

use super::{Ask, Fault, Tried, Verdict, asking::Tally};

/// Of each kind, a question that every plugin of that kind understands, and one that none does.
fn examples(kind: Kind) -> (Value, Value) {
    match kind {
        Kind::Runtime => (json!("describe"), json!({ "resolve": { "tool": 7 } })),
        Kind::Billing => (json!({ "rate": { "currency": "EUR", "usage": [] } }), json!({ "rate": { "usage": {} } })),
        Kind::Ingress => (json!({ "render": { "applications": [] } }), json!({ "render": { "applications": [{}] } })),
    }
}

fn message(kind: Kind, ask: &Value) -> Value {
    json!({ "to": kind, "ask": ask })
}

async fn call(tried: &Tried, bytes: impl Into<Vec<u8>>, version: u32) -> Said {
    tried.raw.call(bytes.into(), version, tried.deadline).await
}

/// What is wrong with the answer to something that is to be a bad request.
fn not_refused(said: &Said) -> Option<String> {
    match said {
        Said::NotUnderstood(text) if text.trim().is_empty() => Some("it does not say what it did not understand".into()),
        Said::NotUnderstood(_) => None,
        Said::Answer(_) => Some("it is answered, and should be a bad request (status 3)".into()),
        Said::Refusal(_) => Some("it is refused as a question (status 1), and should be a bad request (status 3)".into()),
        Said::Misconduct(misconduct) => Some(format!("it {misconduct}")),
    }
}

fn hangs(said: &Said) -> bool {
    matches!(said, Said::Misconduct(slipway_plugin_host::Misconduct::Overran(_)))
}

async fn none_is_understood(tried: &Tried, requests: Vec<(String, Vec<u8>, u32)>, what: &str) -> Verdict {
    let mut tally = Tally::default();
    for (name, bytes, version) in requests {
        let said = call(tried, bytes, version).await;
        tally.count(&name, not_refused(&said), hangs(&said));
        if tally.hangs {
            return tally.verdict(what);
        }
    }
    // It has to go on after all of that.
    let (good, _) = examples(tried.plugin.kind());
    let said = call(tried, message(tried.plugin.kind(), &good).to_string(), tried.raw.message_version()).await;
    let still = match &said {
        Said::Answer(_) | Said::Refusal(_) => None,
        Said::NotUnderstood(text) => Some(format!("it no longer understands: {text}")),
        Said::Misconduct(misconduct) => Some(format!("it {misconduct}")),
    };
    tally.count("a question after them", still, hangs(&said));
    tally.verdict(what)
}

pub(super) async fn nonsense(tried: &Tried) -> Verdict {
    let kind = tried.plugin.kind();
    let (good, lacking) = examples(kind);
    let whole = message(kind, &good).to_string();
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep = format!("{{\"to\":\"{kind}\",\"ask\":{nested}}}");
    let texts = [
        ("nothing", String::new()),
        ("a space", " ".into()),
        ("half a request", whole[..whole.len() / 2].to_owned()),
        ("two requests", format!("{whole}{whole}")),
        ("words", "please describe yourself".into()),
        ("null", "null".into()),
        ("a number", "1e999".into()),
        ("a list", "[]".into()),
        ("nested lists", nested),
        ("nested lists in the place of a question", deep),
        ("no question", json!({ "to": kind }).to_string()),
        ("a question to nobody", json!({ "ask": good }).to_string()),
        ("a question that there is not", message(kind, &json!("sing")).to_string()),
        ("a question without what it asks about", message(kind, &lacking).to_string()),
    ];
    let version = tried.raw.message_version();
    let mut requests: Vec<_> = texts.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes(), version)).collect();
    requests.push(("no text".into(), vec![0xff; 64], version));
    requests.push(("a megabyte of zeros".into(), vec![0; 1024 * 1024], version));
    none_is_understood(tried, requests, "messages").await
}

pub(super) async fn other_kinds(tried: &Tried) -> Verdict {
    let others = [Kind::Runtime, Kind::Billing, Kind::Ingress].into_iter().filter(|kind| *kind != tried.plugin.kind());
    let version = tried.raw.message_version();
    let requests =
        others.map(|kind| (format!("a question for {kind}"), message(kind, &examples(kind).0).to_string().into_bytes(), version));
    none_is_understood(tried, requests.collect(), "questions").await
}

pub(super) async fn other_versions(tried: &Tried) -> Verdict {
    let [lowest, highest] = tried.raw.library_versions();
    let (good, _) = examples(tried.plugin.kind());
    let bytes = message(tried.plugin.kind(), &good).to_string().into_bytes();
    let versions = [lowest.checked_sub(1), highest.checked_add(1), Some(u32::MAX)];
    let strange = versions.into_iter().flatten().filter(|version| !(lowest..=highest).contains(version));
    none_is_understood(tried, strange.map(|version| (format!("version {version}"), bytes.clone(), version)).collect(), "versions").await
}

pub(super) async fn null(tried: &Tried) -> Verdict {
    match tried.raw.refuses_null(tried.deadline).await {
        Ok(true) => Ok("null in the place of the request or of the reply is a bad request".to_owned().into()),
        Ok(false) => Err(Fault::new("null in the place of the request or of the reply is not a bad request (status 3)", Vec::new())),
        Err(misconduct) => Err(Fault { message: format!("with null in the place of a request, it {misconduct}"), ..Fault::default() }),
    }
}

/// A platform may send optional fields that are newer than the plugin: they are no new message version.
pub(super) async fn more_fields(tried: &Tried, asks: &[Ask]) -> Verdict {
    let version = tried.raw.message_version();
    let mut tally = Tally::default();
    for one in asks {
        let plain = message(tried.plugin.kind(), &one.ask);
        let Some(more) = with_more_fields(&plain["ask"]) else { continue };
        let first = call(tried, plain.to_string(), version).await;
        let second = call(tried, message(tried.plugin.kind(), &more).to_string(), version).await;
        let problem = match &second {
            Said::NotUnderstood(text) => Some(format!("not understood with one more field: {text}")),
            other if *other != first => Some("answered otherwise with a field that it does not know".into()),
            _ => None,
        };
        tally.count(&one.name, problem, hangs(&first) || hangs(&second));
        if tally.hangs {
            break;
        }
    }
    tally.verdict("questions with fields that are not known yet")
}

/// A question with one more field in every object that has some; `None` where there is no place for one.
fn with_more_fields(ask: &Value) -> Option<Value> {
    // The outermost object is the question's name.
    let (name, about) = ask.as_object()?.iter().next()?;
    Some(json!({ name: more(about) }))
}

fn more(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), more(value))).collect();
            fields.insert("of_a_later_platform".into(), json!({ "any": ["thing", 1, null] }));
            Value::Object(fields)
        }
        Value::Array(items) => Value::Array(items.iter().map(more).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_of_a_question_gets_a_field_and_the_question_keeps_its_name() {
        let more = with_more_fields(&json!({ "render": { "applications": [{ "tls": false }] } })).unwrap();
        assert_eq!(more.as_object().unwrap().keys().collect::<Vec<_>>(), ["render"]);
        assert!(more["render"]["of_a_later_platform"].is_object());
        assert!(more["render"]["applications"][0]["of_a_later_platform"].is_object());
        assert_eq!(with_more_fields(&json!("describe")), None);
    }
}
