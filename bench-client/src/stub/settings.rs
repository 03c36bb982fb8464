//! What a stub does.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// What a stub does. The default answers everything at once, on a free port.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Port on 127.0.0.1; 0 is a free one.
    pub port: u16,
    /// What a request costs, or a point of a batch.
    pub delay: Duration,
    /// Delays that a batch costs, instead of one a point.
    pub batch_cost: Option<f64>,
    /// When it answers nothing.
    pub stall: Option<Stall>,
    /// Statuses instead of an answer, with the share of requests that get them.
    pub respond: Vec<Refusal>,
    /// Share of requests whose connection is closed without a word.
    pub drop: f64,
    /// Threads that serve, each with its own connections.
    pub threads: usize,
    /// Requests handled at once; others queue.
    pub capacity: Option<usize>,
    /// Fits the reference model and keeps what it is sent, so that answers are right.
    pub learn: bool,
    /// One of so many answers to points is wrong, as a share; it takes [`learn`](Self::learn).
    pub wrong: f64,
    /// One of so many writes is acknowledged and not kept, as a share; it takes
    /// [`learn`](Self::learn).
    pub lose_ack: f64,
    /// Decides which requests are refused or dropped, which answers are wrong and which writes lost.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            delay: Duration::ZERO,
            batch_cost: None,
            stall: None,
            respond: Vec::new(),
            drop: 0.0,
            threads: 1,
            capacity: None,
            learn: false,
            wrong: 0.0,
            lose_ack: 0.0,
            seed: 0,
        }
    }
}

impl Settings {
    /// Whether all shares together are at most 1.
    #[must_use]
    pub fn shares_fit(&self) -> bool {
        let refused: f64 = self.respond.iter().map(|refusal| refusal.share).sum();
        self.drop + refused <= 1.0 + f64::EPSILON
    }
}

/// A time without answers. Requests that come in it, or would be answered in it, are answered after
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Its length.
    pub length: Duration,
    /// Its start, after the first request.
    pub after: Duration,
}

/// A status that some requests get instead of an answer, at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refusal {
    /// 300 to 599, but not 304, which has no body.
    pub status: u16,
    /// Above 0, at most 1.
    pub share: f64,
}

impl FromStr for Stall {
    type Err = String;

    /// Length and start, such as `2s@4s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: expected a length and a start, such as 2s@4s");
        let (length, after) = text.split_once('@').ok_or_else(wanted)?;
        let time = |text: &str| {
            let parsed: Option<SignedDuration> = text.trim().parse().ok();
            parsed.and_then(|time| Duration::try_from(time).ok())
        };
        let length = time(length).ok_or_else(wanted)?;
        let after = time(after).ok_or_else(wanted)?;
        Ok(Self { length, after })
    }
}

impl FromStr for Refusal {
    type Err = String;

    /// Status and share, such as `503:0.1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':');
        let refusal = parts.and_then(|(status, share)| {
            Some(Self {
                status: status.trim().parse().ok()?,
                share: share.trim().parse().ok()?,
            })
        });
        let refusal = refusal
            .ok_or_else(|| format!("`{text}`: expected a status and a share, such as 503:0.1"))?;
        if !(300..600).contains(&refusal.status) || refusal.status == 304 {
            return Err(format!("`{text}`: a status is 300 to 599, but not 304"));
        }
        if !(refusal.share > 0.0 && refusal.share <= 1.0) {
            return Err(format!("`{text}`: a share is above 0 and at most 1"));
        }
        Ok(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_settings() {
        let stall: Stall = "2s@500ms".parse().unwrap();
        assert_eq!(stall.length, Duration::from_secs(2));
        assert_eq!(stall.after, Duration::from_millis(500));
        let refusal: Refusal = "503:0.25".parse().unwrap();
        assert_eq!((refusal.status, refusal.share), (503, 0.25));
    }

    #[test]
    fn wrong_texts_say_what_was_expected() {
        for text in ["2s", "2@4", "-1s@2s", "@"] {
            let error = text.parse::<Stall>().unwrap_err();
            assert!(error.contains("such as 2s@4s"), "{error}");
        }
        for text in [
            "503", "200:0.1", "304:0.1", "600:0.1", "503:0", "503:1.1", "503:nan", "x:1",
        ] {
            let error = text.parse::<Refusal>().unwrap_err();
            assert!(error.starts_with(&format!("`{text}`: ")), "{error}");
        }
    }

    #[test]
    fn shares_are_shares_of_one_whole() {
        let respond = vec!["503:0.6".parse().unwrap(), "500:0.3".parse().unwrap()];
        let mut settings = Settings {
            respond,
            drop: 0.1,
            ..Settings::default()
        };
        assert!(settings.shares_fit());
        settings.drop = 0.2;
        assert!(!settings.shares_fit());
    }
}
