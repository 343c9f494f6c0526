//! The buildpack for Go modules: one static program in a small image.
//!
//! [`module`] reads go.mod, [`code`] what is worth knowing of the program's files, [`commands`] which of the module's programs
//! to build and start, [`version`] which Go is wanted, and [`plan`] writes it all down.

mod code;
mod commands;
mod module;
mod plan;
mod version;

use slipway_buildpack_sdk::{
    Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, WHOLE_APPLICATION, detection, export_buildpack, reason, refuse,
    stated_start,
};

use module::Module;

/// A module with a program to start.
const WHOLE: u8 = WHOLE_APPLICATION + 10;
/// A module of which nothing says what to start, such as a library.
const UNCLEAR: u8 = 60;
/// A program without a module, such as a tool beside another language's application.
const PROGRAM: u8 = 40;

#[derive(Debug, Clone, Copy)]
pub struct Go;

impl Buildpack for Go {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        let module = match module::read(source) {
            Ok(Some(module)) => module,
            Ok(None) if source.is_file("main.go") => {
                return detection(context).score(PROGRAM).because("main.go", "a Go program without a module").into();
            }
            Ok(None) if source.is_file("go.work") => {
                return detection(context).score(UNCLEAR).because("go.work", "a Go workspace").into();
            }
            Ok(None) => return Detected::No(["go.mod", "main.go"].map(|file| reason(file, "there is no such file")).to_vec()),
            Err(refusal) => return Detected::Refused(refusal),
        };
        let found = detection(context).framework(framework(&module)).package_manager(Some("go")).because("go.mod", "a Go module");
        match commands::find(source, &module).chosen() {
            Some(command) => found.because(&command.file, "a program of it").score(WHOLE).into(),
            None if stated_start(source, context).is_some() => found.score(WHOLE).into(),
            None => found.score(UNCLEAR).into(),
        }
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        let Some(module) = module::read(source)? else {
            return Err(if source.is_file("go.work") {
                refuse("GO_WORKSPACE_ROOT", "The root is a workspace of several modules, and no module itself.")
                    .at("go.work")
                    .fix("Set the application's root to the module to deploy, if it builds by itself; otherwise add a Dockerfile.")
            } else {
                refuse("GO_NO_MODULE", "There is a Go program, and no go.mod that says what it is built of.")
                    .at("main.go")
                    .fix("Run `go mod init NAME` and `go mod tidy`, and commit go.mod and go.sum.")
            });
        };
        plan::plan(source, context, &module)
    }
}

/// The web framework that the module requires.
fn framework(module: &Module) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("github.com/gin-gonic/gin", "gin"),
        ("github.com/labstack/echo", "echo"),
        ("github.com/gofiber/fiber", "fiber"),
        ("github.com/go-chi/chi", "chi"),
        ("github.com/gorilla/mux", "gorilla"),
        ("github.com/beego/beego", "beego"),
    ];
    let required = |path: &str| {
        module.requires.iter().any(|known| known == path || known.strip_prefix(path).is_some_and(|rest| rest.starts_with("/v")))
    };
    KNOWN.into_iter().find(|(path, _)| required(path)).map(|(_, name)| name)
}

export_buildpack!(Go);
