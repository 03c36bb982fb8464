//! The TOML file: its keys are the names of flags, `max-body = "64MiB"`.

use std::path::{Path, PathBuf};

use clap::Arg;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use toml_edit::{Document, Item, Value};

use super::command_line::{flag, flags};
use super::print::Kind;
use super::secret::Shown;

/// A file whose every key is a flag and whose every value that flag takes.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    values: Vec<(String, Vec<String>)>,
}

impl ConfigFile {
    /// Reads `path` and checks it against the flags of `serve`.
    ///
    /// # Errors
    /// A line for each thing that is wrong, with file, line and key.
    pub(super) fn load(path: &Path, serve: &clap::Command) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let values = parse(&text, serve);
        let values = values.map_err(|faults| {
            let lines = faults.iter().map(|(line, fault)| match line {
                Some(line) => format!("{}:{line}: {fault}", path.display()),
                None => format!("{}: {fault}", path.display()),
            });
            lines.collect::<Vec<_>>().join("\n")
        })?;
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| key == name)
    }

    /// Forgets the values of all other flags.
    pub(super) fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.values.retain(|(key, _)| wanted(key));
    }

    /// Each value as a flag, `--key=value`.
    pub(super) fn flags(&self) -> impl Iterator<Item = String> {
        self.values.iter().flat_map(|(key, texts)| {
            let flag = move |text| format!("--{key}={text}");
            texts.iter().map(flag)
        })
    }
}

type Fault = (Option<usize>, String);

fn parse(text: &str, serve: &clap::Command) -> Result<Vec<(String, Vec<String>)>, Vec<Fault>> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map(|span| line(span.start));
        vec![(at, format!("no TOML: {}", error.message()))]
    })?;
    let mut values = Vec::new();
    let mut faults = Vec::new();
    for (key, item) in document.iter() {
        let read = match flag(serve, key) {
            Some(arg) => read(arg, item).and_then(|texts| {
                accepted(serve, arg, &texts)?;
                Ok(texts)
            }),
            None => Err(unknown(key, serve)),
        };
        match read {
            Ok(texts) => values.push((key.to_owned(), texts)),
            Err(fault) => {
                let span = document.key(key).and_then(toml_edit::Key::span);
                let at = span.or_else(|| item.span()).map(|span| line(span.start));
                faults.push((at, format!("{key}: {fault}")));
            }
        }
    }
    if faults.is_empty() {
        Ok(values)
    } else {
        Err(faults)
    }
}

fn unknown(key: &str, serve: &clap::Command) -> String {
    let names = flags(serve).filter_map(Arg::get_long);
    let near = names.map(|name| (strsim::jaro_winkler(key, name), name));
    // What clap takes for near enough to be meant.
    let near = near.filter(|(likeness, _)| *likeness > 0.7);
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, name)) => format!("no such key; did you mean {name}?"),
        None => "no such key; keys are the flags of `tidemark serve --help` without --".to_owned(),
    }
}

/// The value as texts, one for each time the flag would be given.
fn read(arg: &Arg, item: &Item) -> Result<Vec<String>, String> {
    let kind = Kind::of(arg);
    match item {
        Item::Value(Value::Array(array)) if kind.repeats => {
            array.iter().map(|value| kind.text(value)).collect()
        }
        Item::Value(value) => Ok(vec![kind.text(value)?]),
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => {
            Err("a table; keys stand by themselves, without [section] or dots".to_owned())
        }
    }
}

