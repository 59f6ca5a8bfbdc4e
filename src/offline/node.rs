//! A document as a tree that knows its lines. PURE.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{Location, Spanned};

/// A value in a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// The line on which it begins, from 1; `None` where the reader did not say.
    pub(super) line: Option<u64>,
    pub(super) data: Data,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Fields(Vec<Field>),
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// The line of the name.
    pub(super) line: Option<u64>,
    pub(super) value: Node,
}

impl Node {
    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Data::Fields(fields) = &self.data else {
            return None;
        };
        let field = fields.iter().find(|field| field.name == name)?;
        Some(&field.value)
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.field(name)?.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The line of a field such as `spec.targets[0].kind`, or of what would hold it.
    pub(super) fn line_of(&self, path: &str) -> Option<u64> {
        let mut node = self;
        let mut line = self.line;
        for step in path.split(['.', '[']) {
            let Some((of_step, next)) = node.step(step) else {
                break;
            };
            line = of_step.or(line);
            node = next;
        }
        line
    }

    fn step(&self, step: &str) -> Option<(Option<u64>, &Self)> {
        match &self.data {
            Data::Fields(fields) => fields
                .iter()
                .find(|field| field.name == step)
                .map(|field| (field.line, &field.value)),
            Data::List(items) => {
                let index: usize = step.trim_end_matches(']').parse().ok()?;
                items.get(index).map(|item| (item.line, item))
            }
            _ => None,
        }
    }

    /// Counts the lines that stand before the text from which this was read.
    pub(super) fn move_down(&mut self, lines: u64) {
        self.line = self.line.map(|line| line + lines);
        match &mut self.data {
            Data::List(items) => items.iter_mut().for_each(|item| item.move_down(lines)),
            Data::Fields(fields) => {
                for field in fields {
                    field.line = field.line.map(|line| line + lines);
                    field.value.move_down(lines);
                }
            }
            _ => {}
        }
    }

    /// The value without its lines.
    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Fields(fields) => Value::Object(
                fields
                    .iter()
                    .map(|field| (field.name.clone(), field.value.to_json()))
                    .collect(),
            ),
        }
    }
}

fn line(location: Location) -> Option<u64> {
    Some(location.line()).filter(|line| *line > 0)
}

impl From<Spanned<Data>> for Node {
    fn from(spanned: Spanned<Data>) -> Self {
        Self {
            line: line(spanned.referenced),
            data: spanned.value,
        }
    }
}

/// JSON that was read without its lines.
impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(value),
            Value::Number(number) => Data::Number(number),
            Value::String(text) => Data::Text(text),
            Value::Array(items) => Data::List(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                let field = |(name, value)| Field {
                    name,
                    line: None,
                    value: Self::from(value),
                };
                Data::Fields(members.into_iter().map(field).collect())
            }
        };
        Self { line: None, data }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Data, E> {
        let number = Number::from_f64(value).map(Data::Number);
        Ok(number.unwrap_or_else(|| Data::Text(value.to_string())))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Data, E> {
        Ok(Data::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Data, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Data>>()? {
            items.push(Node::from(item));
        }
        Ok(Data::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Data, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = access.next_key::<Spanned<String>>()? {
            let value = access.next_value::<Spanned<Data>>()?;
            fields.push(Field {
                line: line(name.referenced),
                name: name.value,
                value: Node::from(value),
            });
        }
        Ok(Data::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const YAML: &str = "\
# a comment
kind: MaintenanceWindow
spec:
  schedule:
    always:
  targets:
  - kind: Service
    name: web
  - {kind: Ingress, name: shop, port: 80, half: 0.5, on: true, text: '5'}
";

    fn node(yaml: &str) -> Node {
        Node::from(serde_saphyr::from_str::<Spanned<Data>>(yaml).unwrap())
    }

    #[test]
    fn a_tree_says_what_the_document_says() {
        let expected = json!({
            "kind": "MaintenanceWindow",
            "spec": {
                "schedule": {"always": null},
                "targets": [
                    {"kind": "Service", "name": "web"},
                    {
                        "kind": "Ingress", "name": "shop", "port": 80, "half": 0.5, "on": true,
                        "text": "5",
                    },
                ],
            },
        });
        assert_eq!(node(YAML).to_json(), expected);
        assert_eq!(Node::from(expected.clone()).to_json(), expected);
    }

    #[test]
    fn a_field_is_found_on_its_line_and_what_is_missing_where_it_would_be() {
        let mut node = node(YAML);
        let cases = [
            ("", 2),
            ("kind", 2),
            ("spec", 3),
            ("spec.schedule", 4),
            ("spec.schedule.always", 5),
            ("spec.schedule.once.start", 4),
            ("spec.targets", 6),
            ("spec.targets[0]", 7),
            ("spec.targets[0].name", 8),
            ("spec.targets[0].hold", 7),
            ("spec.targets[1].name", 9),
            ("spec.targets[2].name", 6),
            ("metadata.name", 2),
        ];
        for (path, line) in cases {
            assert_eq!(node.line_of(path), Some(line), "{path}");
        }
        node.move_down(10);
        assert_eq!(node.line_of("spec.targets[0].name"), Some(18));
        assert_eq!(Node::from(node.to_json()).line_of("spec"), None);
    }
}
