//! Which Go the module wants.
//!
//! The `go` line of go.mod is the oldest Go that can build the module, and `toolchain` a newer one that it prefers; any newer
//! Go builds it as well. `.go-version` is a choice.

use slipway_buildpack_sdk::{Refusal, Source, Tool, refuse};

use crate::module::{FILE, Module, Stated};

pub const TOOL: &str = "go";
const DEFAULT: &str = "1";
const CHOICE: &str = ".go-version";

pub fn wanted(source: &Source, module: &Module) -> Result<Tool, Refusal> {
    if let Some(text) = source.read(CHOICE)? {
        let chosen = Stated { text: text.trim().trim_start_matches("go").to_owned(), line: 1 };
        check(&chosen, CHOICE)?;
        if let Some(oldest) = module.go.as_ref().filter(|oldest| is_older(&chosen.text, &oldest.text)) {
            return Err(refuse(
                "GO_VERSION_TOO_OLD",
                format!("`{CHOICE}` chooses Go {}, and the module needs {} or newer.", chosen.text, oldest.text),
            )
            .at(CHOICE)
            .line(1)
            .fix(format!("Write {} into {CHOICE}, or delete it.", oldest.text)));
        }
        return Ok(Tool::stated(TOOL, chosen.text, CHOICE));
    }
    for (stated, key) in [(&module.toolchain, "toolchain"), (&module.go, "go")] {
        if let Some(stated) = stated {
            check(stated, FILE)?;
            return Ok(Tool::stated(TOOL, format!(">={}", stated.text), format!("{FILE}#{key}")));
        }
    }
    Ok(Tool::by_default(TOOL, DEFAULT))
}

/// `1.22`, `1.22.3`, `1.23rc1`.
fn check(Stated { text, line }: &Stated, file: &str) -> Result<(), Refusal> {
    if numbers(text).is_some_and(|numbers| (1..=3).contains(&numbers.len())) {
        return Ok(());
    }
    Err(refuse("GO_VERSION_INVALID", format!("`{text}` in {file} is not a version of Go."))
        .at(file)
        .line(*line)
        .fix("Write one such as `1.24` or `1.24.2`."))
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let release = ["rc", "beta"].iter().find_map(|mark| version.split_once(mark)).map_or(version, |(release, _)| release);
    release.split('.').map(|part| part.parse().ok()).collect()
}

/// Whether every release that `chosen` names is older than `oldest`.
fn is_older(chosen: &str, oldest: &str) -> bool {
    match (numbers(chosen), numbers(oldest)) {
        (Some(chosen), Some(oldest)) => !oldest.starts_with(&chosen) && chosen < oldest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("1.9", "1.22") && is_older("1.22.1", "1.22.3"));
        assert!(!is_older("1.22", "1.22.3"), "the newest of the line may be new enough");
        assert!(!is_older("1.24", "1.22") && !is_older("1.22.3", "1.22"));
        assert!(numbers("1.23rc1").is_some() && numbers("latest").is_none() && numbers("1.").is_none());
    }
}
