//! What the derived schema cannot say by itself.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Labels and their values, bounded as the API server bounds labels.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// Leaves it to a field to describe its words: the description of the type would take the
/// place of the field's, which says what an absent one means.
pub(super) fn described_by_its_field(words: &mut Schema) {
    words.remove("description");
}
