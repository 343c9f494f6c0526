//! What a plan's tools resolve to, by the runtime plugins, and the file in which that is kept.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use slipway_buildpack_host::ResolvedTools;
use slipway_buildpack_wit::{Lock, LockedTool, Plan as BuildPlan, Refusal, Tool};
use slipway_plugin_host::{
    CallError, Resolver,
    messages::{PluginError, Resolution, ResolveRequest},
};

use super::Runtime;

/// The code with which a plugin says that a tool is not its own.
const UNKNOWN_TOOL: &str = "UNKNOWN_TOOL";

/// Resolves what `kept` does not answer. A tool that no plugin knows stays without a version. Inner error: for the customer.
pub async fn resolve(plan: &BuildPlan, kept: &Lock, runtimes: &[Runtime], directory: &Path) -> Result<Result<ResolvedTools, Refusal>> {
    let mut resolved = ResolvedTools::default();
    let mut plugins = Plugins { runtimes, loaded: Vec::new() };
    for tool in &plan.fragment.tools {
        if let Some(locked) = kept.get(&tool.name).filter(|locked| locked.constraint == tool.constraint) {
            resolved.lock.insert(tool.name.clone(), locked.clone());
            continue;
        }
        match plugins.resolve(tool, &plan.buildpack).await? {
            Some(Ok(Resolution { version, build_image, run_image, notices })) => {
                let locked = LockedTool { constraint: tool.constraint.clone(), version, build_image, run_image };
                resolved.lock.insert(tool.name.clone(), locked);
                resolved.notices.insert(tool.name.clone(), notices);
            }
            Some(Err(error)) => return Ok(Err(refusal(error, tool, &directory.join(&plan.detection.app_root)))),
            None => {}
        }
    }
    Ok(Ok(resolved))
}

/// Libraries are loaded as they are needed: for most applications one.
struct Plugins<'a> {
    runtimes: &'a [Runtime],
    /// By place in `runtimes`; `None` for one that does not load.
    loaded: Vec<(usize, Option<Resolver>)>,
}

impl Plugins<'_> {
    /// Asks first the plugin whose buildpack has the tool's name, then the one whose buildpack made the plan, then the others.
    async fn resolve(&mut self, tool: &Tool, planned_by: &str) -> Result<Option<Result<Resolution, PluginError>>> {
        let mut order: Vec<_> = (0..self.runtimes.len()).collect();
        order.sort_by_key(|&place| {
            let id = self.runtimes[place].buildpack.id();
            (id != tool.name, id != planned_by)
        });
        for place in order {
            let Some(plugin) = self.plugin(place).await else { continue };
            let request = ResolveRequest { tool: tool.name.clone(), constraint: tool.constraint.clone() };
            match plugin.resolve(request).await {
                Ok(resolution) => return Ok(Some(Ok(resolution))),
                Err(CallError::Refused(error)) if error.code == UNKNOWN_TOOL => {}
                Err(CallError::Refused(error)) => return Ok(Some(Err(error))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn plugin(&mut self, place: usize) -> Option<&Resolver> {
        let known = match self.loaded.iter().position(|(loaded, _)| *loaded == place) {
            Some(known) => known,
            None => {
                let directory = &self.runtimes[place].directory;
                let plugin = Resolver::load(directory).await;
                let plugin = plugin.inspect_err(|error| tracing::warn!(directory = %directory.display(), %error, "plugin skipped")).ok();
                self.loaded.push((place, plugin));
                self.loaded.len() - 1
            }
        };
        self.loaded[known].1.as_ref()
    }
}

fn refusal(error: PluginError, tool: &Tool, app: &Path) -> Refusal {
    let (file, key) = tool.source.split_once('#').map_or((tool.source.as_str(), None), |(file, key)| (file, Some(key)));
    let line = std::fs::read_to_string(app.join(file)).ok().and_then(|text| line_of(&text, key, &tool.constraint));
    Refusal {
        code: error.code,
        message: error.message,
        file: Some(file.to_owned()).filter(|file| !file.is_empty()),
        line,
        fix: error.fix.unwrap_or_else(|| format!("Ask for another version of {}.", tool.name)),
    }
}

/// The line that states a constraint, from 1: that with the last part of the key and the constraint, or with the constraint alone.
fn line_of(text: &str, key: Option<&str>, constraint: &str) -> Option<u32> {
    let name = key.and_then(|key| key.rsplit('.').next()).unwrap_or_default();
    let holding = |name: &str| text.lines().position(|line| line.contains(name) && line.contains(constraint));
    let place = holding(name).or_else(|| holding(""))?;
    u32::try_from(place + 1).ok()
}

/// None yet where there is no such file.
pub fn read_lock(file: &Path) -> Result<Lock> {
    match std::fs::read(file) {
        Ok(json) => serde_json::from_slice(&json).with_context(|| format!("{} is not a lock of tools", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::new()),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

/// Whole or not at all.
pub fn write_lock(file: &Path, lock: &Lock) -> Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut staged = tempfile::Builder::new().permissions(readable()).tempfile_in(directory)?;
        serde_json::to_writer_pretty(&mut staged, lock)?;
        staged.write_all(b"\n")?;
        staged.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("{} could not be written", file.display()))
}

/// A lock is no secret, and belongs beside the source.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_constraint_is_found_in_its_file() {
        let package = "{\n  \"version\": \"99\",\n  \"engines\": {\n    \"node\": \"99\"\n  }\n}\n";
        assert_eq!(line_of(package, Some("engines.node"), "99"), Some(4));
        assert_eq!(line_of("# ours\n99\n", None, "99"), Some(2));
        assert_eq!(line_of("nothing", Some("engines.node"), "99"), None);
    }

    #[test]
    fn a_refusal_names_the_file_and_the_fix() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".nvmrc"), "v99\n").unwrap();
        let tool = Tool { name: "node".into(), constraint: "v99".into(), source: ".nvmrc".into(), is_default: false };
        let refusal = refusal(PluginError::new("VERSION_UNKNOWN", "there is none").with_fix("write 24"), &tool, directory.path());
        assert_eq!((refusal.code.as_str(), refusal.file.as_deref(), refusal.line), ("VERSION_UNKNOWN", Some(".nvmrc"), Some(1)));
        assert_eq!(refusal.fix, "write 24");
    }

    #[test]
    fn a_lock_is_read_as_it_was_written_and_is_empty_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tools.json");
        assert_eq!(read_lock(&file).unwrap(), Lock::new());
        let locked = LockedTool {
            constraint: "22".into(),
            version: "22.1.0".into(),
            build_image: "node:22-slim".into(),
            run_image: "node:22-slim".into(),
        };
        let lock = Lock::from([("node".to_owned(), locked)]);
        write_lock(&file, &lock).unwrap();
        assert_eq!(read_lock(&file).unwrap(), lock);
        std::fs::write(&file, "[]").unwrap();
        assert!(format!("{:#}", read_lock(&file).unwrap_err()).contains("is not a lock of tools"));
    }
}
