//! The node agent: makes one machine match what the control plane wants of it, and reports what it sees.

pub mod blob;
pub mod task;
