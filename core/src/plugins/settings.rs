//! Settings of plugins: checked by the plugin's schema, then by the plugin, then sealed.

use serde_json::{Map, Value};
use slipway_model::{PluginRowId, Secret, Viewer};
use slipway_plugin_host::{CallError, Kind, Plugin};
use slipway_store::{nodes, plugins};

use super::{
    Installed, installed,
    installing::{PATIENCE, failed},
    switching::tell_nodes,
};
use crate::{
    Platform,
    error::{Error, Result, UserError},
    plans::require_admin,
    runtimes,
};

/// Gives a plugin its settings, all of them. A secret that is left out stays as it is; `null` takes it away.
///
/// # Errors
/// Every place at which they do not fit, with the reason and without the value.
pub async fn configure(platform: &Platform, viewer: &Viewer, id: PluginRowId, given: Value) -> Result<Installed> {
    require_admin(viewer)?;
    let _one_at_a_time = platform.plugins.exclusively().await;
    let row = plugins::find(&mut platform.db.read_once().await?, id).await?.ok_or_else(|| UserError::not_found("id", "plugin"))?;
    let Some(plugin) = platform.plugins.get(&row.plugin_id) else {
        return Err(UserError::invalid_state("This plugin could not be loaded; its status says why.").into());
    };
    let Value::Object(given) = given else {
        return Err(UserError::invalid("settings", "Settings are an object of names and values.").into());
    };
    let kept = row.settings(&platform.keys)?;
    let complete = complete(given, kept.as_ref(), &plugin.secret_settings())?;
    let settings = Secret::new(complete.to_string());
    hand_over(&plugin, &settings).await?;
    let stored = async {
        let mut tx = platform.db.begin().await?;
        plugins::set_settings(&mut tx, &platform.keys, id, &settings, platform.now()).await?;
        let row = plugins::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "plugin"))?;
        if plugin.kind() == Kind::Ingress && plugin.is_enabled() {
            nodes::bump_all_generations(&mut tx).await?;
        }
        tx.commit().await?;
        Ok::<_, Error>(row)
    };
    let row = match stored.await {
        Ok(row) => row,
        Err(error) => {
            // What is in force is what is written down.
            if let Err(error) = hand_over(&plugin, &kept.unwrap_or_else(|| Secret::new("{}"))).await {
                tracing::warn!(plugin = plugin.id(), ?error, "a plugin has settings that are not written down, until the next start");
            }
            return Err(error);
        }
    };
    plugin.call_settings(row.settings_name());
    if !plugin.is_enabled() {
        plugin.pause(PATIENCE).await;
    } else {
        match plugin.kind() {
            Kind::Runtime => runtimes::synchronize(platform).await?,
            Kind::Ingress => tell_nodes(platform).await?,
            Kind::Billing => {}
        }
    }
    installed(platform, row)
}

/// With the secrets that are kept, where they were not given.
fn complete(mut given: Map<String, Value>, kept: Option<&Secret>, secrets: &[&str]) -> Result<Value> {
    let kept: Value = kept.map(|kept| serde_json::from_str(kept.expose())).transpose().map_err(Error::internal)?.unwrap_or_default();
    for name in secrets {
        match given.get(*name) {
            None => {
                if let Some(value) = kept.get(*name) {
                    given.insert((*name).to_owned(), value.clone());
                }
            }
            Some(Value::Null) => {
                given.remove(*name);
            }
            Some(_) => {}
        }
    }
    Ok(Value::Object(given))
}

/// As they may be seen: of a secret, only that there is one.
pub(super) fn shown(settings: &Secret, secrets: &[&str]) -> Result<Value> {
    let mut settings: Value = serde_json::from_str(settings.expose()).map_err(Error::internal)?;
    for name in secrets {
        if let Some(value) = settings.get_mut(*name) {
            *value = Value::from("…");
        }
    }
    Ok(settings)
}

/// Gives a plugin settings that are kept as JSON.
pub(super) async fn hand_over(plugin: &Plugin, settings: &Secret) -> Result<()> {
    let settings: Value = serde_json::from_str(settings.expose()).map_err(Error::internal)?;
    plugin.configure(settings).await.map_err(|error| match error {
        CallError::Settings { problems, .. } => Error::User(
            problems
                .into_iter()
                .map(|problem| {
                    let mut error = UserError::invalid("settings", format!("{problem}."));
                    error.path.extend(problem.path.split('/').skip(1).map(unescaped));
                    error
                })
                .collect(),
        ),
        CallError::Refused(refusal) => {
            let fix = refusal.fix.map(|fix| format!(" ({fix})")).unwrap_or_default();
            UserError::invalid("settings", format!("The plugin does not take them: {}{fix}.", refusal.message)).into()
        }
        error => failed("settings", &error).into(),
    })
}

/// A name out of a JSON pointer.
fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_secret_that_is_left_out_stays_and_null_takes_it_away() {
        let kept = Secret::new(r#"{"token":"t","port":1}"#);
        let complete = |value| complete(given(value), Some(&kept), &["token"]).unwrap();
        assert_eq!(complete(json!({ "port": 2 })), json!({ "port": 2, "token": "t" }));
        assert_eq!(complete(json!({ "token": "u" })), json!({ "token": "u" }));
        assert_eq!(complete(json!({ "token": null })), json!({}));
    }

    #[test]
    fn of_a_secret_it_is_seen_that_there_is_one() {
        assert_eq!(shown(&Secret::new(r#"{"token":"t","port":1}"#), &["token"]).unwrap(), json!({ "token": "…", "port": 1 }));
    }
}
