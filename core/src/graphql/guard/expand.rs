//! What a document comes to once its fragments are spread. Each fragment is visited once and its sum remembered.

use std::collections::HashMap;

use async_graphql::{
    Positioned,
    parser::types::{Directive, ExecutableDocument, Selection, SelectionSet},
};

use super::{
    MAX_ALIASES, MAX_DEPTH, MAX_DIRECTIVES, MAX_INTROSPECTION_DEPTH, MAX_INTROSPECTION_LISTS, MAX_NESTING, MAX_ROOT_FIELDS, MAX_SELECTIONS,
    Refusal, only_operation,
};

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    selections: u64,
    depth: u64,
    aliases: u64,
    directives: u64,
    /// Fields of this level, fragments included.
    fields: u64,
    /// Fragments that spread one another.
    spread: u64,
    /// Lists of the schema's members below one another, as introspection has them.
    lists: u64,
}

impl Sum {
    /// Beside one another. Saturating: a sum that overflows is over every limit anyway.
    fn beside(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            fields: self.fields.saturating_add(other.fields),
            spread: self.spread.max(other.spread),
            lists: self.lists.max(other.lists),
        }
    }
}

enum Fragment {
    Open,
    Done(Sum),
}

struct Expansion<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a str, Fragment>,
}

pub(super) fn check(document: &ExecutableDocument) -> Result<(), Refusal> {
    let mut expansion = Expansion { document, fragments: HashMap::new() };
    // Fragments that nothing uses are looked at as well: the validator will.
    for name in document.fragments.keys() {
        expansion.fragment(name.as_str())?;
    }
    let operation = only_operation(document)?;
    let mut sum = expansion.set(&operation.selection_set.node)?;
    let variables: usize = operation.variable_definitions.iter().map(|variable| variable.node.directives.len()).sum();
    sum.directives = sum.directives.saturating_add(once_each(&operation.directives)? + variables as u64);
    let limits = [
        (sum.selections, MAX_SELECTIONS, "selections once its fragments are spread"),
        (sum.depth, MAX_DEPTH, "fields below one another"),
        (sum.aliases, MAX_ALIASES, "aliases"),
        (sum.fields, MAX_ROOT_FIELDS, "fields at its root"),
        (sum.directives, MAX_DIRECTIVES, "directives"),
    ];
    match limits.into_iter().find(|(value, limit, _)| value > limit) {
        Some((_, limit, what)) => Err(Refusal::over(what, limit)),
        None => Ok(()),
    }
}

impl<'a> Expansion<'a> {
    /// Recurses as deep as brackets nest, and once into each fragment: both are bounded by the document's tokens.
    fn set(&mut self, set: &'a SelectionSet) -> Result<Sum, Refusal> {
        let mut total = Sum::default();
        for selection in &set.items {
            let mut sum = match &selection.node {
                Selection::Field(field) => {
                    let below = self.set(&field.node.selection_set.node)?;
                    let name = field.node.name.node.as_str();
                    let introspects = matches!(name, "__schema" | "__type");
                    if introspects && below.lists > MAX_INTROSPECTION_LISTS {
                        return Err(Refusal::over(
                            "lists of fields, interfaces or types below one another in `__schema`",
                            MAX_INTROSPECTION_LISTS,
                        ));
                    }
                    let spared = if introspects { MAX_INTROSPECTION_DEPTH - MAX_DEPTH } else { 0 };
                    let is_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                    Sum {
                        selections: below.selections.saturating_add(1),
                        depth: below.depth.saturating_sub(spared) + 1,
                        aliases: below.aliases.saturating_add(u64::from(field.node.alias.is_some())),
                        directives: below.directives,
                        fields: 1,
                        spread: below.spread,
                        lists: below.lists + u64::from(is_list),
                    }
                }
                Selection::FragmentSpread(spread) => self.fragment(spread.node.fragment_name.node.as_str())?,
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node)?,
            };
            sum.directives = sum.directives.saturating_add(once_each(selection.node.directives())?);
            total = total.beside(sum);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &str) -> Result<Sum, Refusal> {
        match self.fragments.get(name) {
            Some(Fragment::Done(sum)) => return Ok(*sum),
            Some(Fragment::Open) => return Err(Refusal::new(format!("The fragment `{name}` spreads itself."))),
            None => {}
        }
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Err(Refusal::new(format!("The fragment `{name}` is spread but missing.")));
        };
        self.fragments.insert(name.as_str(), Fragment::Open);
        let mut sum = self.set(&fragment.node.selection_set.node)?;
        sum.spread += 1;
        if sum.spread > MAX_NESTING as u64 {
            return Err(Refusal::over("fragments that spread one another", MAX_NESTING));
        }
        sum.directives = sum.directives.saturating_add(once_each(&fragment.node.directives)?);
        // A sum is kept small enough that the next one cannot wrap, and a bomb is refused where it goes off.
        if sum.selections > MAX_SELECTIONS {
            return Err(Refusal::over("selections once its fragments are spread", MAX_SELECTIONS));
        }
        self.fragments.insert(name.as_str(), Fragment::Done(sum));
        Ok(sum)
    }
}

/// Counts the directives of one place, where each may stand once. The validator would tell of every one that is too many.
fn once_each(directives: &[Positioned<Directive>]) -> Result<u64, Refusal> {
    for (at, directive) in directives.iter().enumerate() {
        let name = &directive.node.name.node;
        if directives[..at].iter().any(|earlier| earlier.node.name.node == *name) {
            return Err(Refusal::new(format!("The directive `@{name}` stands twice at one place.")));
        }
    }
    Ok(directives.len() as u64)
}
