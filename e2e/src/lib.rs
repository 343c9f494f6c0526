//! What the tests of the whole system share: a platform as `slipway up` runs it, driven by the same binary that people use.
//!
//! Nothing is replaced here: the binary, the plugins and the buildpacks are those of `dist/`, Docker and Traefik are real.
#![allow(clippy::print_stderr, reason = "a test run tells what it is at")]

mod apps;
mod author;
pub mod billing;
mod build_log;
mod clients;
mod docker;
mod endings;
mod example_plugins;
mod image;
mod load;
mod platform;
mod rival;
mod server;
mod table;
mod trial;
mod visitor;

pub use apps::App;
pub use author::Author;
pub use build_log::{LoggedStep, steps};
pub use clients::{Clients, printed};
pub use docker::{Container, containers};
pub use endings::{Ending, Endings};
pub use example_plugins::{base_image, plugins_with, run};
pub use image::ImageFacts;
pub use load::{Load, LoadReport};
pub use platform::{Deployed, Platform, binary, dist, example, fresh_copy, workspace, write_app};
pub use rival::rival;
pub use server::Server;
pub use table::table;
pub use trial::{Row, trials};
pub use visitor::{Answer, served_by, visit, visit_until};
