use std::path::Path;

use bench_client::results::schema::schemas;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::folder;

/// Set to write the schemas instead of comparing them.
const UPDATE: &str = "UPDATE_SCHEMAS";

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(file)
}

fn validator(file: &str) -> Validator {
    let schema = std::fs::read(path(file)).unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap()
}

#[test]
fn the_schemas_that_are_checked_in_are_those_of_the_code() {
    for (file, schema) in schemas() {
        let generated = format!("{:#}\n", schema.as_value());
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(path(file), &generated).unwrap();
        }
        let checked_in = std::fs::read_to_string(path(file)).unwrap_or_default();
        assert!(
            checked_in == generated,
            "{file} is out of date; if the change is meant: \
             {UPDATE}=1 cargo test -p bench-client --test results the_schemas"
        );
    }
}

#[test]
fn files_of_a_run_are_valid() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 200);
    for (file, schema) in [
        ("run_config.json", "run_config.schema.json"),
        ("stats.json", "stats.schema.json"),
        ("summary.json", "summary.schema.json"),
    ] {
        let json = serde_json::from_slice(&std::fs::read(dir.join(file)).unwrap()).unwrap();
        assert_valid(&validator(schema), &json, file);
    }
    let lines = std::fs::read_to_string(dir.join("responses.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 200);
    let of_line = validator("responses.schema.json");
    for line in lines.lines() {
        assert_valid(&of_line, &serde_json::from_str(line).unwrap(), line);
    }
}

fn assert_valid(validator: &Validator, json: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(json)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:?}");
}

#[test]
fn broken_files_are_not_valid() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 20);
    let read = |file: &str| {
        let bytes = std::fs::read(dir.join(file)).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let broken = |mut json: Value, pointer: &str, value: Value| {
        *json.pointer_mut(pointer).unwrap() = value;
        json
    };
    let config = validator("run_config.schema.json");
    assert!(!config.is_valid(&broken(
        read("run_config.json"),
        "/load/pace/loop",
        json!("ajar")
    )));
    assert!(!config.is_valid(&broken(read("run_config.json"), "/seed", json!(-1))));
    let stats = validator("stats.schema.json");
    assert!(!stats.is_valid(&broken(
        read("stats.json"),
        "/ok/last/quantiles/0/value_ns",
        json!("1 ms")
    )));
    assert!(!stats.is_valid(&broken(read("stats.json"), "/timeline/windows", json!({}))));
    assert!(!stats.is_valid(&broken(
        read("stats.json"),
        "/statuses",
        json!({"200": "many"})
    )));
    let summary = validator("summary.schema.json");
    assert!(!summary.is_valid(&broken(read("summary.json"), "/interrupted", Value::Null)));
    let response = validator("responses.schema.json");
    let line = json!(folder::records(1)[0]);
    assert!(response.is_valid(&line));
    assert!(!response.is_valid(&broken(line.clone(), "/class", json!("fine"))));
    let mut more = line;
    more["extra"] = json!(1);
    assert!(!response.is_valid(&more), "fields that nobody knows");
}
