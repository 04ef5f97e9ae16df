//! Parameters as a tree: what dotted names and JSON have in common, so that one deserializer reads
//! both. Every scalar is text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ring::digest;
use serde_json::{Map, Value};

/// A name is split at its first dots only; no request nests deeper than four.
const PARTS_MAX: usize = 10;

/// One value. A flat name can be both text and parent (`X=1&X.Y=2`); each reader takes its part.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) children: Children<'a>,
}

/// What a value holds besides text.
#[derive(Default)]
pub(super) enum Children<'a> {
    /// Nothing.
    #[default]
    None,
    /// Named values: the fields of an object, or the elements of a flat list by index.
    Fields(BTreeMap<Cow<'a, str>, Node<'a>>),
    /// The elements of a JSON array.
    Items(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), children: Children::None }
    }

    /// The fields of a JSON object; a null is as good as absent.
    pub(super) fn object(fields: &'a Map<String, Value>) -> Self {
        let fields = fields.iter().filter(|(_, value)| !value.is_null());
        let fields =
            fields.map(|(name, value)| (Cow::Borrowed(name.as_str()), Self::json(value))).collect();
        Self { text: None, children: Children::Fields(fields) }
    }

    /// A JSON value.
    pub(super) fn json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::default(),
            Value::Bool(value) => Self::text(if *value { "true" } else { "false" }),
            Value::Number(number) => Self::text(number.to_string()),
            Value::String(text) => Self::text(text.as_str()),
            Value::Array(items) => Self {
                text: None,
                children: Children::Items(items.iter().map(Self::json).collect()),
            },
            Value::Object(fields) => Self::object(fields),
        }
    }

    /// Hangs a text in at a dotted name.
    pub(super) fn insert(&mut self, name: &'a str, text: &'a str) {
        let mut node = self;
        for part in name.splitn(PARTS_MAX, '.') {
            if !matches!(node.children, Children::Fields(_)) {
                node.children = Children::Fields(BTreeMap::new());
            }
            let Children::Fields(fields) = &mut node.children else { return };
            node = fields.entry(Cow::Borrowed(part)).or_default();
        }
        node.text = Some(Cow::Borrowed(text));
    }

    /// Takes a field away.
    pub(super) fn remove(&mut self, name: &str) {
        if let Children::Fields(fields) = &mut self.children {
            fields.remove(name);
        }
    }

    /// True for a JSON null, which is neither text nor list nor object.
    pub(super) fn is_null(&self) -> bool {
        self.text.is_none() && matches!(self.children, Children::None)
    }

    /// Feeds the tree to a digest. Lengths and counts go first, so that no two trees read alike.
    pub(super) fn hash(&self, context: &mut digest::Context) {
        let text = |context: &mut digest::Context, text: &str| {
            context.update(&text.len().to_le_bytes());
            context.update(text.as_bytes());
        };
        match &self.text {
            Some(own) => {
                context.update(b"t");
                text(context, own);
            }
            None => context.update(b"-"),
        }
        match &self.children {
            Children::None => context.update(b"-"),
            Children::Fields(fields) => {
                context.update(b"f");
                context.update(&fields.len().to_le_bytes());
                for (name, node) in fields {
                    text(context, name);
                    node.hash(context);
                }
            }
            Children::Items(items) => {
                context.update(b"i");
                context.update(&items.len().to_le_bytes());
                items.iter().for_each(|node| node.hash(context));
            }
        }
    }
}
