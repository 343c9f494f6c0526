//! Refuses a document that would cost more to look at than to answer, before anything recursive has seen it.
//!
//! The executor's own limits are compared after recursion: a literal nested a few thousand deep overflows the stack and takes the
//! process along, and a kilobyte of fragments that spread each other burns seconds. So, in this order: a scan of the bytes that
//! does not recurse ([`scan`]), one parse, an expansion of the fragments that visits each once ([`expand`]), and then the
//! execution of that same parsed document.

mod expand;
mod scan;

use async_graphql::parser::{
    parse_query,
    types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
};

/// Bytes of a document.
pub const MAX_BYTES: usize = 32 * 1024;
/// Names, numbers, strings and punctuators of a document.
pub const MAX_TOKENS: usize = 2_000;
/// Brackets open at once, and fragments that spread fragments.
pub const MAX_NESTING: usize = 32;
/// Selections after all fragments are spread.
pub const MAX_SELECTIONS: u64 = 10_000;
/// Fields below one another.
pub const MAX_DEPTH: u64 = 12;
/// Below `__schema` and `__type`, where the usual introspection query goes deeper than people's queries do.
pub const MAX_INTROSPECTION_DEPTH: u64 = 20;
/// Below `__schema` and `__type`: lists whose elements have such lists again. The usual introspection query has one.
pub const MAX_INTROSPECTION_LISTS: u64 = 2;
pub const MAX_ALIASES: u64 = 30;
pub const MAX_ROOT_FIELDS: u64 = 20;
pub const MAX_DIRECTIVES: u64 = 20;

/// Why a document was refused: a sentence for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    fn over(what: &str, limit: impl std::fmt::Display) -> Self {
        Self(format!("The document has more than {limit} {what}."))
    }
}

/// What a document wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Mutation,
    Subscription,
}

/// A document that may be executed.
#[derive(Debug)]
pub struct Checked {
    pub document: ExecutableDocument,
    pub kind: Kind,
}

/// Reads a document of exactly one operation.
///
/// # Errors
/// The first limit that it exceeds, or what the parser did not understand.
pub fn check(query: &str) -> Result<Checked, Refusal> {
    scan::check(query.as_bytes())?;
    let document = parse_query(query).map_err(|error| Refusal::new(error.to_string()))?;
    let kind = match only_operation(&document)?.ty {
        OperationType::Query => Kind::Query,
        OperationType::Mutation => Kind::Mutation,
        OperationType::Subscription => Kind::Subscription,
    };
    expand::check(&document)?;
    Ok(Checked { document, kind })
}

