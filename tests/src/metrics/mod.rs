//! `GET /metrics`: well formed, in agreement with what clients received, and no longer for what they sent.

mod exposition;
mod replies;
mod work;

use std::collections::BTreeSet;

use exposition::Exposition;

use crate::server::Server;

/// What the server tells now.
async fn scrape(server: &Server) -> Exposition {
    let reply = server.get("/metrics").await;
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(reply.body).expect("text");
    Exposition::read(&text).unwrap()
}

#[tokio::test]
async fn both_formats_tell_the_same_families() {
    let server = Server::start().await;
    let plain = server.get("/metrics").await;
    let kind = plain.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let open = [(
        "accept",
        "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    )];
    let open = server.send("GET", "/metrics", &open, "").await;
    let kind = open.header("content-type").unwrap_or_default();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let (plain, open) = (plain.body, open.body);
    assert!(open.ends_with(b"# EOF\n"));
    let read = |text: &[u8]| Exposition::read(std::str::from_utf8(text).unwrap()).unwrap();
    let name = |(name, kind): (&String, &String)| match kind.as_str() {
        "counter" => name.trim_end_matches("_total").to_owned(),
        _ => name.trim_end_matches("_info").to_owned(),
    };
    let (plain, open) = (read(&plain), read(&open));
    let names = |of: &Exposition| -> BTreeSet<String> { of.families.iter().map(name).collect() };
    assert_eq!(names(&plain), names(&open));
    let head = server.send("HEAD", "/metrics", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}
