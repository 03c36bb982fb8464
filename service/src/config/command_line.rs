//! Where values come from: defaults < file < environment < flags.
//!
//! The file's values are handed to clap as flags before the caller's own, but for what the caller or the environment
//! has set. So clap's parsers check them, and what a flag requires or excludes holds for them alike.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};

use super::file::ConfigFile;
use super::secret::Shown;
use super::{Cli, Command, print};

const SERVE: &str = "serve";
const CONFIG: &str = "config";
const PRINT: &str = "print-config";

/// What a process was asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// What to do.
    pub command: Command,
    /// The text of `--print-config`, if that was asked for instead of serving.
    pub print: Option<String>,
}

/// Reads the arguments of a process, its environment and the file that either names.
///
/// # Errors
/// What to tell the operator; also where help was asked for.
pub fn read(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<Invocation, clap::Error> {
    let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let command = command();
    // What is wrong with the flags is said below, where the file's values stand beside them.
    let first = command.clone().ignore_errors(true);
    let first = first.try_get_matches_from(&arguments)?;
    let mut file = None;
    if let Some(set) = first.subcommand_matches(SERVE)
        && let Some(path) = set.get_one::<PathBuf>(CONFIG)
    {
        let serve = serve(&command);
        let loaded = ConfigFile::load(path, serve);
        let mut loaded = loaded.map_err(|why| refused(&command, why))?;
        loaded.retain(|name| !flag(serve, name).is_some_and(|arg| is_set(set, arg)));
        // The name of the subcommand is the first argument that is no flag, and no flag before it takes a value.
        let at = arguments.iter().position(|argument| argument == SERVE);
        let at = at.map_or(arguments.len(), |at| at + 1);
        arguments.splice(at..at, loaded.flags().map(OsString::from));
        file = Some(loaded);
    }
    let matches = command.clone().try_get_matches_from(&arguments);
    let matches = matches.map_err(|error| without_secret(error, serve(&command)))?;
    let print = matches
        .subcommand_matches(SERVE)
        .filter(|serve| serve.get_flag(PRINT))
        .map(|matches| {
            print::toml(serve(&command), |arg| {
                print::Value::of(arg, matches, source(arg, matches, file.as_ref()))
            })
        });
    Ok(Invocation {
        command: Cli::from_arg_matches(&matches)?.command,
        print,
    })
}

/// The command line, with the flags that say where values come from.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
        .mut_subcommand(SERVE, |serve| {
            serve
                .mut_args(with_value)
                .arg(
                    Arg::new(CONFIG)
                        .long(CONFIG)
                        .env("TIDEMARK_CONFIG")
                        .value_name("FILE")
                        .value_parser(ValueParser::path_buf())
                        .help("TOML file with values for these flags; the environment and flags come before it"),
                )
                .arg(
                    Arg::new(PRINT)
                        .long(PRINT)
                        .action(ArgAction::SetTrue)
                        .help("Print what would be served with, as such a file, and where each value comes from"),
                )
        })
}

/// The flags of `serve` that a file may set.
pub fn flags(serve: &clap::Command) -> impl Iterator<Item = &Arg> {
    serve.get_arguments().filter(|arg| {
        let name = arg.get_long();
        matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
            && name.is_some_and(|name| name != CONFIG)
    })
}

/// The flag of `serve` by its name.
pub(super) fn flag<'a>(serve: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    flags(serve).find(|arg| arg.get_long() == Some(name))
}

fn serve(command: &clap::Command) -> &clap::Command {
    let serve = command.find_subcommand(SERVE);
    serve.expect("the command line has it")
}

/// `--flag=false` takes back what a file or the environment says. Help does not show what variables are set to: that
/// may be a secret.
fn with_value(arg: Arg) -> Arg {
    let arg = arg.hide_env_values(true);
    match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .value_parser(ValueParser::bool())
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .hide_possible_values(true),
        _ => arg,
    }
}

fn is_set(matches: &ArgMatches, arg: &Arg) -> bool {
    let source = matches.value_source(arg.get_id().as_str());
    matches!(
        source,
        Some(ValueSource::CommandLine | ValueSource::EnvVariable)
    )
}

/// Where a value comes from, in words.
fn source(arg: &Arg, matches: &ArgMatches, file: Option<&ConfigFile>) -> String {
    let name = arg.get_long().unwrap_or_default();
    let variable = arg.get_env().map(|variable| variable.display().to_string());
    match (matches.value_source(arg.get_id().as_str()), variable) {
        (Some(ValueSource::CommandLine), _) => match file {
            Some(file) if file.has(name) => file.path().display().to_string(),
            Some(_) | None => format!("--{name}"),
        },
        (Some(ValueSource::EnvVariable), Some(variable)) => variable,
        _ => "default".to_owned(),
    }
}

fn refused(command: &clap::Command, why: String) -> clap::Error {
    command.clone().error(ErrorKind::ValueValidation, why)
}

/// A message about a value that is wrong shows the value: not if it is a secret.
fn without_secret(mut error: clap::Error, serve: &clap::Command) -> clap::Error {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(usage)) => usage.clone(),
        _ => return error,
    };
    // "--addr <ADDR>" or "--addr=<ADDR>"
    let name = named.trim_start_matches('-');
    let name = name.split([' ', '=', '[']).next().unwrap_or_default();
    let value = match (flag(serve, name), error.get(ContextKind::InvalidValue)) {
        (Some(_), Some(ContextValue::String(value))) => Shown::of(name, value),
        _ => return error,
    };
    if let Shown::Redacted(value) = value {
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    }
    error
}
