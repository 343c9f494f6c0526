//! go.mod, as far as it matters here: the module's path, the wanted Go, what is required from elsewhere.

use slipway_buildpack_sdk::{Refusal, Source, refuse};

pub const FILE: &str = "go.mod";
/// Directives that may be written once for several lines.
const BLOCKS: [&str; 7] = ["require", "replace", "exclude", "retract", "godebug", "tool", "ignore"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    pub path: String,
    /// `go 1.22`: the oldest Go that can build it.
    pub go: Option<Stated>,
    /// `toolchain go1.22.3`, without the `go`.
    pub toolchain: Option<Stated>,
    /// Paths of the modules that come from elsewhere.
    pub requires: Vec<String>,
    /// Directories that take the place of required modules.
    pub replaced_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    pub text: String,
    pub line: u32,
}

/// `None`: there is no go.mod.
pub fn read(source: &Source) -> Result<Option<Module>, Refusal> {
    source.read(FILE)?.map(|text| parse(&text)).transpose()
}

fn parse(text: &str) -> Result<Module, Refusal> {
    let mut module = Module::default();
    let mut replaced: Vec<(String, String)> = Vec::new();
    let mut block: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index as u32 + 1;
        let words: Vec<&str> = line.split("//").next().unwrap_or_default().split_whitespace().map(unquoted).collect();
        let (directive, arguments) = match (&block, &words[..]) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (None, [directive, "("]) if BLOCKS.contains(directive) => {
                block = Some((*directive).to_owned());
                continue;
            }
            (Some(directive), arguments) => (directive.as_str(), arguments),
            (None, [directive, arguments @ ..]) => (*directive, arguments),
        };
        match (directive, arguments) {
            ("module", [path]) => module.path = (*path).to_owned(),
            ("go", [version]) => module.go = Some(Stated { text: (*version).to_owned(), line: number }),
            // `default` leaves the choice to the `go` line.
            ("toolchain", ["default"]) => {}
            ("toolchain", [name]) => {
                module.toolchain = Some(Stated { text: name.strip_prefix("go").unwrap_or(name).to_owned(), line: number });
            }
            ("require", [path, _version]) => module.requires.push((*path).to_owned()),
            ("replace", [path, "=>", directory]) | ("replace", [path, _, "=>", directory]) if is_directory(directory) => {
                replaced.push(((*path).to_owned(), (*directory).to_owned()));
            }
            ("replace" | "exclude" | "retract" | "godebug" | "tool" | "ignore", [_, ..]) => {}
            _ => return Err(invalid(number, &format!("`{}` is not a directive that Go knows", line.trim()))),
        }
    }
    if block.is_some() {
        return Err(invalid(text.lines().count() as u32, "a block is not closed"));
    }
    if module.path.is_empty() {
        return Err(invalid(1, "it names no module"));
    }
    module.requires.retain(|path| replaced.iter().all(|(replaced, _)| replaced != path));
    module.replaced_by = replaced.into_iter().map(|(_, directory)| directory).collect();
    Ok(module)
}

fn is_directory(path: &str) -> bool {
    path.starts_with("./") || path.starts_with("../") || path == "." || path == ".."
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}

fn invalid(line: u32, problem: &str) -> Refusal {
    refuse("GO_MOD_INVALID", format!("`{FILE}` is not valid: {problem}."))
        .at(FILE)
        .line(line.max(1))
        .fix("Correct it; `go mod edit -fmt` reads it as Go does.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_read() {
        let module = parse(
            "// ours\nmodule example.org/shop // the shop\n\ngo 1.23.0\ntoolchain go1.24.2\n\nrequire (\n\tgithub.com/gin-gonic/gin v1.10.0\n\texample.org/money v0.0.0 // indirect\n)\n\nrequire golang.org/x/net v0.30.0\nreplace example.org/money => ./money\nretract [v1.0.0, v1.1.0]\n",
        )
        .unwrap();
        assert_eq!((module.path.as_str(), module.go.unwrap().text.as_str()), ("example.org/shop", "1.23.0"));
        assert_eq!(module.toolchain.unwrap(), Stated { text: "1.24.2".into(), line: 5 });
        assert_eq!(module.requires, ["github.com/gin-gonic/gin", "golang.org/x/net"]);
        assert_eq!(module.replaced_by, ["./money"]);
    }

    #[test]
    fn what_is_broken_is_refused_with_its_line() {
        for (text, line) in
            [("module a\n\nrequired (\n", 4), ("module a\nrequire (\n a v1\n", 3), ("", 1), ("module a\ngo\n", 2), ("\u{fffd}\u{fffd}", 1)]
        {
            let refusal = parse(text).unwrap_err();
            assert_eq!((refusal.code.as_str(), refusal.file.as_deref()), ("GO_MOD_INVALID", Some("go.mod")), "{text}");
            assert!(refusal.line.is_some_and(|found| found <= line), "{text}: {refusal:?}");
        }
    }
}
