//! The complexity of a document, from the `@cost` of its fields.
//!
//! The guard has bounded what a document comes to once its fragments are spread, and refused those that go in a circle.

use std::convert::Infallible;

use async_graphql::{
    Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet},
    registry::{MetaField, MetaTypeName, Registry},
};
use slipway_store::Page;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub complexity: u64,
    /// The names of `rateLimit(dryRun: true)` in the answer, if it is asked for.
    pub dry_run: Option<Vec<String>>,
}

struct Count<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    dry_run: Option<Vec<String>>,
}

/// Of the one operation. What is not in the schema counts as one: the validator refuses it later.
pub(super) fn of(registry: &Registry, document: &ExecutableDocument, variables: &Variables) -> Sum {
    let Some((_, operation)) = document.operations.iter().next() else { return Sum::default() };
    let root = match operation.node.ty {
        OperationType::Query => Some(registry.query_type.as_str()),
        OperationType::Mutation => registry.mutation_type.as_deref(),
        OperationType::Subscription => registry.subscription_type.as_deref(),
    };
    let mut count = Count { registry, document, operation: &operation.node, variables, dry_run: None };
    let complexity = count.set(root.unwrap_or_default(), &operation.node.selection_set.node);
    Sum { complexity, dry_run: count.dry_run }
}

impl<'a> Count<'a> {
    fn set(&mut self, parent: &str, set: &'a SelectionSet) -> u64 {
        let mut sum = 0_u64;
        for selection in &set.items {
            sum = sum.saturating_add(match &selection.node {
                Selection::Field(field) => self.field(parent, &field.node),
                Selection::FragmentSpread(spread) => match self.document.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => self.set(fragment.node.type_condition.node.on.node.as_str(), &fragment.node.selection_set.node),
                    None => 0,
                },
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map_or(parent, |condition| condition.node.on.node.as_str());
                    self.set(on, &inline.node.selection_set.node)
                }
            });
        }
        sum
    }

    fn field(&mut self, parent: &str, field: &'a Field) -> u64 {
        let Some(declared) = self.registry.types.get(parent).and_then(|kind| kind.field_by_name(&field.name.node)) else {
            return self.set("", &field.selection_set.node).saturating_add(1);
        };
        if parent == self.registry.query_type && field.name.node == "rateLimit" && self.given(field, "dryRun") == Some(Value::Boolean(true))
        {
            self.dry_run.get_or_insert_default().push(field.response_key().node.to_string());
        }
        let below = self.set(MetaTypeName::concrete_typename(&declared.ty), &field.selection_set.node);
        let (weight, multiplier) = cost(declared);
        let times =
            if multiplier.is_empty() { 1 } else { multiplier.iter().find_map(|name| self.size(field, name)).unwrap_or(Page::USUAL.into()) };
        below.saturating_mul(times).saturating_add(weight)
    }

    /// How long a list an argument asks for, if it is given.
    fn size(&self, field: &Field, argument: &str) -> Option<u64> {
        let size = match self.given(field, argument)? {
            Value::Number(number) => number.as_u64().unwrap_or(0),
            Value::List(list) => list.len() as u64,
            _ => return None,
        };
        // What is out of bounds is refused by its resolver.
        Some(size.clamp(1, Page::MOST.into()))
    }

    /// The value of an argument, with the values of variables in their places.
    fn given(&self, field: &Field, argument: &str) -> Option<Value> {
        let value = field.get_argument(argument)?.node.clone();
        let filled: Result<_, Infallible> = value.into_const_with(|name| Ok(self.variable(&name).unwrap_or_default()));
        filled.ok()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.variables.iter().find(|(given, _)| given.as_str() == name) {
            return Some(value.clone());
        }
        let definition = self.operation.variable_definitions.iter().find(|definition| definition.node.name.node == name)?;
        definition.node.default_value().cloned()
    }
}

/// What its `@cost` says.
fn cost(field: &MetaField) -> (u64, Vec<&str>) {
    let Some(directive) = field.directive_invocations.iter().find(|directive| directive.name == "cost") else { return (1, Vec::new()) };
    let weight = match directive.args.get("weight") {
        Some(Value::Number(weight)) => weight.as_u64().unwrap_or(1),
        _ => 1,
    };
    let names = match directive.args.get("multiplier") {
        Some(Value::List(names)) => names.as_slice(),
        _ => &[],
    };
    let names = names.iter().filter_map(|name| match name {
        Value::String(name) => Some(name.as_str()),
        _ => None,
    });
    (weight, names.collect())
}
