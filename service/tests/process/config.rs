//! Where values come from: defaults < file < environment < flags, for every flag that there is.

use std::path::Path;
use std::process::Command;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::binary::{Ended, run};

/// Texts that flags may take; a flag of a new kind adds some of its own.
const CANDIDATES: [&str; 31] = [
    "true",
    "false",
    "5",
    "6",
    "7",
    "0.5",
    "0.6",
    "0.7",
    "[::1]:1",
    "[::1]:2",
    "[::1]:3",
    "3MiB",
    "4MiB",
    "5MiB",
    "3s",
    "4s",
    "5s",
    "http://a:1",
    "http://b:1",
    "http://c:1",
    "info",
    "warn",
    "debug",
    "auto",
    "text",
    "json",
    "x-a",
    "x-b",
    "x-c",
    "./a",
    "./b",
];

/// A flag of `serve`, with values that it takes.
struct Flag {
    name: String,
    variable: String,
    values: Vec<String>,
    /// Flags that have to be there beside it.
    others: Vec<String>,
}

/// Every flag that the server has now.
fn every_flag() -> Vec<Flag> {
    let command = service::config::command();
    let serve = command.find_subcommand("serve").expect("it is there");
    let flags = service::config::flags(serve).map(|arg| {
        let name = arg.get_long().expect("they are named").to_owned();
        let variable = arg.get_env().map(|name| name.display().to_string());
        let mut others = Vec::new();
        let values = CANDIDATES.iter().filter(|text| {
            let needed = takes(&name, text);
            if let Some(needed) = &needed {
                others.clone_from(needed);
            }
            needed.is_some()
        });
        let values: Vec<String> = values.take(3).map(|&text| text.to_owned()).collect();
        let enough = if values == ["true", "false"] { 2 } else { 3 };
        assert!(
            values.len() >= enough,
            "--{name}: three more CANDIDATES, please"
        );
        Flag {
            variable: variable.unwrap_or_else(|| panic!("--{name} has no variable")),
            name,
            values,
            others,
        }
    });
    let flags: Vec<Flag> = flags.collect();
    assert!(flags.len() > 20, "these are not all");
    flags
}

/// Whether `--name=text` is taken, and which other flags have to be there.
fn takes(name: &str, text: &str) -> Option<Vec<String>> {
    let line = [
        "tidemark".to_owned(),
        "serve".to_owned(),
        format!("--{name}={text}"),
    ];
    let Err(error) = service::config::read(line) else {
        return Some(Vec::new());
    };
    match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(needed))) => {
            let names = needed
                .iter()
                .filter_map(|usage| usage.split([' ', '=']).next());
            let given = names.map(|name| format!("{name}=./a"));
            Some(given.collect())
        }
        _ => None,
    }
}

/// `tidemark serve --print-config` with nothing in its environment but `variables`.
fn print(file: Option<&Path>, variables: &[(&str, &str)], flags: &[String]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.env_clear().envs(variables.iter().copied());
    command.args(["serve", "--print-config"]).args(flags);
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    run(&mut command)
}

/// The line of `name` in what was printed: its value, without quotes, and where it comes from.
fn entry(ended: &Ended, name: &str) -> (String, String) {
    let lines = ended.output.lines();
    let mut found = lines.filter_map(|line| {
        let line = line.strip_prefix("# ").unwrap_or(line);
        line.strip_prefix(name)?.strip_prefix(" = ")
    });
    let found = found
        .next()
        .unwrap_or_else(|| panic!("{name} is not in {ended:?}"));
    let (value, source) = found.rsplit_once(" # ").expect("each value has a source");
    // Of a flag that repeats, the one that was given.
    let one = value
        .strip_prefix("[\"")
        .and_then(|rest| rest.strip_suffix("\"]"));
    let value = one.unwrap_or(value).trim_matches('"');
    (value.to_owned(), source.to_owned())
}

