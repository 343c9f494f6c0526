//! A library whose initialisers take longer than loading may. Alone in its program: meanwhile nobody else can load a library.

mod built;

use std::time::{Duration, Instant};

use built::{Plugins, reason};
use slipway_plugin_host::Options;

#[tokio::test]
async fn a_library_that_starts_too_slowly_is_given_up() {
    let plugins = Plugins::none().with_fixture("slow-start", "billing");
    let begun = Instant::now();
    let host = plugins.open_with(Options { load_deadline: Duration::from_millis(300), ..Options::default() }).await;
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert!(reason(&host).contains("longer than 0.3 s"), "{}", reason(&host));
}
