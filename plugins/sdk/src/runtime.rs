//! The trait of a plugin that brings a language.

use crate::{LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, Value};

/// Says which versions of a language exist, which images carry them, and how to start an instance of a given size.
///
/// One value lives for as long as the process; it may be called from several threads at once. Every answer has to come within
/// the host's deadline (five seconds unless configured otherwise) and depend on nothing but the request and the settings, so
/// that asking again gives the same answer. A panic is caught, costs the call, and counts against the plugin.
pub trait RuntimePlugin: Default + Send + Sync + 'static {
    /// Takes the administrator's settings, already checked against the manifest's `settings_schema`. Called before any other
    /// call where there are settings, and again whenever they change.
    ///
    /// # Errors
    /// Settings that the schema allows but that cannot be used. The settings of before stay in force then.
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        crate::refuse_unread(&settings)
    }

    /// What this runtime is. Called when the plugin is loaded or configured, and kept.
    ///
    /// # Errors
    /// Settings are missing without which nothing can be described.
    fn describe(&self) -> Result<RuntimeDescription, PluginError>;

    /// Finds the images for a tool and a constraint in the language's own syntax. Called once per tool of a build plan when an
    /// application has no lock for that tool yet, or when its constraint changed. The answer becomes the lock.
    ///
    /// # Errors
    /// `VERSION_UNAVAILABLE` where no version satisfies the constraint (never a quiet default), `CONSTRAINT_INVALID` where it
    /// cannot be understood, `UNKNOWN_TOOL` for a tool that the description does not name.
    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError>;

    /// Which environment variables suit an instance of `memory_bytes` and `cpu_millis` (thousandths of a core). Called when an
    /// instance is placed. The customer's own variables win over these.
    ///
    /// # Errors
    /// The size makes no sense for this runtime.
    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError>;
}
