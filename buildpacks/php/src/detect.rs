//! Whether a tree is a PHP application, and how sure that is.

use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, has_other_processes, reason, stated_start};

use crate::{composer, launcher, site};

const WHOLE: u8 = WHOLE_APPLICATION + 10;
const UNCLEAR: u8 = 60;

pub fn detect(source: &Source, context: &Context) -> Detected {
    let composer = match composer::load(source) {
        Ok(composer) => composer,
        Err(refusal) => return Detected::Refused(refusal),
    };
    let framework = site::framework(source, composer.as_ref());
    let site = site::find(source, composer.as_ref(), framework, launcher::find(source).as_ref());
    let evidence = match (&composer, &site) {
        (Some(_), _) => composer::FILE,
        (None, Some(site)) => site.evidence.as_str(),
        (None, None) => {
            return Detected::No(vec![reason(composer::FILE, "there is no composer.json"), reason("index.php", "and no index.php")]);
        }
    };
    let starts = site.is_some()
        || stated_start(source, context).is_some()
        || has_other_processes(source)
        || composer.as_ref().is_some_and(|composer| composer.start_script().is_some());
    let mut answer = detection(context)
        .framework(framework)
        .package_manager(composer.as_ref().map(|_| "composer"))
        .score(if starts { WHOLE } else { UNCLEAR })
        .because(evidence, "a PHP application");
    if let Some(site) = site.filter(|_| source.is_file("package.json")) {
        answer = answer.requires_if_made(site.root);
    }
    if composer.is_some_and(|composer| composer.has_work()) {
        answer = answer.provides("vendor");
    }
    answer.into()
}
