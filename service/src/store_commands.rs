//! `tidemark verify` and `tidemark repair`: a store that no server has open.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::config::{RepairConfig, VerifyConfig};
use crate::store::{EmbeddedOptions, Finding, KeepAnswers, StoreError, accept_loss, verify};

/// Found to be damaged or incomplete.
const FINDINGS: u8 = 1;
/// Not read.
const UNREAD: u8 = 2;

/// Reads all of a store; prints a line for each finding and a summary.
#[must_use]
pub fn verify_store(config: &VerifyConfig) -> ExitCode {
    let told = options(&config.data_dir).and_then(|options| {
        verify(&options, |finding| say(finding, config.json)).map_err(|error| words(&error))
    });
    match told {
        Ok(verified) => {
            if config.json {
                println!("{}", json!({ "summary": verified }));
            } else {
                println!(
                    "{} findings in {} series with {} versions, {} aliases, {} online states, {} kept answers \
                     and {} documents, {} commits",
                    verified.findings,
                    verified.series,
                    verified.versions,
                    verified.aliases,
                    verified.states,
                    verified.answers,
                    verified.documents,
                    verified.last_commit
                );
            }
            match verified.findings {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::from(FINDINGS),
            }
        }
        Err(reason) => {
            if config.json {
                println!("{}", json!({ "error": reason }));
            }
            eprintln!("tidemark: {reason}");
            ExitCode::from(UNREAD)
        }
    }
}

fn say(finding: &Finding, as_json: bool) {
    if as_json {
        println!("{}", json!({ "finding": finding }));
    } else {
        println!("{finding}");
    }
}

/// Goes on with a store of which commits are missing, if it is told to.
///
/// # Errors
/// A sentence for the operator.
pub fn repair(config: &RepairConfig) -> Result<(), String> {
    if !config.accept_loss {
        return Err(
            "nothing was changed: --accept-loss goes on without the commits that are missing, and version \
             numbers among them are given again; restoring a backup does not"
                .into(),
        );
    }
    let options = options(&config.data_dir)?;
    match accept_loss(&options).map_err(|error| words(&error))? {
        None => println!("nothing is missing"),
        Some(incomplete) => {
            for finding in incomplete.findings {
                println!("accepted: {finding}");
            }
        }
    }
    Ok(())
}

/// Options to open a store that is there; no kept answer is too old for it.
fn options(data_dir: &Path) -> Result<EmbeddedOptions, String> {
    let path = data_dir.join("store");
    if !path.is_dir() {
        return Err(format!("there is no store at {}", path.display()));
    }
    let answers = KeepAnswers {
        ttl: Duration::MAX,
        max: u64::MAX,
    };
    Ok(EmbeddedOptions {
        answers,
        ..EmbeddedOptions::at(path)
    })
}

fn words(error: &StoreError) -> String {
    match error {
        StoreError::Locked(_) => format!("{error}: stop the server first"),
        _ => format!("cannot open the store: {error}"),
    }
}
