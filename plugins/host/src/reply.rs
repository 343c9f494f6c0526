//! Whether a reply keeps what its message promises. A plugin's words become money, file names and container settings, so they
//! are checked where they come in.

use std::collections::BTreeSet;

use slipway_plugin_abi::messages::{Charge, LaunchSettings, RenderedRoutes, Reply, Resolution, RuntimeDescription};

const LONGEST_TEXT: usize = 2_000;

/// The beginning of a text that a plugin wrote, for logs and errors.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

pub(crate) fn unexpected<T>(reply: &Reply) -> Result<T, String> {
    let answers = match reply {
        Reply::Runtime(_) => "a runtime question",
        Reply::Billing(_) => "a billing question",
        Reply::Ingress(_) => "an ingress question",
        Reply::Configured => "a configuration",
    };
    Err(format!("it answers {answers} that was not asked"))
}

pub(crate) fn check_description(description: RuntimeDescription) -> Result<RuntimeDescription, String> {
    let slug_ok = description.slug.starts_with(|first: char| first.is_ascii_lowercase())
        && description.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !slug_ok {
        return Err(format!("the slug {:?} is not lower-case letters, digits and hyphens", description.slug));
    }
    let defaults = description.versions.iter().filter(|version| version.is_default).count();
    if defaults != usize::from(!description.versions.is_empty()) {
        return Err(format!("{defaults} of its {} versions are the default", description.versions.len()));
    }
    if let Some(bare) = description.versions.iter().find(|v| [&v.version, &v.build_image, &v.run_image].iter().any(|text| text.is_empty()))
    {
        return Err(format!("version {:?} lacks a name or an image", bare.version));
    }
    Ok(description)
}

pub(crate) fn check_resolution(resolution: Resolution) -> Result<Resolution, String> {
    let Resolution { version, build_image, run_image, .. } = &resolution;
    if [version, build_image, run_image].iter().any(|text| text.is_empty()) {
        return Err("a resolution without a version or an image".into());
    }
    Ok(resolution)
}

pub(crate) fn check_launch(settings: LaunchSettings) -> Result<LaunchSettings, String> {
    let key_ok = |key: &str| {
        !key.is_empty()
            && !key.starts_with(|first: char| first.is_ascii_digit())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let mut seen = BTreeSet::new();
    for (key, value) in &settings.env {
        if !key_ok(key) || value.contains('\0') {
            return Err(format!("{key:?} is not an environment variable"));
        }
        if !seen.insert(key) {
            return Err(format!("{key} is set twice"));
        }
    }
    Ok(settings)
}

pub(crate) fn check_charges(keys: &[String], charges: Vec<Charge>) -> Result<Vec<Charge>, String> {
    if !charges.iter().map(|charge| &charge.key).eq(keys) {
        return Err(format!("{} charges that are not those of the {} periods, in their order", charges.len(), keys.len()));
    }
    for Charge { key, amount, .. } in &charges {
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(format!("the charge of {key} is negative: {amount}"));
        }
        if amount.normalize().scale() > 9 {
            return Err(format!("the charge of {key} has more than nine decimal places: {amount}"));
        }
    }
    Ok(charges)
}

pub(crate) fn check_routes(asked: &[(String, String)], routes: RenderedRoutes) -> Result<RenderedRoutes, String> {
    let mut applications = BTreeSet::new();
    let mut names = BTreeSet::new();
    for file in &routes.files {
        let name_ok =
            !file.name.starts_with('.') && file.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !name_ok || file.name.is_empty() || file.name.len() > 255 {
            return Err(format!("{:?} is not a plain file name", file.name));
        }
        if !asked.iter().any(|(application, revision)| *application == file.application && *revision == file.revision) {
            return Err(format!("{} holds a route that was not asked for", file.name));
        }
        if !names.insert(&file.name) || !applications.insert(&file.application) {
            return Err(format!("{} comes twice, or its application does", file.name));
        }
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use slipway_plugin_abi::messages::RouteFile;

    use super::*;

    fn charge(key: &str, amount: &str) -> Charge {
        Charge { key: key.into(), amount: amount.parse().unwrap(), description: String::new() }
    }

    #[test]
    fn charges_answer_their_periods_in_order() {
        let keys = ["a".to_owned(), "b".to_owned()];
        assert!(check_charges(&keys, vec![charge("a", "1"), charge("b", "0.123456789000")]).is_ok());
        assert!(check_charges(&keys, vec![charge("b", "1"), charge("a", "1")]).is_err());
        assert!(check_charges(&keys, vec![charge("a", "1")]).is_err());
        assert!(check_charges(&keys, vec![charge("a", "1"), charge("a", "1")]).is_err());
    }

    #[test]
    fn a_charge_is_not_negative_and_has_nine_decimals_at_most() {
        let keys = ["a".to_owned()];
        assert!(check_charges(&keys, vec![charge("a", "-0.01")]).unwrap_err().contains("negative"));
        assert!(check_charges(&keys, vec![charge("a", "0.0000000001")]).unwrap_err().contains("nine"));
    }

    fn file(application: &str, name: &str) -> RenderedRoutes {
        let file = RouteFile { application: application.into(), revision: "r1".into(), name: name.into(), content: String::new() };
        RenderedRoutes { files: vec![file] }
    }

    #[test]
    fn a_route_file_has_a_plain_name_and_an_application_that_was_asked_for() {
        let asked = [("app_1".to_owned(), "r1".to_owned())];
        assert!(check_routes(&asked, file("app_1", "app_1.toml")).is_ok());
        for name in ["", "..", "../app_1.toml", "/etc/passwd", ".hidden", "a b", "a\0b"] {
            assert!(check_routes(&asked, file("app_1", name)).is_err(), "{name:?}");
        }
        assert!(check_routes(&asked, file("app_2", "app_2.toml")).is_err());
        let twice = RenderedRoutes { files: [file("app_1", "a.toml").files, file("app_1", "b.toml").files].concat() };
        assert!(check_routes(&asked, twice).is_err());
    }

    #[test]
    fn launch_settings_are_environment_variables() {
        let set = |key: &str, value: &str| check_launch(LaunchSettings { env: vec![(key.into(), value.into())] });
        assert!(set("NODE_ENV", "production").is_ok());
        assert!(set("A=B", "x").is_err());
        assert!(set("", "x").is_err());
        assert!(set("A", "x\0y").is_err());
    }
}
