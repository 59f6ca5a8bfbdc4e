//! The CustomResourceDefinition, as `entracte crd` prints it and `crds/` holds it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::MaintenanceWindow;

/// The definition cannot be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the CustomResourceDefinition: {0}; this is a fault of this build")]
pub enum Error {
    /// As JSON.
    Json(#[from] serde_json::Error),
    /// As YAML.
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// The definition of [`MaintenanceWindow`] for the API server.
///
/// No field is nullable: the API server drops a null from what is not, so that, as with the
/// platform's own kinds, `always:` with nothing after it is the same as no `always`.
pub fn definition() -> Result<CustomResourceDefinition, Error> {
    let mut definition = serde_json::to_value(MaintenanceWindow::crd())?;
    finish(&mut definition);
    Ok(serde_json::from_value(definition)?)
}

/// [`definition`] as YAML.
pub fn yaml() -> Result<String, Error> {
    Ok(serde_saphyr::to_string(&definition()?)?)
}

/// Takes out of a schema what the derive leaves in it: `nullable: true`, which stands for a Rust
/// `Option`, and the line breaks of our source, which `kubectl explain` would print.
fn finish(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|key, value| !(key == "nullable" && *value == Value::Bool(true)));
            for (key, value) in members {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    _ => finish(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(finish),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crds/entracte.dev_maintenancewindows.yaml";

    #[test]
    fn the_file_in_crds_is_what_the_program_prints() {
        let path = format!("{}/{PATH}", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            file == yaml().unwrap(),
            "the API has changed: run `cargo run -- crd > {PATH}` and commit the file"
        );
    }

    #[test]
    fn the_schema_has_neither_defaults_nor_nulls() {
        let definition = serde_json::to_string(&definition().unwrap()).unwrap();
        assert!(!definition.contains("\"default\":"));
        assert!(!definition.contains("\"nullable\":"));
    }

    #[test]
    fn every_text_list_and_map_of_the_spec_is_bounded() {
        let definition = serde_json::to_value(definition().unwrap()).unwrap();
        let spec =
            &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(unbounded("spec", spec), Vec::<String>::new());
    }

    /// The paths of what may grow without end.
    fn unbounded(path: &str, schema: &Value) -> Vec<String> {
        let bound = match schema["type"].as_str() {
            Some("string") if schema.get("enum").is_none() => "maxLength",
            Some("array") => "maxItems",
            Some("object") if schema.get("additionalProperties").is_some() => "maxProperties",
            _ => "type",
        };
        let mut found = Vec::new();
        if schema.get(bound).is_none() {
            found.push(path.to_owned());
        }
        for inner in ["items", "additionalProperties"].map(|key| schema.get(key)) {
            found.extend(
                inner
                    .iter()
                    .flat_map(|schema| unbounded(&format!("{path}[]"), schema)),
            );
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            found.extend(unbounded(&format!("{path}.{name}"), property));
        }
        found
    }

    #[test]
    fn every_field_says_what_it_is() {
        let definition = serde_json::to_value(definition().unwrap()).unwrap();
        let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_eq!(undescribed("", root), Vec::<String>::new());
    }

    fn undescribed(path: &str, schema: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property.get("description").is_none() {
                found.push(path.clone());
            }
            found.extend(undescribed(&path, property));
        }
        if let Some(items) = schema.get("items") {
            found.extend(undescribed(&format!("{path}[]"), items));
        }
        found
    }
}
