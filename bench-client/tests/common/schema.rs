//! Files against the schemas that are checked in.

use std::path::Path;

use serde_json::Value;

/// Fails where `json` is not as `bench-client/schemas` has it, or where it still is when `broken`, a
/// pointer into it, is taken for nothing.
pub(crate) fn assert_valid(schema: &str, json: &Value, broken: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(schema);
    let schema = std::fs::read(path).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(json)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut other = json.clone();
    *other.pointer_mut(broken).unwrap() = Value::Array(vec![Value::Null]);
    assert!(!validator.is_valid(&other), "{broken} may be anything");
}
