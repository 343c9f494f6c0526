//! PHP with Apache, and Composer, whose constraints both understand.

mod fit;

use std::sync::LazyLock;

use slipway_constraint_composer::Constraint;
use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Preference, Question},
};

const TOOLS: [&str; 2] = ["php", "composer"];

static PHP: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));
const PHP_PREFERENCE: Preference<'static> = Preference { default: "8.2", at_hand: &["8.2"] };

static COMPOSER: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../composer-versions.json")));
const COMPOSER_PREFERENCE: Preference<'static> = Preference { default: "2", at_hand: &["2"] };

#[derive(Debug, Default)]
pub struct Php;

impl RuntimePlugin for Php {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "php".into(),
            name: "PHP".into(),
            versions: PHP.offered(PHP_PREFERENCE.default),
            tools: TOOLS.map(Into::into).to_vec(),
            detect_files: ["composer.json", "index.php", "public/index.php"].map(Into::into).to_vec(),
            default_port: 8080,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        let (language, versions, preference, fix) = match request.tool.as_str() {
            "php" => ("PHP", &PHP, PHP_PREFERENCE, "set `require.php` in composer.json to"),
            "composer" => ("Composer", &COMPOSER, COMPOSER_PREFERENCE, "use"),
            other => return Err(version_line::unknown_tool(other, &TOOLS)),
        };
        let constraint = request.constraint.trim();
        version_line::check_constraint(language, constraint)?;
        let question = Question { language, constraint, fix };
        let Some(wanted) = Constraint::parse(constraint) else {
            return Err(version_line::not_understood(question, versions));
        };
        versions.resolve(question, preference, |line| fit::fit(&wanted, &line.version).into())
    }

    /// PHP sizes nothing by the machine: its memory limit is per request and stands in php.ini.
    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        memory_mib(&request)?;
        Ok(LaunchSettings::default())
    }
}

export_plugin!(runtime: Php);
