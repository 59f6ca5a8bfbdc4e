//! A document against the schema of the CustomResourceDefinition. PURE.
//!
//! Everything is told at once, and what follows from it is not told again: a slip that is
//! understood (`timezone`) is taken for what was meant, and what is missing or of a wrong type
//! gets a stand-in, so that the rest can still be parsed.

use kube::Resource;
use serde_json::{Map, Value, json};

use crate::api::{MaintenanceWindow, crd};
use crate::schedule::Problem;

use super::node::{Data, Field, Node};
use super::suggest::nearest;

/// A schema that asks for nothing.
static NOTHING: Value = Value::Null;

/// What came of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    /// Paths at which `resource` holds what nobody wrote.
    pub(super) stand_ins: Vec<String>,
    /// The document, in the form that the schema asks for.
    pub(super) resource: Value,
}

/// The schema of a whole document.
pub(super) fn schema() -> Result<Value, crd::Error> {
    let definition = serde_json::to_value(crd::definition()?)?;
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema");
    let mut schema = schema.cloned().unwrap_or_default();
    // The API server knows these without being told.
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    let properties = &mut schema["properties"];
    properties["apiVersion"] =
        json!({"type": "string", "enum": [MaintenanceWindow::api_version(&())]});
    properties["kind"] = json!({"type": "string", "enum": [MaintenanceWindow::kind(&())]});
    properties["metadata"] = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "namespace": {"type": "string"}},
        "x-kubernetes-preserve-unknown-fields": true,
    });
    // Nobody writes it but the controller.
    properties["status"] = json!({"x-kubernetes-preserve-unknown-fields": true});
    Ok(schema)
}

/// Compares a document with a schema.
pub(super) fn check(schema: &Value, root: &Node) -> Checked {
    let mut check = Check::default();
    let resource = check.value("", schema, root);
    Checked {
        problems: check.problems,
        stand_ins: check.stand_ins,
        resource,
    }
}

#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
    stand_ins: Vec<String>,
}

impl Check {
    fn tell(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// The value as the schema wants it.
    fn value(&mut self, path: &str, schema: &Value, node: &Node) -> Value {
        match (type_of(schema), &node.data) {
            (None, _) => node.to_json(),
            (Some("object"), Data::Fields(fields)) => self.object(path, schema, fields),
            (Some("array"), Data::List(items)) => self.list(path, schema, items),
            (Some("string"), Data::Text(text)) => self.text(path, schema, text),
            (Some("boolean"), Data::Bool(value)) => Value::Bool(*value),
            (Some("integer"), Data::Number(number)) if !number.is_f64() => {
                Value::Number(number.clone())
            }
            (Some("number"), Data::Number(number)) => Value::Number(number.clone()),
            (Some(wanted), data) => {
                self.tell(path, wrong_type(wanted, data));
                self.stand_in(path, schema)
            }
        }
    }

    fn object(&mut self, path: &str, schema: &Value, fields: &[Field]) -> Value {
        let mut object = Map::new();
        for field in fields {
            let of_field = join(path, &field.name);
            if let Some(schema) = property(schema, &field.name) {
                if let Some(value) = self.known(&of_field, schema, &field.value) {
                    object.insert(field.name.clone(), value);
                }
            } else if let Some(schema) = any_property(schema) {
                let value = self.value(&of_field, schema, &field.value);
                object.insert(field.name.clone(), value);
            } else if is_open(schema) {
                object.insert(field.name.clone(), field.value.to_json());
            } else if let Some((meant, value)) = self.unknown(&of_field, schema, field, fields) {
                object.insert(meant, value);
            }
        }
        if let Some(most) = limit(schema, "maxProperties").filter(|most| fields.len() > *most) {
            self.tell(path, too_many(fields.len(), most));
        }
        for name in required(schema) {
            if !object.contains_key(name) {
                let of_field = join(path, name);
                let schema = property(schema, name).unwrap_or(&NOTHING);
                self.tell(&of_field, missing(schema));
                let value = self.stand_in(&of_field, schema);
                object.insert(name.to_owned(), value);
            }
        }
        Value::Object(object)
    }

    /// A field that the schema knows. One without a value is none, because the API server drops
    /// it.
    fn known(&mut self, path: &str, schema: &Value, node: &Node) -> Option<Value> {
        if node.data != Data::Null {
            return Some(self.value(path, schema, node));
        }
        let is_switch = type_of(schema) == Some("object")
            && names(schema).next().is_none()
            && any_property(schema).is_none()
            && !is_open(schema);
        if is_switch {
            self.tell(
                path,
                "has no value, so that the API server drops it: write {}",
            );
            return Some(json!({}));
        }
        None
    }

    /// A field that the schema does not know: what was meant, if that can be seen.
    fn unknown(
        &mut self,
        path: &str,
        schema: &Value,
        field: &Field,
        beside: &[Field],
    ) -> Option<(String, Value)> {
        let is_free = |name: &&str| beside.iter().all(|field| field.name != **name);
        let Some(meant) = nearest(&field.name, names(schema).filter(is_free)) else {
            let known = names(schema).collect::<Vec<_>>().join(", ");
            let instead = if known.is_empty() {
                "remove it".to_owned()
            } else {
                format!("known here are {known}")
            };
            self.tell(path, format!("is not a field: {instead}"));
            return None;
        };
        self.tell(path, format!("is not a field: did you mean {meant}?"));
        let stand_ins = self.stand_ins.len();
        let value = self.known(path, property(schema, meant)?, &field.value)?;
        if self.stand_ins.len() > stand_ins {
            let around = path.strip_suffix(&field.name).unwrap_or_default();
            self.stand_ins.push(format!("{around}{meant}"));
        }
        Some((meant.to_owned(), value))
    }

    fn list(&mut self, path: &str, schema: &Value, items: &[Node]) -> Value {
        if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
            self.tell(path, too_many(items.len(), most));
        }
        if limit(schema, "minItems").is_some_and(|least| items.len() < least) {
            self.tell(path, "has too few entries: write at least one");
        }
        let of_item = schema.get("items").unwrap_or(&NOTHING);
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.push(self.value(&format!("{path}[{index}]"), of_item, item));
        }
        Value::Array(list)
    }

    fn text(&mut self, path: &str, schema: &Value, text: &str) -> Value {
        let words: Vec<&str> = words(schema).collect();
        if !words.is_empty() && !words.contains(&text) {
            let instead = match (nearest(text, words.iter().copied()), words.as_slice()) {
                (_, [only]) => format!("write {only}"),
                (Some(meant), _) => format!("did you mean {meant}?"),
                (None, words) => format!("write one of {}", words.join(", ")),
            };
            self.tell(path, format!("{text:?} is not known: {instead}"));
            return self.stand_in(path, schema);
        }
        let length = text.chars().count();
        if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
            let message =
                format!("has {length} characters, and may have at most {most}: write less");
            self.tell(path, message);
        }
        if limit(schema, "minLength").is_some_and(|least| length < least) {
            self.tell(path, "is too short: write something");
        }
        Value::String(text.to_owned())
    }

    /// Something that can be parsed, in the place of what cannot.
    fn stand_in(&mut self, path: &str, schema: &Value) -> Value {
        // A word that nobody wrote changes the meaning of what stands beside it.
        let is_word = words(schema).next().is_some();
        let around = path.rsplit_once('.').map_or(path, |(around, _)| around);
        let of = if is_word { around } else { path };
        self.stand_ins.push(of.to_owned());
        blank(schema)
    }
}

