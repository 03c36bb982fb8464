//! `docs/problems.md` is the table of problem codes and nothing else.

use std::fmt::Write;

use api::Code;

const PAGE: &str = include_str!("../../docs/problems.md");

fn page() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Every refusal is an RFC 9457 document (`application/problem+json`) with one of these codes in `code`; its\n\
         `type` is `/problems/<code>`, a page of the server with the same text. `errors[].loc` names the field and the\n\
         first offending index. Codes are stable. The page is written by `api/tests/problems_page.rs`.\n\n\
         | code | status | meaning | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let row = code.row();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            row.slug, row.status, row.title, row.advice
        );
    }
    page
}

#[test]
fn the_page_shows_the_table() {
    if std::env::var_os("TIDEMARK_WRITE_DOCS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems.md"),
            page(),
        )
        .unwrap();
        return;
    }
    assert!(
        PAGE == page(),
        "docs/problems.md is not the table: run TIDEMARK_WRITE_DOCS=1 cargo test -p api"
    );
}
