//! Short ways to write the parts of a plan: each begins with what has no sensible default, and takes the rest by name.

use crate::{
    Base, Cache, Command, Diagnostic, File, Health, HealthBasis, Image, Input, Layer, Port, Probe, Process, ProcessKind, Run, Step, Tool,
};

fn owned<I: Into<String>>(items: impl IntoIterator<Item = I>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

impl Tool {
    /// A tool of the version that a file asks for: `origin` is the file, or `file#key`.
    #[must_use]
    pub fn stated(name: &str, constraint: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { name: name.to_owned(), constraint: constraint.into(), source: origin.into(), is_default: false }
    }

    /// A tool of which the application says nothing.
    #[must_use]
    pub fn by_default(name: &str, constraint: impl Into<String>) -> Self {
        Self { name: name.to_owned(), constraint: constraint.into(), source: String::new(), is_default: true }
    }
}

impl Base {
    /// The image that the tool resolves to.
    #[must_use]
    pub fn tool(name: &str) -> Self {
        Self::Tool(name.to_owned())
    }

    /// The result of an earlier step.
    #[must_use]
    pub fn step(id: &str) -> Self {
        Self::Step(id.to_owned())
    }

    /// An image by reference, with a tag that does not float.
    #[must_use]
    pub fn image(reference: impl Into<String>) -> Self {
        Self::Image(reference.into())
    }
}

impl Cache {
    /// A download cache that several builds may use at once. Never for what the build itself is made of, such as
    /// `node_modules`: a cache may be empty at any time.
    #[must_use]
    pub fn shared(id: &str, path: &str) -> Self {
        Self { id: id.to_owned(), path: path.to_owned(), shared: true }
    }

    /// A cache that one build at a time may use.
    #[must_use]
    pub fn locked(id: &str, path: &str) -> Self {
        Self { shared: false, ..Self::shared(id, path) }
    }
}

impl File {
    /// A file to be written, not executable.
    #[must_use]
    pub fn new(path: &str, content: impl Into<String>) -> Self {
        Self { path: path.to_owned(), content: content.into(), executable: false }
    }

    /// May be run as a program.
    #[must_use]
    pub fn executable(mut self) -> Self {
        self.executable = true;
        self
    }
}

impl Input {
    /// Files of the source: paths or globs below the application's root; none: all.
    #[must_use]
    pub fn of_source<I: Into<String>>(include: impl IntoIterator<Item = I>, dest: &str) -> Self {
        Self { origin: "source".into(), include: owned(include), exclude: Vec::new(), dest: dest.to_owned() }
    }

    /// What an earlier step made, by absolute paths in its filesystem.
    #[must_use]
    pub fn of_step<I: Into<String>>(step: &str, paths: impl IntoIterator<Item = I>, dest: &str) -> Self {
        Self { origin: step.to_owned(), include: owned(paths), exclude: Vec::new(), dest: dest.to_owned() }
    }

    /// All of the source but these globs.
    #[must_use]
    pub fn without<I: Into<String>>(mut self, exclude: impl IntoIterator<Item = I>) -> Self {
        self.exclude = owned(exclude);
        self
    }
}

impl Run {
    /// A command in a directory, with the network.
    #[must_use]
    pub fn new(command: Command, cwd: &str) -> Self {
        Self { command, cwd: cwd.to_owned(), env: Vec::new(), network: true }
    }

    /// With one more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Needs no network.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.network = false;
        self
    }
}

impl Step {
    /// A step that sees nothing and does nothing yet.
    #[must_use]
    pub fn new(id: &str, base: Base) -> Self {
        Self {
            id: id.to_owned(),
            base,
            inputs: Vec::new(),
            files: Vec::new(),
            run: Vec::new(),
            caches: Vec::new(),
            secrets: Vec::new(),
            packages: Vec::new(),
        }
    }

    /// Sees one more input. What a step does not see cannot make it run again.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Has a file that the buildpack wrote.
    #[must_use]
    pub fn file(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// Runs one more command.
    #[must_use]
    pub fn run(mut self, run: Run) -> Self {
        self.run.push(run);
        self
    }

    /// Mounts a cache that the fragment declares.
    #[must_use]
    pub fn cache(mut self, id: &str) -> Self {
        self.caches.push(id.to_owned());
        self
    }

    /// Installs Debian packages first.
    #[must_use]
    pub fn packages<I: Into<String>>(mut self, packages: impl IntoIterator<Item = I>) -> Self {
        self.packages.extend(owned(packages));
        self
    }
}

impl Layer {
    /// The source, all of it.
    #[must_use]
    pub fn of_source(dest: &str) -> Self {
        Self { origin: "source".into(), path: ".".into(), dest: dest.to_owned(), include: Vec::new(), exclude: Vec::new() }
    }

    /// What a step made: a file or a directory by its absolute path there.
    #[must_use]
    pub fn of_step(step: &str, path: &str, dest: &str) -> Self {
        Self { origin: step.to_owned(), path: path.to_owned(), ..Self::of_source(dest) }
    }

    /// Only these globs, of the source.
    #[must_use]
    pub fn only<I: Into<String>>(mut self, include: impl IntoIterator<Item = I>) -> Self {
        self.include = owned(include);
        self
    }

    /// Without these globs, of the source.
    #[must_use]
    pub fn without<I: Into<String>>(mut self, exclude: impl IntoIterator<Item = I>) -> Self {
        self.exclude = owned(exclude);
        self
    }
}

impl Image {
    /// An image without layers yet, that runs as user and group 1000.
    #[must_use]
    pub fn new(base: Base, workdir: &str) -> Self {
        Self {
            base,
            packages: Vec::new(),
            layers: Vec::new(),
            files: Vec::new(),
            env: Vec::new(),
            workdir: workdir.to_owned(),
            user: "1000:1000".into(),
        }
    }

    /// With one more layer; begin with what changes least.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// With one more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// With a file that the buildpack wrote.
    #[must_use]
    pub fn file(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// With Debian packages.
    #[must_use]
    pub fn packages<I: Into<String>>(mut self, packages: impl IntoIterator<Item = I>) -> Self {
        self.packages.extend(owned(packages));
        self
    }
}

impl Process {
    /// What answers visitors, and what the image runs when nothing else is said.
    #[must_use]
    pub fn web(command: Command) -> Self {
        Self { is_default: true, ..Self::new("web", ProcessKind::Web, command) }
    }

    /// One more process, which is not the default.
    #[must_use]
    pub fn new(name: &str, kind: ProcessKind, command: Command) -> Self {
        Self { name: name.to_owned(), kind, command, env: Vec::new(), is_default: false }
    }

    /// With one more environment variable, for this process alone.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

impl Port {
    /// The port of the web process, told to it in `PORT`.
    #[must_use]
    pub fn http(default: u16) -> Self {
        Self { name: "http".into(), env: "PORT".into(), default }
    }
}

impl Health {
    /// Ready when the port answers: what can be said of any web process.
    #[must_use]
    pub fn port_answers(grace_seconds: u32) -> Self {
        Self { probe: Probe::Tcp, grace_seconds, basis: HealthBasis::Guessed }
    }

    /// Ready when the path answers 2xx or 3xx, because the application says so.
    #[must_use]
    pub fn path_answers(path: &str, grace_seconds: u32) -> Self {
        Self { probe: Probe::Http(path.to_owned()), grace_seconds, basis: HealthBasis::Stated }
    }
}

impl Diagnostic {
    /// On that line of its file, from 1.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }
}
