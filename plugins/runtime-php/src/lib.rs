//! PHP 8.2 with Apache, and Composer, whose constraints both understand.

mod constraint;

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, NaiveDate, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, VersionLine,
    export_plugin, memory_mib, version_line,
};

const TOOLS: [&str; 2] = ["php", "composer"];

/// End of life as the project's release schedule has it.
const PHP: [VersionLine; 1] =
    [VersionLine { version: "8.2", image: "php:8.2-apache", is_default: true, end_of_life: NaiveDate::from_ymd_opt(2026, 12, 31) }];

const COMPOSER: [VersionLine; 1] = [VersionLine { version: "2", image: "composer:2", is_default: true, end_of_life: None }];

#[derive(Debug, Default)]
pub struct Php;

impl RuntimePlugin for Php {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "php".into(),
            name: "PHP".into(),
            versions: PHP.iter().map(Into::into).collect(),
            tools: TOOLS.map(Into::into).to_vec(),
            detect_files: ["composer.json", "index.php", "public/index.php"].map(Into::into).to_vec(),
            default_port: 8080,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        let (name, lines, fix): (_, &[VersionLine], _) = match request.tool.as_str() {
            "php" => ("PHP", &PHP, "set `require.php` in composer.json to"),
            "composer" => ("Composer", &COMPOSER, "use"),
            other => return Err(version_line::unknown_tool(other, &TOOLS)),
        };
        let constraint = request.constraint.trim();
        version_line::check_constraint(name, constraint)?;
        let Some(wanted) = constraint::parse(constraint) else {
            return Err(version_line::not_understood(name, constraint, fix, lines));
        };
        version_line::resolve(name, lines, constraint, fix, |line| wanted.fit(line.version))
    }

    /// PHP sizes nothing by the machine: its memory limit is per request and stands in php.ini.
    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        memory_mib(&request)?;
        Ok(LaunchSettings::default())
    }
}

export_plugin!(runtime: Php);
