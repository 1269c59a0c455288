//! Outcome → JSON: one document, keys sorted, times in nanoseconds of virtual time.

use serde_json::{Map, Value};

use crate::checkers::RunOutcome;

/// Version of the document's shape; changes when a reader of the old one would go wrong.
pub const SCHEMA: u64 = 1;

/// The outcome as a JSON document, ended with a newline.
pub fn json(outcome: &RunOutcome) -> String {
    let value = serde_json::to_value(outcome).expect("an outcome is plain data");
    let Value::Object(mut document) = value else { unreachable!("an outcome has fields") };
    document.insert("schema".into(), SCHEMA.into());
    document.insert("replay".into(), outcome.replay().into());
    let status = serde_json::to_value(outcome.judgement.status()).expect("a name");
    document.insert("status".into(), status);
    // The map is ordered by its keys (serde_json without `preserve_order`).
    let document: Map<String, Value> = document;
    format!("{:#}\n", Value::Object(document))
}
