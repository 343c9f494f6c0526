//! An administrator's settings against the schema in the manifest.

use serde_json::Value;

use crate::LoadError;

/// Without a schema, a plugin has no settings.
#[derive(Debug)]
pub(crate) struct Settings(Option<jsonschema::Validator>);

impl Settings {
    pub fn new(schema: Option<&Value>) -> Result<Self, LoadError> {
        let validator = schema.map(jsonschema::validator_for).transpose();
        validator.map(Self).map_err(|error| LoadError::BadField { field: "settings_schema", problem: error.to_string() })
    }

    /// Every problem, each with the place it was found at. The values themselves are not repeated: a setting can be a secret.
    pub fn problems(&self, settings: &Value) -> Vec<String> {
        let Some(validator) = &self.0 else {
            let empty = settings.is_null() || settings.as_object().is_some_and(serde_json::Map::is_empty);
            return if empty { Vec::new() } else { vec!["this plugin has no settings".into()] };
        };
        let place = |path: String| if path.is_empty() { "settings".to_owned() } else { path };
        validator.iter_errors(settings).map(|error| format!("{}: {}", place(error.instance_path().to_string()), error.masked())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Settings {
        let schema = json!({
            "type": "object",
            "properties": { "port": { "type": "integer", "maximum": 65535 }, "token": { "type": "string", "maxLength": 8 } },
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
        assert!(problems[0].starts_with("/port: "), "{problems:?}");
        assert!(!problems.concat().contains("horse") && !problems.concat().contains("eighty"), "{problems:?}");
    }

    #[test]
    fn an_unknown_setting_is_a_problem() {
        assert!(schema().problems(&json!({ "prot": 80 }))[0].contains("prot"));
    }

    #[test]
    fn without_a_schema_there_are_no_settings() {
        let none = Settings::new(None).unwrap();
        assert!(none.problems(&json!({})).is_empty());
        assert_eq!(none.problems(&json!({ "port": 80 })), ["this plugin has no settings"]);
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        assert!(Settings::new(Some(&json!({ "type": "nonsense" }))).is_err());
    }
}
