//! What can be said of an instance's size in any language.

use crate::{LaunchRequest, PluginError};

/// The instance's memory in whole MiB.
///
/// # Errors
/// `SIZE_INVALID` where there is less than one.
pub fn memory_mib(request: &LaunchRequest) -> Result<i64, PluginError> {
    let mib = request.memory_bytes / (1024 * 1024);
    if mib < 1 {
        let message = format!("an instance cannot run in {} bytes of memory", request.memory_bytes);
        return Err(PluginError::new("SIZE_INVALID", message).with_fix("choose a plan with more memory"));
    }
    Ok(mib)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(memory_bytes: i64) -> Result<i64, PluginError> {
        memory_mib(&LaunchRequest { memory_bytes, cpu_millis: 1000, version: "1".into() })
    }

    #[test]
    fn memory_is_counted_in_whole_mebibytes() {
        assert_eq!(size(512 * 1024 * 1024), Ok(512));
        assert_eq!(size(1024 * 1024 + 1), Ok(1));
    }

    #[test]
    fn no_memory_is_refused() {
        for bytes in [1024 * 1024 - 1, 0, -1, i64::MIN] {
            assert_eq!(size(bytes).unwrap_err().code, "SIZE_INVALID");
        }
    }
}
