//! Which values are not shown: neither by `--print-config` nor in a message about them.

/// Parts of names that sound like a secret's.
const SOUNDS_SECRET: [&str; 7] = [
    "credential",
    "key",
    "passphrase",
    "password",
    "secret",
    "token",
    "dsn",
];

/// Flags whose names sound like a secret's and whose values are none. Whoever adds a flag with such a name decides here;
/// until then its value is redacted.
const NO_SECRETS: [(&str, &str); 3] = [
    ("idempotency-keys", "a count"),
    ("keys", "the path of a file"),
    ("tls-key", "the path of a file"),
];

/// In place of what is not shown.
const HIDDEN: &str = "***";

/// How a value is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As it is.
    Whole(String),
    /// With this text in place of it.
    Redacted(String),
}

impl Shown {
    /// How the value of the flag `name` is shown. User and password in a URL are not, whatever the flag.
    pub(super) fn of(name: &str, value: &str) -> Self {
        if sounds_secret(name) && !NO_SECRETS.iter().any(|(plain, _)| *plain == name) {
            return Self::Redacted(HIDDEN.to_owned());
        }
        let Some((scheme, rest)) = value.split_once("://") else {
            return Self::Whole(value.to_owned());
        };
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A password may hold what ends an authority, if it was not encoded: then everything up to the last @ goes.
        match (rest[..authority].rfind('@'), rest.rfind('@')) {
            (None, None) => Self::Whole(value.to_owned()),
            (Some(at), _) | (None, Some(at)) => {
                Self::Redacted(format!("{scheme}://{HIDDEN}{}", &rest[at..]))
            }
        }
    }
}

/// Whether a flag's name sounds like a secret's.
fn sounds_secret(name: &str) -> bool {
    SOUNDS_SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command_line::{command, flags};

    /// Names of flags that sound like a secret's, without a word on whether they are one.
    fn undecided<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let decided = |name: &str| {
            let secrets = SECRETS.contains(&name);
            secrets || NO_SECRETS.iter().any(|(plain, _)| *plain == name)
        };
        names
            .filter(|name| sounds_secret(name) && !decided(name))
            .collect()
    }

    /// Flags whose values are secrets.
    const SECRETS: [&str; 0] = [];

    #[test]
    fn a_flag_that_sounds_secret_needs_a_decision() {
        let command = command();
        let serve = command.find_subcommand("serve").unwrap();
        let names: Vec<_> = flags(serve).filter_map(clap::Arg::get_long).collect();
        assert_eq!(
            undecided(names.iter().copied()),
            Vec::<&str>::new(),
            "add each to NO_SECRETS with the reason, or to SECRETS"
        );
        assert_eq!(undecided(["otlp-token"].into_iter()), ["otlp-token"]);
    }

    #[test]
    fn what_sounds_secret_is_redacted_unless_decided() {
        let hidden = Shown::Redacted("***".to_owned());
        assert_eq!(Shown::of("store-password", "abc"), hidden);
        assert_eq!(Shown::of("otlp-token", ""), hidden);
        let shown = Shown::of("idempotency-keys", "10");
        assert_eq!(shown, Shown::Whole("10".to_owned()));
    }

    #[test]
    fn who_a_url_logs_in_as_is_redacted() {
        for (url, shown) in [
            ("http://ann:pw@host:4318/x", "http://***@host:4318/x"),
            ("postgres://ann@host", "postgres://***@host"),
            ("http://ann:p@w@host", "http://***@host"),
            ("http://ann:p/w@host/x", "http://***@host/x"),
        ] {
            assert_eq!(Shown::of("any", url), Shown::Redacted(shown.to_owned()));
        }
        for url in ["http://host:4318/x", "info,request=debug", "@", ""] {
            assert_eq!(Shown::of("any", url), Shown::Whole(url.to_owned()));
        }
    }
}
