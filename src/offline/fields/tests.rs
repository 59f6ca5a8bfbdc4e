use super::*;

fn a_schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "What it is called. Short.", "maxLength": 8},
            "kind": {"type": "string", "enum": ["Service", "Ingress"]},
            "only": {"type": "string", "enum": ["this"]},
            "suspend": {"type": "boolean"},
            "count": {"type": "integer"},
            "all": {"type": "object"},
            "labels": {
                "type": "object",
                "maxProperties": 2,
                "additionalProperties": {"type": "string"},
            },
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": 2,
                "items": {
                    "type": "object",
                    "required": ["kind", "timeZone"],
                    "properties": {
                        "kind": {"type": "string", "enum": ["Service", "Ingress"]},
                        "timeZone": {"type": "string", "minLength": 1},
                    },
                },
            },
        },
    })
}

fn checked(document: Value) -> Checked {
    check(&a_schema(), &Node::from(document))
}

fn told(checked: &Checked) -> Vec<String> {
    checked.problems.iter().map(Problem::to_string).collect()
}

#[test]
fn a_document_that_fits_is_taken_as_it_is() {
    let document = json!({
        "name": "web",
        "kind": "Ingress",
        "suspend": true,
        "count": 3,
        "all": {},
        "labels": {"a": "b"},
        "open": {"anything": [1, null]},
        "items": [{"kind": "Service", "timeZone": "Europe/Berlin"}],
    });
    let expected = Checked {
        problems: Vec::new(),
        stand_ins: Vec::new(),
        resource: document.clone(),
    };
    assert_eq!(checked(document), expected);
}

#[test]
fn every_slip_is_named_with_what_to_write() {
    let cases = [
        (
            json!({"nmae": "web"}),
            "nmae: is not a field: did you mean name?",
        ),
        (
            json!({"name": "web", "schedule": {}}),
            "schedule: is not a field: known here are all, count, items, kind, labels, name, \
             only, open, suspend",
        ),
        (
            json!({"name": "web", "all": {"x": 1}}),
            "all.x: is not a field: remove it",
        ),
        (
            json!({"name": "web", "all": null}),
            "all: has no value, so that the API server drops it: write {}",
        ),
        (json!({}), "name: is missing: write it. What it is called."),
        (
            json!({"name": null}),
            "name: is missing: write it. What it is called.",
        ),
        (
            json!({"name": 5}),
            "name: is a number, where a text is wanted: quote it: \"5\"",
        ),
        (
            json!({"name": false}),
            "name: is true or false, where a text is wanted: quote it",
        ),
        (
            json!({"name": ["web"]}),
            "name: is a list, where a text is wanted: write one",
        ),
        (
            json!({"name": "web-service"}),
            "name: has 11 characters, and may have at most 8: write less",
        ),
        (
            json!({"name": "web", "kind": "ingress"}),
            "kind: \"ingress\" is not known: did you mean Ingress?",
        ),
        (
            json!({"name": "web", "kind": "Pod"}),
            "kind: \"Pod\" is not known: write one of Service, Ingress",
        ),
        (
            json!({"name": "web", "only": "that"}),
            "only: \"that\" is not known: write this",
        ),
        (
            json!({"name": "web", "suspend": "true"}),
            "suspend: is a text, where true or false is wanted: write true without quotes",
        ),
        (
            json!({"name": "web", "suspend": 1}),
            "suspend: is a number, where true or false is wanted: write one of the two",
        ),
        (
            json!({"name": "web", "count": 1.5}),
            "count: is a number, where a whole number is wanted: write one",
        ),
        (
            json!({"name": "web", "all": "Service"}),
            "all: is a text, where a group of fields is wanted: write name: value",
        ),
        (
            json!({"name": "web", "labels": {"a": 5}}),
            "labels.a: is a number, where a text is wanted: quote it: \"5\"",
        ),
        (
            json!({"name": "web", "labels": {"a": "", "b": "", "c": ""}}),
            "labels: has 3 entries, and may have at most 2: remove some",
        ),
        (
            json!({"name": "web", "items": []}),
            "items: has too few entries: write at least one",
        ),
        (
            json!({"name": "web", "items": {"kind": "Service"}}),
            "items: is a group of fields, where a list is wanted: put \"- \" before each entry",
        ),
        (
            json!({"name": "web", "items": [null]}),
            "items[0]: is nothing, where a group of fields is wanted: write name: value",
        ),
        (
            json!({"name": "web", "items": [{"kind": "Service", "timeZone": ""}]}),
            "items[0].timeZone: is too short: write something",
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(told(&checked(document)), [expected]);
    }
}

#[test]
fn all_slips_are_told_at_once() {
    let item = json!({"kind": "Service", "timezone": 5, "hold": "x"});
    let document = json!({"items": [item.clone(), {"kind": "Pod"}, item]});
    let quote = "is a number, where a text is wanted: quote it: \"5\"";
    let of_item = |index| {
        [
            format!("items[{index}].hold: is not a field: known here are kind, timeZone"),
            format!("items[{index}].timezone: is not a field: did you mean timeZone?"),
            format!("items[{index}].timezone: {quote}"),
        ]
    };
    let mut expected = vec!["items: has 3 entries, and may have at most 2: remove some".to_owned()];
    expected.extend(of_item(0));
    expected.push("items[1].kind: \"Pod\" is not known: write one of Service, Ingress".to_owned());
    expected.push("items[1].timeZone: is missing: write it".to_owned());
    expected.extend(of_item(2));
    expected.push("name: is missing: write it. What it is called.".to_owned());
    assert_eq!(told(&checked(document)), expected);
}

#[test]
fn what_was_meant_is_taken_and_what_cannot_be_read_gets_a_stand_in() {
    let document = json!({
        "Name": "web",
        "kind": "Pod",
        "suspend": "yes",
        "items": [{"kind": "Service", "timezone": "Europe/Berlin"}, {"timeZone": "Asia/Tokyo"}],
        "all": null,
        "labels": null,
    });
    let Checked {
        resource,
        stand_ins,
        ..
    } = checked(document);
    let expected = json!({
        "name": "web",
        "kind": "Service",
        "suspend": false,
        "items": [
            {"kind": "Service", "timeZone": "Europe/Berlin"},
            {"kind": "Service", "timeZone": "Asia/Tokyo"},
        ],
        "all": {},
    });
    assert_eq!(resource, expected);
    // Beside a word that nobody wrote, nothing means what it says.
    assert_eq!(stand_ins, ["items[1]", "kind", "suspend"]);
}

#[test]
fn the_schema_of_a_document_is_that_of_the_definition_and_what_every_object_has() {
    let schema = schema().unwrap();
    let known: Vec<_> = names(&schema).collect();
    assert_eq!(known, ["apiVersion", "kind", "metadata", "spec", "status"]);
    let spec = property(&schema, "spec").unwrap();
    let required: Vec<_> = required(spec).collect();
    assert_eq!(required, ["schedule", "targets"]);
}
