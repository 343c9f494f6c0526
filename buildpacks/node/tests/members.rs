//! Roots without a package.json, with packages below.

mod support;

use slipway_buildpack_sdk::Detected;
use support::{App, codes};

#[test]
fn a_root_of_packages_names_them() {
    for root in [&[("rush.json", "{ // ours\n}")][..], &[("README.md", "")]] {
        let app = App::new(&[root, &[("apps/shop/package.json", "{}"), ("apps/stock/package.json", "{}")]].concat());
        let plan = app.plan();
        assert!(app.detection().score < 25 && plan.processes.is_empty() && plan.steps.is_empty());
        assert_eq!(codes(&plan), ["NODE_WORKSPACE_ROOT"]);
        assert!(plan.diagnostics[0].message.contains("did you mean `apps/shop` or `apps/stock`?"), "{}", plan.diagnostics[0].message);
    }
    assert_eq!(codes(&App::new(&[("nx.json", "{}"), ("apps/shop/project.json", "{}")]).plan()), ["NODE_NO_START"]);
}

#[test]
fn one_package_alone_or_beside_another_language_is_for_the_platform_to_choose() {
    for files in [
        &[("site/package.json", "{}")][..],
        &[("client/package.json", "{}"), ("web/package.json", "{}"), ("server/requirements.txt", "")],
        &[("client/package.json", "{}"), ("web/package.json", "{}"), ("go.mod", "")],
    ] {
        assert!(matches!(App::new(files).detected(), Detected::No(_)), "{files:?}");
    }
}
