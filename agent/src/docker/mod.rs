//! The Docker engine behind [`crate::engine::Engine`]. Only this folder and the image builds know bollard.

pub mod buildkit;
mod containers;
mod labels;
mod lines;
mod networks;
mod posture;
mod probe;
mod usage;

pub use containers::Docker;
