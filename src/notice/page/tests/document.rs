//! The page, read by an independent parser.

use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use similar_asserts::assert_eq;

/// A document as a browser would have it.
pub(super) struct Document(RcDom);

impl Document {
    /// As it is with scripts. What breaks the grammar fails the test.
    pub(super) fn of(text: &str) -> Self {
        Self::parse(text, true)
    }

    pub(super) fn parse(text: &str, scripting_enabled: bool) -> Self {
        let tree_builder = TreeBuilderOpts {
            scripting_enabled,
            ..TreeBuilderOpts::default()
        };
        let options = ParseOpts {
            tree_builder,
            ..ParseOpts::default()
        };
        let dom = parse_document(RcDom::default(), options).one(text);
        assert_eq!(dom.errors.take(), [""; 0], "{text}");
        Self(dom)
    }

    /// In the order of the document.
    pub(super) fn elements(&self) -> Vec<Handle> {
        let mut elements = Vec::new();
        collect(&self.0.document, &mut elements);
        elements
    }

    /// The only element with this name.
    pub(super) fn only(&self, name: &str) -> Handle {
        let mut elements = self.elements();
        elements.retain(|element| name_of(element) == name);
        assert_eq!(elements.len(), 1, "of {name}");
        elements.remove(0)
    }

    /// The first element whose attribute has this value.
    pub(super) fn with(&self, name: &str, value: &str) -> Handle {
        let has = |element: &Handle| attribute(element, name).as_deref() == Some(value);
        self.elements().into_iter().find(has).unwrap()
    }
}

fn collect(node: &Handle, elements: &mut Vec<Handle>) {
    for child in node.children.borrow().iter() {
        if matches!(child.data, NodeData::Element { .. }) {
            elements.push(child.clone());
        }
        collect(child, elements);
    }
}

fn name_of(element: &Handle) -> &str {
    match &element.data {
        NodeData::Element { name, .. } => &name.local,
        _ => "",
    }
}

pub(super) fn attributes(element: &Handle) -> Vec<(String, String)> {
    match &element.data {
        NodeData::Element { attrs, .. } => attrs
            .borrow()
            .iter()
            .map(|attribute| {
                (
                    attribute.name.local.to_string(),
                    attribute.value.to_string(),
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn attribute(element: &Handle, name: &str) -> Option<String> {
    let mut attributes = attributes(element).into_iter();
    attributes.find_map(|(key, value)| (key == name).then_some(value))
}

pub(super) fn text_of(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text_of).collect(),
    }
}