/// A value as a file has it: as `--print-config` wrote it.
fn written(name: &str, value: &str, others: &[String]) -> String {
    let mut flags = others.to_vec();
    flags.push(format!("--{name}={value}"));
    let printed = print(None, &[], &flags);
    let lines = printed.output.lines();
    let found = lines.filter(|line| line.starts_with(&format!("{name} = ")));
    found.map(|line| format!("{line}\n")).collect()
}

/// The rule: where a value comes from, when the file, the variable and the flag say what is given.
fn comes_from(file: bool, variable: bool, flag: bool) -> usize {
    match (file, variable, flag) {
        (_, _, true) => 3,
        (_, true, _) => 2,
        (true, _, _) => 1,
        (false, false, false) => 0,
    }
}

/// Every flag, every combination of file, variable and flag. Returns what broke `rule`.
fn violations(flags: &[Flag], rule: impl Fn(bool, bool, bool) -> usize) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("tidemark.toml");
    let default = print(None, &[], &[]);
    let mut violations = Vec::new();
    for flag in flags {
        let value = |source: usize| flag.values[source % flag.values.len()].as_str();
        let text = written(&flag.name, value(1), &flag.others);
        let redacted = text.is_empty();
        std::fs::write(&path, text).expect("a file can be written");
        for case in 0..8 {
            let (in_file, in_variable, in_flag) =
                (case & 1 > 0 && !redacted, case & 2 > 0, case & 4 > 0);
            let variables = [(flag.variable.as_str(), value(2))];
            let mut given = flag.others.clone();
            if in_flag {
                given.push(format!("--{}={}", flag.name, value(3)));
            }
            let printed = print(
                in_file.then_some(&*path),
                if in_variable { &variables } else { &[] },
                &given,
            );
            let source = rule(in_file, in_variable, in_flag);
            if source == 0 {
                // Also where it is not set: then it stands there as in the output of no flags at all.
                let line = |ended: &Ended| {
                    let mut lines = ended.output.lines().map(str::to_owned);
                    lines.find(|line| {
                        line.trim_start_matches("# ")
                            .starts_with(&format!("{} ", flag.name))
                    })
                };
                if given.is_empty() && line(&printed) != line(&default) {
                    violations.push(format!("{}: {printed:?}", flag.name));
                }
                continue;
            }
            let words = [
                "default",
                &*path.display().to_string(),
                &flag.variable,
                &format!("--{}", flag.name),
            ];
            let (shown, told) = entry(&printed, &flag.name);
            let right = told.starts_with(words[source]) && (redacted || shown == value(source));
            if !right {
                violations.push(format!(
                    "--{} from {}: {shown:?} from {told:?}",
                    flag.name, words[source]
                ));
            }
        }
    }
    violations
}

#[test]
fn flags_come_before_the_environment_before_the_file_before_defaults() {
    let flags = every_flag();
    assert_eq!(violations(&flags, comes_from), Vec::<String>::new());
}

/// Control: the same check with another rule.
#[test]
fn another_precedence_is_noticed() {
    let flags = every_flag();
    let file_first = |file: bool, variable: bool, flag: bool| {
        if file {
            1
        } else {
            comes_from(file, variable, flag)
        }
    };
    let some: Vec<Flag> = flags
        .into_iter()
        .filter(|flag| ["addr", "demo", "workers"].contains(&&*flag.name))
        .collect();
    let found = violations(&some, file_first);
    for flag in &some {
        // File and variable, file and flag, all three.
        let of_flag = found
            .iter()
            .filter(|text| text.starts_with(&format!("--{} ", flag.name)));
        assert_eq!(of_flag.count(), 3, "{found:?}");
    }
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("tidemark.toml");
    let values = |ended: &Ended| -> Vec<String> {
        let lines = ended.output.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                line.rsplit_once(" # ")
                    .map_or(line, |(value, _)| value)
                    .to_owned()
            })
            .collect()
    };
    let flags = every_flag();
    let set: Vec<(&str, &str)> = flags
        .iter()
        .map(|flag| (&*flag.variable, &*flag.values[1]))
        .collect();
    for variables in [&[][..], &set] {
        let first = print(None, variables, &[]);
        std::fs::write(&path, &first.output).expect("a file can be written");
        let again = print(Some(&path), &[], &[]);
        assert_eq!(values(&again), values(&first), "{again:?}");
        assert!(values(&first).len() > 15, "{first:?}");
    }
}

