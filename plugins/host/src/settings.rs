//! An administrator's settings against the schema in the manifest.

use serde_json::Value;

use crate::{LoadError, SettingsProblem};

/// Without a schema, a plugin has no settings.
#[derive(Debug)]
pub(crate) struct Settings(Option<(Value, jsonschema::Validator)>);

impl Settings {
    pub fn new(schema: Option<&Value>) -> Result<Self, LoadError> {
        let bad = |problem: String| LoadError::BadField { field: "settings_schema", problem };
        let Some(schema) = schema else { return Ok(Self(None)) };
        if !schema.is_object() {
            return Err(bad("it is not a table".into()));
        }
        let validator = jsonschema::validator_for(schema).map_err(|error| bad(error.to_string()))?;
        Ok(Self(Some((schema.clone(), validator))))
    }

    /// Every problem, each with the place it was found at. The values themselves are not repeated: a setting can be a secret.
    pub fn problems(&self, settings: &Value) -> Vec<SettingsProblem> {
        let Some((_, validator)) = &self.0 else {
            let empty = settings.is_null() || settings.as_object().is_some_and(serde_json::Map::is_empty);
            let none = || SettingsProblem { path: String::new(), reason: "this plugin has no settings".into() };
            return if empty { Vec::new() } else { vec![none()] };
        };
        let problem = |error: jsonschema::ValidationError<'_>| SettingsProblem {
            path: error.instance_path().to_string(),
            reason: error.masked().to_string(),
        };
        validator.iter_errors(settings).map(problem).collect()
    }

    /// The names of the settings that are secrets: those that the schema calls `writeOnly`.
    pub fn secret_names(&self) -> Vec<&str> {
        let properties = self.0.as_ref().and_then(|(schema, _)| schema.get("properties")).and_then(Value::as_object);
        let is_secret = |schema: &Value| schema.get("writeOnly") == Some(&Value::Bool(true));
        properties.into_iter().flatten().filter(|(_, schema)| is_secret(schema)).map(|(name, _)| name.as_str()).collect()
    }

    /// The texts in these settings that must not be seen.
    pub fn secrets(&self, settings: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for name in self.secret_names() {
            texts(settings.get(name).unwrap_or(&Value::Null), &mut found);
        }
        found
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Settings {
        let schema = json!({
            "type": "object",
            "properties": {
                "port": { "type": "integer", "maximum": 65535 },
                "token": { "type": "string", "maxLength": 8, "writeOnly": true },
            },
            "additionalProperties": false,
        });
        Settings::new(Some(&schema)).unwrap()
    }

    #[test]
    fn settings_that_fit_have_no_problems() {
        assert!(schema().problems(&json!({ "port": 80 })).is_empty());
    }

    #[test]
    fn every_problem_is_named_with_its_place_and_without_its_value() {
        let problems = schema().problems(&json!({ "port": "eighty", "token": "correct horse battery" }));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(problems[0].path, "/port", "{problems:?}");
        let all = format!("{problems:?}");
        assert!(!all.contains("horse") && !all.contains("eighty"), "{all}");
    }

    #[test]
    fn an_unknown_setting_is_a_problem() {
        assert!(schema().problems(&json!({ "prot": 80 }))[0].to_string().contains("prot"));
    }

    #[test]
    fn without_a_schema_there_are_no_settings() {
        let none = Settings::new(None).unwrap();
        assert!(none.problems(&json!({})).is_empty());
        assert_eq!(none.problems(&json!({ "port": 80 }))[0].to_string(), "settings: this plugin has no settings");
    }

    #[test]
    fn what_is_write_only_is_secret() {
        assert_eq!(schema().secrets(&json!({ "port": 80, "token": "hunter2" })), ["hunter2"]);
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        assert!(Settings::new(Some(&json!({ "type": "nonsense" }))).is_err());
    }
}
