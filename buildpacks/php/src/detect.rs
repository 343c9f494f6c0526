//! Whether a tree is a PHP application, and how sure that is.

use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, reason, stated_start};

use crate::{composer, site};

const WHOLE: u8 = WHOLE_APPLICATION + 10;
const UNCLEAR: u8 = 60;

pub fn detect(source: &Source, context: &Context) -> Detected {
    let composer = match composer::load(source) {
        Ok(composer) => composer,
        Err(refusal) => return Detected::Refused(refusal),
    };
    let framework = site::framework(source, composer.as_ref());
    let site = site::find(source, framework);
    let evidence = if composer.is_some() {
        composer::FILE
    } else if let Some(site) = &site {
        if site.root == "." { "index.php" } else { "public/index.php" }
    } else {
        return Detected::No(vec![reason(composer::FILE, "there is no composer.json"), reason("index.php", "and no index.php")]);
    };
    let starts = site.is_some() || stated_start(source, context).is_some();
    detection(context)
        .framework(framework)
        .package_manager(composer.as_ref().map(|_| "composer"))
        .score(if starts { WHOLE } else { UNCLEAR })
        .because(evidence, "a PHP application")
        .into()
}
