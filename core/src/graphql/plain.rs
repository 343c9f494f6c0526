//! Documents that nothing has to be asked about while they are executed: what `@auth` says of each field is known before.
//!
//! The executor asks its extensions around every field there is as soon as it has any, which takes longer than most fields do. So
//! there are two schemas: one that asks, and one that does not, for documents that would only ever be told to go on.

use std::sync::{Arc, OnceLock};

use async_graphql::{
    SchemaEnv,
    parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet},
    registry::{MetaType, MetaTypeName, Registry},
};
use slipway_model::Viewer;

use super::access;

/// The types and fields there are, once the executor has shown them.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<OnceLock<SchemaEnv>>);

impl Known {
    pub(super) fn learn(&self, env: &SchemaEnv) {
        self.0.get_or_init(|| env.clone());
    }

    pub(super) fn registry(&self) -> Option<&Registry> {
        self.0.get().map(|env| &env.registry)
    }
}

struct Look<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    viewer: Option<&'a Viewer>,
}

/// Whether this caller may use every field of the one operation, whatever objects it comes to. Not so for what is written down (a
/// mutation), for tokens that are asked about the types they meet, and for what is mistaken: the schema that asks says why.
pub(super) fn is_plain(registry: &Registry, document: &ExecutableDocument, viewer: Option<&Viewer>) -> bool {
    let Some((_, operation)) = document.operations.iter().next() else { return false };
    if viewer.and_then(Viewer::grant).is_some_and(|grant| grant.permissions.is_some()) {
        return false;
    }
    let set = &operation.node.selection_set.node;
    let look = Look { registry, document, viewer };
    match operation.node.ty {
        OperationType::Query => look.set(&registry.query_type, set),
        OperationType::Subscription => {
            set.items.iter().all(|selection| matches!(selection.node, Selection::Field(_)))
                && registry.subscription_type.as_deref().is_some_and(|root| look.set(root, set))
        }
        OperationType::Mutation => false,
    }
}

impl Look<'_> {
    fn set(&self, parent: &str, set: &SelectionSet) -> bool {
        set.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => self.field(parent, &field.node.name.node, &field.node.selection_set.node),
            Selection::FragmentSpread(spread) => self
                .document
                .fragments
                .get(&spread.node.fragment_name.node)
                .is_some_and(|fragment| self.set(fragment.node.type_condition.node.on.node.as_str(), &fragment.node.selection_set.node)),
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref().map_or(parent, |condition| condition.node.on.node.as_str());
                self.set(on, &inline.node.selection_set.node)
            }
        })
    }

    fn field(&self, parent: &str, name: &str, below: &SelectionSet) -> bool {
        if name.starts_with("__") {
            return true;
        }
        let Some(kind) = self.registry.types.get(parent) else { return false };
        // What is asked of an interface is asked of what stands behind it.
        if let MetaType::Interface { possible_types, .. } = kind
            && !possible_types.iter().all(|possible| access::check(self.registry, self.viewer, possible, name).is_ok())
        {
            return false;
        }
        let Some(declared) = kind.field_by_name(name) else { return false };
        access::check(self.registry, self.viewer, parent, name).is_ok() && self.set(MetaTypeName::concrete_typename(&declared.ty), below)
    }
}
