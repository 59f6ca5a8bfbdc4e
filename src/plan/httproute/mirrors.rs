//! The mirrors among the filters of a rule: taken out for a hold, and put back where they stood.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A filter that sends copies of requests somewhere (`RequestMirror`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mirror {
    /// How many filters stood before it.
    at: usize,
    filter: Value,
}

fn is_mirror(filter: &Value) -> bool {
    filter["type"] == "RequestMirror"
}

/// The mirrors among `filters`.
pub(super) fn of(filters: Option<&[Value]>) -> Vec<Mirror> {
    let filters = filters.unwrap_or_default().iter().enumerate();
    let mirrors = filters.filter(|(_, filter)| is_mirror(filter));
    mirrors
        .map(|(at, filter)| Mirror {
            at,
            filter: filter.clone(),
        })
        .collect()
}

/// The filters but for the mirrors; none at all where there were only mirrors.
pub(super) fn without(filters: Option<&[Value]>) -> Option<Vec<Value>> {
    let filters = filters?;
    let others: Vec<Value> = filters
        .iter()
        .filter(|filter| !is_mirror(filter))
        .cloned()
        .collect();
    (!others.is_empty() || filters.is_empty()).then_some(others)
}

/// The filters with the mirrors that are not among them, each where it stood.
pub(super) fn put_back(filters: Option<&[Value]>, mirrors: &[Mirror]) -> Option<Vec<Value>> {
    if mirrors.is_empty() {
        return filters.map(<[Value]>::to_vec);
    }
    let mut filters = filters.unwrap_or_default().to_vec();
    let mut there: Vec<Value> = filters
        .iter()
        .filter(|filter| is_mirror(filter))
        .cloned()
        .collect();
    for Mirror { at, filter } in mirrors {
        match there.iter().position(|other| other == filter) {
            Some(found) => {
                there.swap_remove(found);
            }
            None => filters.insert((*at).min(filters.len()), filter.clone()),
        }
    }
    Some(filters)
}
