//! The frame of every page: one file that needs nothing else. No script, no font, no image from
//! anywhere; the style sheets and the charts are part of the page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Colours of the light and the dark theme, and of charts that stand alone.
pub(super) const PALETTE: &str = include_str!("style/palette.css");
/// What charts look like.
pub(super) const CHARTS: &str = include_str!("style/charts.css");
const PAGE: &str = include_str!("style/page.css");
const PRINT: &str = include_str!("style/print.css");

/// A whole document.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(PALETTE)) (PreEscaped(PAGE)) (PreEscaped(CHARTS)) (PreEscaped(PRINT)) }
            }
            body { (body) }
        }
    };
    document.into_string()
}

/// A relative path within a link: whatever the folder is called, it cannot become an address.
pub(super) fn path(folder: &str) -> String {
    let mut out = String::from("./");
    for byte in folder.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
            out.push(byte.into());
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_never_an_address() {
        assert_eq!(path("00001-clients"), "./00001-clients");
        assert_eq!(
            path("javascript:alert(1)\"<"),
            "./javascript%3Aalert%281%29%22%3C"
        );
    }
}
