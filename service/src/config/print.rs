//! `--print-config`: what would be served with, as a file that `--config` takes.

use std::any::TypeId;

use clap::{Arg, ArgAction, ArgMatches};
use toml_edit::{Array, Formatted, Value as Toml};

use super::command_line::flags;
use super::secret::Shown;

/// Columns of a comment.
const WIDTH: usize = 100;

/// How a flag's value is written in TOML.
pub(super) struct Kind {
    bool: bool,
    number: bool,
    fraction: bool,
    pub(super) repeats: bool,
}

impl Kind {
    pub(super) fn of(arg: &Arg) -> Self {
        let parsed = arg.get_value_parser().type_id();
        let is = |types: &[TypeId]| types.iter().any(|one| parsed == *one);
        let fraction = is(&[TypeId::of::<f64>(), TypeId::of::<f32>()]);
        let whole = is(&[
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i8>(),
            TypeId::of::<i16>(),
            TypeId::of::<i32>(),
            TypeId::of::<i64>(),
            TypeId::of::<isize>(),
        ]);
        Self {
            bool: is(&[TypeId::of::<bool>()]),
            number: whole || fraction,
            fraction,
            repeats: matches!(arg.get_action(), ArgAction::Append),
        }
    }

    /// What the flag would be given for `value`. A value has one form: a number stands without quotes.
    pub(super) fn text(&self, value: &Toml) -> Result<String, String> {
        match value {
            Toml::Boolean(value) if self.bool => Ok(value.value().to_string()),
            Toml::Integer(value) if self.number => Ok(value.value().to_string()),
            Toml::Float(value) if self.fraction => Ok(value.value().to_string()),
            Toml::String(text) if self.as_number(text.value()).is_some() => {
                Err("expected a number without quotes".to_owned())
            }
            Toml::String(text) if !self.bool => Ok(text.value().clone()),
            other => {
                let expected = match self {
                    Self { bool: true, .. } => "true or false",
                    Self { fraction: true, .. } => "a number",
                    Self { number: true, .. } => {
                        "a whole number, or a string with a unit where the flag takes one"
                    }
                    Self { repeats: true, .. } => "a string or an array of them",
                    _ => "a string",
                };
                let article = if other.is_array() || other.is_integer() || other.is_inline_table() {
                    "an"
                } else {
                    "a"
                };
                Err(format!(
                    "expected {expected}, not {article} {}",
                    other.type_name()
                ))
            }
        }
    }

    /// What reads back as `text`.
    fn toml(&self, text: &str) -> Toml {
        match text.parse() {
            Ok(value) if self.bool => Toml::Boolean(Formatted::new(value)),
            _ => self.as_number(text).unwrap_or_else(|| text.into()),
        }
    }

    fn as_number(&self, text: &str) -> Option<Toml> {
        if !self.number {
            return None;
        }
        let whole = text.parse().ok().map(|whole: i64| whole.into());
        let fraction = || {
            let fraction = self.fraction.then(|| text.parse().ok()).flatten();
            fraction.map(|fraction: f64| fraction.into())
        };
        whole.or_else(fraction)
    }
}

/// The value of a flag, as text, and where it comes from.
pub(super) struct Value {
    texts: Option<Vec<String>>,
    source: String,
}

impl Value {
    pub(super) fn of(arg: &Arg, matches: &ArgMatches, source: String) -> Self {
        let texts = matches.get_raw(arg.get_id().as_str()).map(|texts| {
            let text = texts.map(|text| text.to_string_lossy().into_owned());
            text.collect()
        });
        Self { texts, source }
    }
}

/// A file with the values of all flags of `serve`. What is not set, and what is not shown, stands in a comment.
pub(super) fn toml(serve: &clap::Command, value: impl Fn(&Arg) -> Value) -> String {
    let mut text =
        "# What `tidemark serve` was told, and where each value comes from.\n".to_owned();
    for arg in flags(serve) {
        let name = arg.get_long().unwrap_or_default();
        text.push('\n');
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for line in wrapped(&help) {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&entry(name, &Kind::of(arg), &value(arg)));
    }
    text
}

fn entry(name: &str, kind: &Kind, value: &Value) -> String {
    let Some(texts) = &value.texts else {
        return format!("# {name} is not set\n");
    };
    let source = &value.source;
    let mut redacted = false;
    let shown = texts.iter().map(|text| match Shown::of(name, text) {
        Shown::Whole(text) => kind.toml(&text),
        Shown::Redacted(text) => {
            redacted = true;
            text.into()
        }
    });
    let shown: Vec<Toml> = shown.collect();
    let shown = match <[Toml; 1]>::try_from(shown) {
        Ok([one]) if !kind.repeats => one,
        Ok(one) => Toml::Array(Array::from_iter(one)),
        Err(many) => Toml::Array(Array::from_iter(many)),
    };
    if redacted {
        return format!("# {name} = {shown} # {source}; a secret is left out, so give it again\n");
    }
    format!("{name} = {shown} # {source}\n")
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