/// Whether the flag's own parser takes the texts, whatever other flags and variables say.
fn accepted(serve: &clap::Command, arg: &Arg, texts: &[String]) -> Result<(), String> {
    let name = arg.get_long().unwrap_or_default();
    let lines = texts.iter().map(|text| format!("--{name}={text}"));
    let alone = serve.clone().no_binary_name(true);
    let alone = alone.mut_args(|arg| arg.env(None::<&'static str>));
    let Err(error) = alone.try_get_matches_from(lines) else {
        return Ok(());
    };
    // What else has to be there, or must not be, may be said elsewhere.
    let of_others = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::ArgumentConflict,
    ];
    if of_others.contains(&error.kind()) {
        return Ok(());
    }
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value,
        _ => "",
    };
    let (Shown::Whole(value) | Shown::Redacted(value)) = Shown::of(name, value);
    let reason = match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
            format!("expected one of {}", valid.join(", "))
        }
        (kind, _) => match std::error::Error::source(&error) {
            Some(source) => source.to_string(),
            None => kind.to_string(),
        },
    };
    Err(format!("{value:?} is refused: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command_line::command;

    fn parsed(text: &str) -> Result<Vec<(String, Vec<String>)>, Vec<Fault>> {
        let command = command();
        parse(text, command.find_subcommand("serve").unwrap())
    }

    #[test]
    fn keys_are_names_of_flags_and_values_have_their_types() {
        let text = "addr = '[::1]:0' # loopback\nworkers = 4\ntrace-sample = 0.5\ndemo = true\nmax-body = '2MiB'\n\
                    memory-budget = 1073741824\ntrace-sample-2 = 1";
        assert_eq!(parsed(text).unwrap_err().len(), 1, "the last one");
        let text = text.rsplit_once('\n').unwrap().0;
        let expected = [
            ("addr", "[::1]:0"),
            ("workers", "4"),
            ("trace-sample", "0.5"),
            ("demo", "true"),
            ("max-body", "2MiB"),
            ("memory-budget", "1073741824"),
        ];
        let expected = expected.map(|(key, text)| (key.to_owned(), vec![text.to_owned()]));
        assert_eq!(parsed(text), Ok(expected.to_vec()));
        assert_eq!(parsed("trace-sample = 1").unwrap()[0].1, ["1"]);
        assert_eq!(parsed(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_its_key() {
        for (text, line, words) in [
            (
                "adr = '127.0.0.1:1'",
                1,
                "adr: no such key; did you mean addr?",
            ),
            ("\nmax_body = '1MiB'", 2, "did you mean max-body?"),
            ("zebra = 1", 1, "keys are the flags"),
            ("config = 'other.toml'", 1, "no such key"),
            ("print-config = true", 1, "no such key"),
            ("help = true", 1, "no such key"),
            ("[addr]\nport = 1", 1, "addr: a table"),
            ("[[workers]]", 1, "workers: a table"),
            ("workers.most = 1", 1, "workers: a"),
            (
                "workers = '4'",
                1,
                "workers: expected a number without quotes",
            ),
            ("workers = -1", 1, "workers: \"-1\" is refused"),
            ("workers = 1.5", 1, "workers: expected a whole number"),
            ("workers = [1]", 1, "where the flag takes one, not an array"),
            ("demo = 'true'", 1, "demo: expected true or false"),
            ("demo = 1", 1, "demo: expected true or false"),
            ("addr = 8000", 1, "addr: expected a string"),
            ("addr = true", 1, "addr: expected a string"),
            (
                "addr = 'nowhere'",
                1,
                "addr: \"nowhere\" is refused: invalid socket",
            ),
            ("drain-delay = '5'", 1, "500ms"),
            (
                "drain-delay = 1979-05-27",
                1,
                "drain-delay: expected a string",
            ),
            ("max-body = 'much'", 1, "512MiB"),
            ("log-format = 'xml'", 1, "expected one of auto, text, json"),
            ("trace-sample = 2.0", 1, "a share from 0 to 1"),
            ("trace-sample = nan", 1, "a share from 0 to 1"),
            (
                "max-connections = 0",
                1,
                "max-connections: \"0\" is refused",
            ),
            ("workers = 1\nworkers = 2", 2, "no TOML: duplicate key"),
            ("workers 1", 1, "no TOML"),
            (
                "otlp-endpoint = 'https://ann:pw@host'",
                1,
                "https://***@host",
            ),
        ] {
            let faults = parsed(text).expect_err(text);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert_eq!(faults[0].0, Some(line), "{text}: {faults:?}");
            assert!(faults[0].1.contains(words), "{text}: {faults:?}");
            assert!(!faults[0].1.contains("pw@"), "{text}: {faults:?}");
        }
    }

    #[test]
    fn a_value_that_needs_another_is_looked_at_by_itself() {
        let serve = clap::Command::new("serve")
            .arg(Arg::new("a").long("a").requires("b"))
            .arg(Arg::new("b").long("b").value_parser(["1", "2"]));
        assert!(parse("a = 'x'", &serve).is_ok(), "b may be a flag");
        let faults = parse("a = 'x'\nb = '3'", &serve).unwrap_err();
        assert_eq!(faults[0].0, Some(2), "{faults:?}");
        assert!(faults[0].1.contains("expected one of 1, 2"), "{faults:?}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let faults = parsed("adr = 1\nworkers = true\ndemo = true").unwrap_err();
        let lines: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [Some(1), Some(2)]);
    }
}
