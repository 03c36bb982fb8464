//! `/docs` in Chromium, on a network that leads nowhere: all that it needs comes from the server.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::binary::{Tidemark, program, serve_arguments};
use crate::namespace::Namespace;

const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

/// A network with nothing but its own loopback.
struct Island(Namespace);

impl Island {
    fn new() -> Self {
        Self(Namespace::of("--net", "ip link set lo up"))
    }

    /// The page at `address` once its scripts have run, as HTML.
    fn page(&self, address: &str, profile: &Path) -> String {
        let mut command = self.0.inside(Path::new("chromium"));
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .arg("--disable-dev-shm-usage")
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(["--virtual-time-budget=20000", "--dump-dom", address])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let done = command.output();
        let done = done.expect("this test needs nsenter: apt-get install util-linux");
        assert!(
            done.status.success(),
            "this test needs chromium: apt-get install chromium; {:?}",
            done.status
        );
        String::from_utf8(done.stdout).expect("HTML is text")
    }
}

/// As the viewer names the elements of operations.
fn operations() -> Vec<String> {
    let document: Value = serde_json::from_str(DOCUMENT).expect("it is JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|item| item.as_object().expect("operations").values());
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    operations
        .map(|it| {
            let (tag, id) = (text(&it["tags"][0]), text(&it["operationId"]));
            format!(r#"id="operations-{tag}-{id}""#)
        })
        .collect()
}

fn missing(page: &str) -> Vec<String> {
    let mut operations = operations();
    operations.retain(|operation| !page.contains(operation));
    operations
}

#[test]
fn the_api_document_is_shown_without_a_network() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let island = Island::new();
    let mut command = island.0.inside(&program());
    serve_arguments(&mut command, &folder.path().join("data"), &[]);
    let server = Tidemark::spawn(&mut command);
    let address = format!("http://{}/docs", server.addr);
    let page = island.page(&address, &folder.path().join("profile"));
    assert_eq!(missing(&page), [""; 0]);
    assert!(
        !page.contains("errors-wrapper"),
        "the viewer shows no error"
    );
    server.stop();
}

#[test]
fn a_page_that_loads_its_viewer_from_elsewhere_is_noticed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let page = folder.path().join("page.html");
    let html = r#"<div id="api"></div>
<script src="https://unpkg.com/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
<script>document.title = typeof SwaggerUIBundle;</script>"#;
    std::fs::write(&page, html).expect("a file can be written");
    let address = format!("file://{}", page.display());
    let page = Island::new().page(&address, &folder.path().join("profile"));
    assert!(page.contains("<title>undefined</title>"), "{page}");
    assert_eq!(missing(&page), operations());
}
