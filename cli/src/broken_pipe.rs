//! A reader that has seen enough, as in `slipway plan | head`. Writing to it fails, on which `println!` panics; that is the end of
//! the command, and no mistake to report.

use std::panic;

/// What a shell reports of a program that ended by SIGPIPE.
const STATUS: i32 = 128 + 13;

/// From here on, a panic over a closed standard output ends the process silently.
pub fn ends_quietly() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let is_ours =
            panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout") && text.contains("Broken pipe"));
        if is_ours {
            std::process::exit(STATUS);
        }
        report(panic);
    }));
}
