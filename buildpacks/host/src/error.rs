//! What a buildpack can do wrong. None of it is the application's fault.

use std::{io, time::Duration};

/// Why a buildpack gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the buildpack stopped with an error: {message}")]
    Trap {
        message: String,
        /// What it wrote to standard output and error, cut off at a limit.
        output: String,
    },
    #[error("the buildpack took longer than {} s", limit.as_secs_f32())]
    Timeout { limit: Duration, output: String },
    #[error("the buildpack wanted more than {} MiB of memory", limit_bytes >> 20)]
    Memory { limit_bytes: usize, output: String },
    #[error("the buildpack's answer is larger than {} KiB", limit_bytes >> 10)]
    OutputTooLarge { limit_bytes: usize },
    #[error("the buildpack is not a WebAssembly component that can be run here: {reason}")]
    InvalidComponent { reason: String },
    #[error("the component is not a buildpack of an interface version known here: {reason}")]
    WrongWorld { reason: String },
    #[error("the source directory cannot be opened: {0}")]
    Source(String),
    #[error("the directory for compiled buildpacks cannot be used: {0}")]
    Cache(#[source] io::Error),
    #[error("the WebAssembly engine cannot be started: {0}")]
    Engine(String),
}

impl HostError {
    /// Whether the buildpack fails on this source every time. One that ran out of time may be the right one on a busy machine.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Trap { .. }
            | Self::Memory { .. }
            | Self::OutputTooLarge { .. }
            | Self::InvalidComponent { .. }
            | Self::WrongWorld { .. } => true,
            Self::Timeout { .. } | Self::Source(_) | Self::Cache(_) | Self::Engine(_) => false,
        }
    }
}
