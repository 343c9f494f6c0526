//! Writing single instructions, so that what is written in them means only itself.

use std::fmt::Write as _;

use slipway_buildpack_wit::{Command, File};

use super::{ContextEntry, ContextSource, Listing, LowerOptions, SourceFile};

/// Where the extra certificates are while a build step's command runs.
const CA_TARGET: &str = "/etc/slipway/ca.pem";
const CA_CONTEXT: &str = "ca.pem";
/// The variables by which the usual tools are told of them.
const CA_VARIABLES: [&str; 7] =
    ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "COMPOSER_CAFILE"];

pub(super) struct Lines<'a> {
    pub options: &'a LowerOptions,
    text: String,
    context: Vec<ContextEntry>,
}

impl<'a> Lines<'a> {
    pub fn new(options: &'a LowerOptions) -> Self {
        let ca = options.ca_bundle.as_ref().map(|path| ContextEntry {
            from: ContextSource::File(path.clone()),
            to: CA_CONTEXT.into(),
            executable: false,
        });
        Self { options, text: String::new(), context: ca.into_iter().collect() }
    }

    pub fn finish(self) -> (String, Vec<ContextEntry>) {
        (self.text, self.context)
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// `ENV` or `LABEL`.
    pub fn assign(&mut self, instruction: &str, name: &str, value: &str) {
        self.line(format!("{instruction} {}={}", quoted(name), quoted(value)));
    }

    /// Puts files of the source into the context under `stage` and copies them all to `dest`.
    pub fn copy_source(&mut self, source: &Listing, files: &[(&SourceFile, &str)], stage: &str, dest: &str, owner: Option<&str>) {
        if files.is_empty() {
            return;
        }
        self.context.extend(files.iter().map(|(file, path)| source.entry(file, format!("{stage}/{path}"))));
        self.copy(None, owner, &format!("{stage}/"), &directory(dest));
    }

    /// The same for a layer of the image. A directory in the image's root is copied as a part of that root, because of a directory that is
    /// copied to by its name the engine keeps the content alone, and gives it the time of the build.
    pub fn copy_layer(&mut self, source: &Listing, files: &[(&SourceFile, &str)], stage: &str, dest: &str, owner: &str) {
        match dest.trim_matches('/') {
            name if name.is_empty() || name.contains('/') => self.copy_source(source, files, stage, dest, Some(owner)),
            _ if files.is_empty() => {}
            name => {
                self.context.extend(files.iter().map(|(file, path)| source.entry(file, format!("{stage}/{name}/{path}"))));
                self.copy(None, Some(owner), &format!("{stage}/"), "/");
            }
        }
    }

    pub fn copy_files(&mut self, files: &[File], stage: &str, owner: Option<&str>) {
        for (index, file) in files.iter().enumerate() {
            let to = format!("{stage}/{index}");
            self.copy(None, owner, &to, &file.path);
            self.context.push(ContextEntry {
                from: ContextSource::Bytes(file.content.clone().into_bytes()),
                to,
                executable: file.executable,
            });
        }
    }

    pub fn copy(&mut self, step: Option<&str>, owner: Option<&str>, from: &str, to: &str) {
        let step = step.map(|step| format!(" --from={step}")).unwrap_or_default();
        let owner = owner.map(|owner| format!(" --chown={owner}")).unwrap_or_default();
        self.line(format!("COPY{step}{owner} {}", json(&[from.into(), to.into()])));
    }

    /// A command of a build step, with `mounts`, the customer's build variables and the extra certificates.
    pub fn run(&mut self, mounts: &[String], env: &[(String, String)], command: &Command) {
        let mut line = String::from("RUN");
        for mount in mounts {
            let _ = write!(line, " --mount={mount}");
        }
        let mut variables: Vec<String> = Vec::new();
        if self.options.ca_bundle.is_some() {
            let _ = write!(line, " --mount=type=bind,source={CA_CONTEXT},target={CA_TARGET}");
            variables.extend(CA_VARIABLES.iter().map(|name| format!("{name}={CA_TARGET}")));
        }
        variables.extend(env.iter().map(|(name, value)| format!("{name}={value}")));

        let mut words: Vec<String> = Vec::new();
        if !variables.is_empty() {
            words.push("/usr/bin/env".into());
            words.append(&mut variables);
        }
        if !self.options.secrets.is_empty() {
            for name in &self.options.secrets {
                let _ = write!(line, " --mount=type=secret,id={name},required=true");
            }
            words.extend(["/bin/sh".into(), "-c".into(), read_secrets(&self.options.secrets), "sh".into()]);
        }
        words.extend(in_exec_form(command));
        let _ = write!(line, " {}", json(&words));
        self.line(line);
    }
}

/// A script that puts every secret into the environment and becomes the command that follows. The names are checked names of
/// variables; the values are never part of the text.
fn read_secrets(names: &[String]) -> String {
    let mut script = String::new();
    for name in names {
        let _ = write!(script, "{name}=\"$(cat /run/secrets/{name})\"; export {name}; ");
    }
    script + "exec \"$@\""
}

/// The words that run a command without a shell of Docker's.
pub(super) fn in_exec_form(command: &Command) -> Vec<String> {
    match command {
        Command::Argv(words) => words.clone(),
        Command::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
    }
}

/// A JSON list, which is what Dockerfiles call exec form.
pub(super) fn json(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}

/// In double quotes, with what would mean something there taken literally. Line ends were refused with the plan; in a label
/// they become spaces.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// With a slash at the end, by which `COPY` knows a directory.
pub(super) fn directory(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}