/// The one operation of a document.
fn only_operation(document: &ExecutableDocument) -> Result<&OperationDefinition, Refusal> {
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) if operations.len() == 1 => operations.values().next(),
        DocumentOperations::Multiple(_) => None,
    };
    operation.map(|operation| &operation.node).ok_or_else(|| Refusal::new("Send one operation per document."))
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, time::Instant};

    use proptest::prelude::*;

    use super::*;

    fn refused(query: &str) -> String {
        let started = Instant::now();
        let refusal = check(query).expect_err("this must be refused");
        let took = started.elapsed();
        assert!(took.as_millis() < 250, "refused only after {took:?}");
        refusal.0
    }

    #[test]
    fn an_ordinary_document_passes() {
        let checked = check("query A($id: ID!) { node(id: $id) { id ...on Plan { name } } }").unwrap();
        assert_eq!(checked.kind, Kind::Query);
        assert_eq!(check("mutation { a(input: {b: [1, 2]}) { c } }").unwrap().kind, Kind::Mutation);
        assert_eq!(check("subscription { a { b } }").unwrap().kind, Kind::Subscription);
    }

    #[test]
    fn nesting_of_any_bracket_is_refused_before_the_parser_recurses() {
        for (open, close) in [("{a", "}"), ("{a(b:[", "])}"), ("[", "]"), ("(", ")")] {
            for depth in [33, 1_000, 10_000] {
                let query = format!("{}{}", open.repeat(depth), close.repeat(depth));
                let reason = refused(&query);
                assert!(reason.contains("more than"), "{open} {depth}: {reason}");
            }
        }
        let typed = format!("query($v: {}Int{}) {{ a }}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(refused(&typed).contains("nested"));
    }

    #[test]
    fn a_string_hides_no_brackets_and_brackets_in_strings_do_not_count() {
        let many = "{".repeat(100);
        check(&format!("{{ a(b: \"{many}\") }}")).unwrap();
        check(&format!("{{ a(b: \"\"\"{many}\"\"\") }}")).unwrap();
        check(&format!("{{ a # {many}\n }}")).unwrap();
        check(&format!(r#"{{ a(b: "\"{many}") }}"#)).unwrap();
        check(&format!(r#"{{ a(b: """\"""{many}""") }}"#)).unwrap();
        assert!(refused(&format!("{{ a(b: \"\") {many}")).contains("nested"));
        assert!(refused(&format!("{{ a(b: \"\"\"\"\"\") {many}")).contains("nested"));
        assert!(refused(&format!("{{ a(b: \"\"\" {many}")).contains("not closed"));
        assert!(refused(&format!("{{ a(b: \" \n {many}")).contains("not closed"));
    }

    #[test]
    fn fragments_that_multiply_are_refused() {
        let mut bomb = String::from("{ ...f0 }\n");
        for i in 0..20 {
            writeln!(bomb, "fragment f{i} on Query {{ ...f{0} ...f{0} }}", i + 1).unwrap();
        }
        bomb.push_str("fragment f20 on Query { __typename }");
        assert!(refused(&bomb).contains("selections"));

        let mut chain = String::from("{ ...f0 }\n");
        for i in 0..200 {
            writeln!(chain, "fragment f{i} on Query {{ ...f{} }}", i + 1).unwrap();
        }
        chain.push_str("fragment f200 on Query { __typename }");
        assert!(refused(&chain).contains("one another"));
    }

    #[test]
    fn fragments_in_a_circle_are_refused_even_when_nothing_uses_them() {
        assert!(refused("{ ...a } fragment a on Query { ...a }").contains("itself"));
        assert!(refused("{ b } fragment a on Query { c { ...d } } fragment d on Query { ...a }").contains("itself"));
        assert!(refused("{ ...missing }").contains("missing"));
    }

    #[test]
    fn floods_are_refused() {
        let flood = |unit: &str, n: usize| format!("{{ {} }}", (0..n).map(|i| unit.replace('#', &i.to_string())).collect::<String>());
        assert!(refused(&flood("a#: b ", 31)).contains("aliases"));
        assert!(refused(&flood("a# ", 21)).contains("fields at its root"));
        assert!(refused(&flood("a @skip(if: false) @include(if: true) ", 11)).contains("directives"));
        assert!(refused(&flood("a ", 2_001)).contains("tokens"));
        assert!(refused(&" ".repeat(MAX_BYTES + 1)).contains("bytes"));
        assert!(refused(&format!("{}{}", "{a".repeat(13), "}".repeat(13))).contains("below one another"));
        assert!(refused("{ a @b @b }").contains("twice"));
        assert!(refused("query A { a } query B { b }").contains("one operation"));
        assert!(refused("").contains("expected"));
    }

    #[test]
    fn the_usual_introspection_query_is_not_too_deep() {
        let of_type = "ofType { name ".repeat(9);
        check(&format!("{{ __schema {{ types {{ fields {{ args {{ type {{ {of_type} {} }} }} }} }} }} }}", "}".repeat(9))).unwrap();
        let circle =
            |times: usize| format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(times), "} }".repeat(times));
        check(&circle(2)).unwrap();
        assert!(refused(&circle(3)).contains("__schema"));
    }

    /// What documents are made of, and what they are made of when somebody means harm.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "...",
            "...f",
            "... on Q",
            ":",
            "!",
            "$v",
            "@d",
            "@skip(if: true)",
            "=",
            "|",
            "&",
            "a",
            "b: a",
            "on",
            "query",
            "mutation",
            "subscription",
            "fragment f on Q",
            "fragment g on Q",
            "...g",
            "__schema",
            "fields",
            "null",
            "true",
            "1",
            "-1.5e9",
            "\"",
            "\"x\"",
            "\"\"\"",
            "\\",
            "\\\"",
            "#",
            "\n",
            ",",
            "\u{feff}",
            "é",
            "\u{0}",
            "query Q($v: [Int!]! = [1])",
            "{ a }",
        ]);
        prop::collection::vec(piece, 0..300).prop_map(|pieces| pieces.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_sent_is_answered_at_once_and_on_a_small_stack(document in pieces()) {
            let checking = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
                let started = Instant::now();
                let passed = check(&document).is_ok();
                (started.elapsed(), passed)
            });
            let (took, _) = checking.unwrap().join().unwrap();
            prop_assert!(took.as_millis() < 250, "{took:?}");
        }

        #[test]
        fn what_is_nested_deeper_than_allowed_never_gets_to_the_parser(
            open in prop::collection::vec(prop::sample::select(vec!["{a", "{a(b:[", "{a(b:{c:", "{...on Q"]), 33..400),
            hidden in prop::sample::select(vec!["", "\"}}}}\" ", "#}}}}\n", "\"\"\"}}}\"\"\" "]),
        ) {
            let document = open.join(hidden);
            prop_assert!(scan::check(document.as_bytes()).is_err());
        }
    }
}
