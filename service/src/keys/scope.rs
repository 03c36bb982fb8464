//! What a key may be used for. No scope implies another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Make versions and teach online states.
    Fit,
    /// Ask models, and read what is known of a series.
    Predict,
    /// Change what others are answered, delete, and read what the whole server tells of itself.
    Admin,
}

impl Scope {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Fit, Self::Predict, Self::Admin];

    /// The scope as flags, files and replies name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Predict => "predict",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scopes of a key: at least one, each once, in the order of [`Scope::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes([bool; Scope::ALL.len()]);

impl Scopes {
    /// Whether `scope` is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0[scope as usize]
    }

    /// Those there are.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl TryFrom<Vec<Scope>> for Scopes {
    type Error = String;

    fn try_from(scopes: Vec<Scope>) -> Result<Self, String> {
        let mut has = [false; Scope::ALL.len()];
        for scope in &scopes {
            if std::mem::replace(&mut has[*scope as usize], true) {
                return Err(format!("the scope {scope} is there twice"));
            }
        }
        if scopes.is_empty() {
            return Err("a key needs a scope".to_owned());
        }
        Ok(Self(has))
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            scope.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scope = |word: &str| {
            let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            known.ok_or_else(|| {
                format!("{word:?} is not a scope: expected some of fit,predict,admin")
            })
        };
        let scopes: Result<Vec<Scope>, String> = text.split(',').map(scope).collect();
        Self::try_from(scopes?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_in_one_order() {
        let scopes: Scopes = "admin,fit".parse().unwrap();
        assert_eq!(scopes.to_string(), "fit,admin");
        assert_eq!(
            Scope::ALL.map(|scope| scopes.has(scope)),
            [true, false, true]
        );
        for text in ["", "fit,", "fit,fit", "write", "Fit", "fit, predict"] {
            assert!(text.parse::<Scopes>().is_err(), "{text:?}");
        }
    }
}
