//! `tidemark keys create`, `list` and `revoke`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{KeyFile, KeyRecord};
use crate::config::KeysCommand;

/// What a command prints.
pub struct Printed {
    /// To stdout.
    pub output: String,
    /// A word to the operator, to stderr.
    pub remark: Option<String>,
}

/// Does what the command asks for.
///
/// # Errors
/// A sentence for the operator; nothing is changed then.
pub fn run(command: &KeysCommand) -> Result<Printed, String> {
    let done = match command {
        KeysCommand::Create { tenant, scopes, at } => KeyFile::change(&at.file(), |file| {
            let key = file.create(tenant, *scopes, now())?;
            Ok(Printed {
                output: format!("{}\n", key.reveal()),
                remark: Some("this is the only time the key is shown".to_owned()),
            })
        }),
        KeysCommand::List { json, at } => KeyFile::read(&at.file()).map(|file| Printed {
            output: list(file.as_ref().map_or(&[], KeyFile::keys), *json),
            remark: file
                .is_none()
                .then(|| format!("there is no file {} yet", at.file().display())),
        }),
        KeysCommand::Revoke { id, at } => {
            let path = at.file();
            if !path.exists() {
                return Err(format!("there is no file {}", path.display()));
            }
            KeyFile::change(&path, |file| {
                let was_live = file.revoke(id, now())?;
                Ok(Printed {
                    output: String::new(),
                    remark: (!was_live).then(|| format!("{id} was revoked before")),
                })
            })
        }
    };
    done.map_err(|error| error.to_string())
}

/// Whole seconds: nobody asks for more of a key.
fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// A key without its digest, which is of no use to anybody.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    tenant: &'a str,
    scopes: Vec<&'static str>,
    created: Timestamp,
    revoked: Option<Timestamp>,
}

fn list(keys: &[KeyRecord], as_json: bool) -> String {
    if as_json {
        let listed: Vec<Listed<'_>> = keys
            .iter()
            .map(|key| Listed {
                id: &key.id,
                tenant: key.tenant.as_str(),
                scopes: key.scopes.iter().map(super::Scope::as_str).collect(),
                created: key.created,
                revoked: key.revoked,
            })
            .collect();
        let text = serde_json::to_string_pretty(&listed);
        return text.expect("text and times serialise") + "\n";
    }
    let width = |of: fn(&KeyRecord) -> usize| keys.iter().map(of).max().unwrap_or(0).max(8);
    let (tenants, scopes) = (
        width(|key| key.tenant.as_str().len()),
        width(|key| key.scopes.to_string().len()),
    );
    let mut text = format!(
        "{:8}  {:tenants$}  {:scopes$}  {:20}  REVOKED\n",
        "ID", "TENANT", "SCOPES", "CREATED"
    );
    for key in keys {
        let revoked = key
            .revoked
            .map_or_else(|| "-".to_owned(), |at| at.to_string());
        let (tenant, of, created) = (&key.tenant, key.scopes.to_string(), key.created.to_string());
        let _ = writeln!(
            text,
            "{:8}  {tenant:tenants$}  {of:scopes$}  {created:20}  {revoked}",
            key.id
        );
    }
    text
}
