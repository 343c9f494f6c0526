//! Both ends of the contract, the guest's bindings and the host's, are generated from the same WIT and have the same
//! field names. What turns them into the document's types and back is therefore written once, here.

/// Implements `From` in both directions between the generated types of the module at `$wire` and this crate's types.
#[macro_export]
macro_rules! convert_bindings {
    ($($wire:ident)::+) => {
        const _: () = {
            use $($wire)::+ as wire;
            use $crate::{convert_record as record, convert_variant as variant};

            record!(Context { app_root: same, build_command: same, start_command: same, dockerfile_path: same, build_target: same });
            record!(Reason { file: same, key: same, why: same });
            record!(Asset { name: same, optional: same });
            record!(Detection {
                app_root: same, score: same, framework: same, package_manager: same,
                reasons: each, provides: same, requires: each,
            });
            record!(Refusal { code: same, message: same, file: same, line: same, fix: same });
            variant!(Detected { No(reasons: each), Yes(detection: into), Refused(refusal: into) });
            record!(Tool { name: same, constraint: same, source: same, is_default: same });
            variant!(Base { Tool(name: same), Step(id: same), Image(reference: same) });
            record!(Input { origin: same, include: same, exclude: same, dest: same });
            variant!(Command { Argv(words: same), Shell(line: same) });
            record!(Run { command: into, cwd: same, env: same, network: same });
            record!(File { path: same, content: same, executable: same });
            record!(Cache { id: same, path: same, shared: same });
            record!(Step {
                id: same, base: into, inputs: each, files: each, run: each,
                caches: same, secrets: same, packages: same,
            });
            record!(Layer { origin: same, path: same, dest: same, include: same, exclude: same });
            record!(Image { base: into, packages: same, layers: each, files: each, env: same, workdir: same, user: same });
            variant!(ProcessKind { Web, Worker, Release, Cron });
            record!(Process { name: same, kind: into, command: into, env: same, is_default: same });
            record!(Port { name: same, env: same, default: same });
            variant!(HealthBasis { Stated, Guessed });
            variant!(Probe { Http(path: same), Tcp, Command(words: same) });
            record!(Health { probe: into, grace_seconds: same, basis: into });
            record!(StaticSite { dir: same, spa_fallback: same });
            variant!(Level { Info, Warning });
            record!(Diagnostic { level: into, code: same, message: same, file: same, line: same });
            record!(Dockerfile { path: same, context: same, target: same, args: same, text: same });
            record!(Fragment {
                tools: each, caches: each, steps: each, image: maybe, dockerfile: maybe, processes: each, ports: each,
                health: maybe, static_site: maybe, diagnostics: each,
            });
        };
    };
}

/// How a field crosses: as it is, by `From`, or element by element.
#[doc(hidden)]
#[macro_export]
macro_rules! convert_field {
    ($value:expr, same) => {
        $value
    };
    ($value:expr, into) => {
        $value.into()
    };
    ($value:expr, each) => {
        $value.into_iter().map(Into::into).collect()
    };
    ($value:expr, maybe) => {
        $value.map(Into::into)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! convert_record {
    ($name:ident { $($field:ident: $how:ident),+ $(,)? }) => {
        impl From<wire::$name> for $crate::$name {
            fn from(value: wire::$name) -> Self {
                Self { $($field: $crate::convert_field!(value.$field, $how)),+ }
            }
        }
        impl From<$crate::$name> for wire::$name {
            fn from(value: $crate::$name) -> Self {
                Self { $($field: $crate::convert_field!(value.$field, $how)),+ }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! convert_variant {
    ($name:ident { $($case:ident $(($inner:ident: $how:ident))?),+ $(,)? }) => {
        impl From<wire::$name> for $crate::$name {
            fn from(value: wire::$name) -> Self {
                match value {
                    $(wire::$name::$case $(($inner))? => Self::$case $(($crate::convert_field!($inner, $how)))?,)+
                }
            }
        }
        impl From<$crate::$name> for wire::$name {
            fn from(value: $crate::$name) -> Self {
                match value {
                    $($crate::$name::$case $(($inner))? => Self::$case $(($crate::convert_field!($inner, $how)))?,)+
                }
            }
        }
    };
}
