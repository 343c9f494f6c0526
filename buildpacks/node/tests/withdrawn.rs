//! Releases that no registry has any more are refused before an install looks for them.

mod support;

use support::App;

#[test]
fn a_release_that_was_withdrawn_is_refused_where_it_is_held() {
    let pinned = App::new(&[("package.json", r#"{ "scripts": { "start": "node a.js" }, "dependencies": { "event-stream": "3.3.6" } }"#)]);
    assert!(pinned.refusal().starts_with("NODE_DEPENDENCY_WITHDRAWN package.json"), "{}", pinned.refusal());
    let lock = r#"{ "lockfileVersion": 3, "packages": { "node_modules/koa": { "version": "3.0.1" }, "node_modules/rc": { "version": "1.2.9" } } }"#;
    let manifest = r#"{ "scripts": { "start": "node a.js" }, "dependencies": { "koa": "^3.0.0" } }"#;
    let locked = App::new(&[("package.json", manifest), ("package-lock.json", lock)]);
    assert!(locked.refusal().starts_with("NODE_DEPENDENCY_WITHDRAWN package-lock.json"), "{}", locked.refusal());
    let sound = lock.replace("1.2.9", "1.2.8");
    App::new(&[("package.json", manifest), ("package-lock.json", &sound)]).plan();
}
