//! What the author of a plugin uses beside the SDK: [`starter`] writes a project to begin with, [`project`] builds one, and
//! [`trial`] shows whether a plugin is fit to be let into a platform's process.
//!
//! **Invariant.** A trial asks a plugin through the host that platforms use. What it adds are questions, and what a reader of an
//! answer would miss; which replies are usable is for the host to say.

pub mod project;
pub mod starter;
pub mod trial;