#[test]
fn a_secret_is_neither_printed_nor_in_a_message_nor_in_help() {
    let secret = "http://ann:hunter2@collector:4318";
    let variables = [("TIDEMARK_OTLP_ENDPOINT", secret)];
    let printed = print(None, &variables, &[]);
    let (shown, source) = entry(&printed, "otlp-endpoint");
    assert_eq!(shown, "http://***@collector:4318", "{printed:?}");
    assert!(source.contains("TIDEMARK_OTLP_ENDPOINT") && printed.status.success());
    let help = print(None, &variables, &["--help".to_owned()]);
    assert!(help.output.contains("TIDEMARK_OTLP_ENDPOINT"), "{help:?}");
    let wrong = ["https://ann:hunter2@collector"].map(|url| format!("--otlp-endpoint={url}"));
    let refused = print(None, &[], &wrong);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.errors.contains("--otlp-endpoint"), "{refused:?}");
    for ended in [printed, help, refused] {
        assert!(
            !ended.output.contains("hunter2") && !ended.errors.contains("hunter2"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_file_that_is_wrong_is_named_with_key_and_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("tidemark.toml");
    let name = path.display().to_string();
    let missing = print(Some(&path), &[], &[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        missing
            .errors
            .contains(&format!("{name} cannot be read: No such file")),
        "{missing:?}"
    );
    std::fs::write(&path, "workers = 1\nadr = '[::1]:0'\nmax-body = 'much'\n")
        .expect("a file can be written");
    // A flag comes before the file, yet what is wrong in the file is not passed over.
    let flags = ["--max-body=1MiB".to_owned()];
    let wrong = print(Some(&path), &[], &flags);
    assert_eq!(wrong.status.code(), Some(2));
    for words in [
        format!("{name}:2: adr: no such key; did you mean addr?"),
        format!("{name}:3: max-body: \"much\" is refused"),
    ] {
        assert!(wrong.errors.contains(&words), "{wrong:?}");
    }
    assert_eq!(wrong.output, "", "{wrong:?}");
}

/// A server started with a file alone, named by the environment.
#[test]
fn a_server_starts_with_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("tidemark.toml");
    std::fs::write(
        &path,
        "addr = '127.0.0.1:0'\ndata-dir = 'store-of-the-file'\ndrain-delay = '0s'\n",
    )
    .expect("a file can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.env_clear().env("TIDEMARK_CONFIG", &path);
    command.arg("serve").current_dir(folder.path());
    let server = crate::binary::Tidemark::spawn(&mut command);
    let reply = crate::http::once(server.addr, "GET", "/health/ready", b"").expect("it listens");
    assert_eq!(reply.status, 200);
    assert!(folder.path().join("store-of-the-file/store").is_dir());
    server.stop();
}

/// What would be refused at the start is refused here as well, after it was printed.
#[test]
fn what_cannot_be_served_is_printed_and_refused() {
    let public = print(None, &[("TIDEMARK_ADDR", "192.0.2.1:8000")], &[]);
    assert_eq!(public.status.code(), Some(1), "{public:?}");
    assert_eq!(entry(&public, "addr").0, "192.0.2.1:8000");
    assert!(public.errors.contains("--insecure"), "{public:?}");
}

/// The file in the documents is what a server prints that was told nothing.
#[test]
fn the_documented_file_is_the_printed_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tidemark.toml");
    let printed = print(None, &[], &[]);
    assert!(printed.status.success(), "{printed:?}");
    if std::env::var_os("TIDEMARK_WRITE_DOCS").is_some() {
        std::fs::write(&path, &printed.output).expect("the document can be written");
    }
    let documented = std::fs::read_to_string(&path).expect("the document is there");
    assert!(
        documented == printed.output,
        "run it with TIDEMARK_WRITE_DOCS=1; now it prints\n{}",
        printed.output
    );
}