/// The least that a schema allows.
fn blank(schema: &Value) -> Value {
    match type_of(schema) {
        Some("string") => Value::from(words(schema).next().unwrap_or_default()),
        Some("array") => json!([]),
        Some("boolean") => json!(false),
        Some("integer" | "number") => json!(0),
        Some("object") => {
            let field = |name: &str| {
                let value = property(schema, name).map_or(Value::Null, blank);
                (name.to_owned(), value)
            };
            Value::Object(required(schema).map(field).collect())
        }
        _ => Value::Null,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

// === What is said ===

fn wrong_type(wanted: &str, data: &Data) -> String {
    let is = match data {
        Data::Null => "nothing",
        Data::Bool(_) => "true or false",
        Data::Number(_) => "a number",
        Data::Text(_) => "a text",
        Data::List(_) => "a list",
        Data::Fields(_) => "a group of fields",
    };
    let (wanted, instead) = match (wanted, data) {
        ("string", Data::Number(number)) => ("a text", format!("quote it: \"{number}\"")),
        ("string", Data::Bool(_)) => ("a text", "quote it".to_owned()),
        ("string", _) => ("a text", "write one".to_owned()),
        ("boolean", Data::Text(text)) if text == "true" || text == "false" => {
            ("true or false", format!("write {text} without quotes"))
        }
        ("boolean", _) => ("true or false", "write one of the two".to_owned()),
        ("array", _) => ("a list", "put \"- \" before each entry".to_owned()),
        ("object", _) => ("a group of fields", "write name: value".to_owned()),
        _ => ("a whole number", "write one".to_owned()),
    };
    format!("is {is}, where {wanted} is wanted: {instead}")
}

fn missing(schema: &Value) -> String {
    let description = schema.get("description").and_then(Value::as_str);
    match description.and_then(|description| description.split(". ").next()) {
        Some(sentence) => {
            format!("is missing: write it. {}.", sentence.trim_end_matches('.'))
        }
        None => "is missing: write it".to_owned(),
    }
}

fn too_many(there: usize, most: usize) -> String {
    format!("has {there} entries, and may have at most {most}: remove some")
}

// === What a schema says ===

fn type_of(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

fn names(schema: &Value) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
}

fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

/// The schema of the fields that have any name.
fn any_property(schema: &Value) -> Option<&Value> {
    schema
        .get("additionalProperties")
        .filter(|schema| schema.is_object())
}

fn is_open(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    texts(schema, "required")
}

fn words(schema: &Value) -> impl Iterator<Item = &str> {
    texts(schema, "enum")
}

fn texts<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let texts = schema.get(key).and_then(Value::as_array);
    texts.into_iter().flatten().filter_map(Value::as_str)
}

fn limit(schema: &Value, key: &str) -> Option<usize> {
    usize::try_from(schema.get(key)?.as_u64()?).ok()
}

#[cfg(test)]
mod tests;
