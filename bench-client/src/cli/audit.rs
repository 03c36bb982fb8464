//! `tidemark-bench audit`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandError, EXIT_WRONG};
use crate::api_key::ApiKey;
use crate::audit::{self, Audit};
use crate::base_url::BaseUrl;
use crate::console;
use crate::results::text::count;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench run --workload fit --ledger fits.ledger
  tidemark-bench audit --ledger fits.ledger
  tidemark-bench audit --ledger fits.ledger --base-url http://10.0.0.7:8000 --json

It asks the server for every version that the ledger knows of, and changes nothing. Exit codes: 0 everything that was acknowledged
is there, once, as it was sent, in order; 1 the audit could not be made; 2 usage; 4 something is lost, duplicated, corrupted or out
of order.";

/// Flags of `tidemark-bench audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The ledger, as `run --ledger` wrote it
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,

    /// The server to be audited [default: the one that was written to]
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,

    /// Environment variable with the API key to send
    #[arg(long, value_name = "VAR", value_parser = ApiKey::from_env, requires = "base_url")]
    api_key_env: Option<ApiKey>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AuditArgs) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let base = args.base_url.clone();
    let base = base.map(|base| base.with_key(args.api_key_env.clone()));
    let audit = runtime.block_on(audit::audit(&args.ledger, base.as_ref()))?;
    if args.json {
        console::out(format_args!("{:#}", serde_json::json!(audit)));
    } else {
        print(&audit);
    }
    Ok(match audit.passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EXIT_WRONG),
    })
}

fn print(audit: &Audit) {
    if audit.torn {
        console::out("the ledger's last line was cut off, and is left out");
    }
    console::out(format_args!(
        "{} series: {} writes acknowledged, {} unknown, {} refused",
        count(audit.series),
        count(audit.acknowledged),
        count(audit.unknown),
        count(audit.refused)
    ));
    for (name, n, means) in [
        ("present", audit.present, "acknowledged and there"),
        ("resurrected", audit.resurrected, "there, and nobody knew"),
        ("lost", audit.lost, "acknowledged and not there"),
        ("duplicated", audit.duplicated, "there once too often"),
        ("corrupted", audit.corrupted, "not what was sent"),
        ("gaps", audit.gaps, "numbers that are missing"),
        (
            "order",
            audit.order,
            "numbers that no order of the writes explains",
        ),
    ] {
        console::out(format_args!("  {name:<12}{:>9}  {means}", count(n)));
    }
    if audit.content_unchecked > 0 {
        console::out(format_args!(
            "  the server shows no content of {} of those present",
            count(audit.content_unchecked)
        ));
    }
    for finding in &audit.findings {
        console::out(format_args!("{finding}"));
    }
    console::out(match audit.passed() {
        true => "PASSED: everything that was acknowledged is there",
        false => "FAILED",
    });
}
