//! S4: every route × every kind of key × one's own series and another tenant's.
//!
//! To a tenant, another's series has to be exactly as an id that nobody ever used: each request is sent twice, once
//! for the series and once for such an id, and the two replies have to be the same bytes but for ids, times and what is
//! drawn at random. That covers what is told (status, words, lengths) and, for what writes, what was changed: a version
//! number that went on would differ. The owner's view is read before and after, too.
//!
//! Of the time a reply takes nothing is asserted. Both requests run the same code: the tenant is part of the name that
//! is looked up (`http/scoped.rs`), and nothing compares it with whose series there are.
//!
//! The table is a match on the router's own list of routes: a new one does not compile before it is in it, and a new method
//! of one is reported.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use service::http::route::Route;
use service::http::router::Resource;

use crate::keys::{create, folder, id, keys};
use crate::reply::Reply;
use crate::server::{Server, history, point};

const SERIES: &str = "series-of-the-owner";
const NEVER: &str = "series-nobody-used-";
/// After the id, in the place of which there is a series for each kind of key: what is deleted is there once.
const SPARE: &str = "SPARE";
/// The spare series that only another tenant would delete.
const SPARE_OF_OTHERS: usize = 99;
/// Values that nobody else has.
const MARK: f64 = 77_123.0;

/// One kind of request about a series.
#[derive(Clone, Debug)]
struct Row {
    route: Route,
    method: &'static str,
    target: String,
    media: &'static str,
    body: String,
    /// The scope it needs.
    scope: Option<&'static str>,
}

/// The requests of a route about the series `id`, in an order in which the owner's succeed and no
/// writing one comes before a reading one.
fn rows_of(route: Route, id: &str) -> Vec<Row> {
    let row = |method, target: String, body: String, scope| Row {
        route,
        method,
        target,
        media: "application/json",
        body,
        scope,
    };
    let get = |target: String, scope| {
        ["GET", "HEAD"].map(|method| row(method, target.clone(), String::new(), scope))
    };
    let probe = || get(route.template().to_owned(), None).to_vec();
    let (fit, predict, admin) = (Some("fit"), Some("predict"), Some("admin"));
    let one = || point(2_000_000_000, 3.0).to_string();
    match route {
        Route::Predict => {
            let columns = json!({"timestamps": [2_000_000_000], "values": [3.0]}).to_string();
            vec![
                row("POST", format!("/predict/{id}"), one(), predict),
                row(
                    "POST",
                    format!("/predict/{id}?version=1&explain=true"),
                    one(),
                    predict,
                ),
                row(
                    "POST",
                    format!("/predict/{id}?alias=champion"),
                    one(),
                    predict,
                ),
                row("POST", format!("/predict/{id}"), columns, predict),
                Row {
                    media: "application/x-ndjson",
                    ..row("POST", format!("/predict/{id}"), one(), predict)
                },
            ]
        }
        Route::PredictMany => {
            let mut line = point(2_000_000_000, 3.0);
            line["series_id"] = json!(id);
            let mut of_alias = line.clone();
            of_alias["alias"] = json!("champion");
            let lines = [line, of_alias].map(|line| Row {
                media: "application/x-ndjson",
                ..row("POST", "/predict".into(), line.to_string(), predict)
            });
            lines.to_vec()
        }
        Route::Calibration => {
            let target = format!("/series/{id}/calibration");
            let online = get(format!("{target}?state=online"), predict);
            [get(target, predict), online].concat()
        }
        Route::Aliases => get(format!("/series/{id}/aliases"), predict).to_vec(),
        Route::Plot => [
            get(format!("/plot?series_id={id}"), predict),
            get(format!("/plot?series_id={id}&version=1"), predict),
        ]
        .concat(),
        Route::Alias => {
            let target = format!("/series/{id}/aliases");
            let version = json!({"version": "1"}).to_string();
            let mut rows = get(format!("{target}/champion"), predict).to_vec();
            rows.push(row("PUT", format!("{target}/spare"), version, admin));
            rows.push(row(
                "DELETE",
                format!("{target}/spare"),
                String::new(),
                admin,
            ));
            rows
        }
        Route::SeriesList => [
            get(format!("/series?prefix={id}"), predict),
            get(format!("/series?prefix={id}&label=owner=1"), predict),
        ]
        .concat(),
        Route::Series => {
            let spare = format!("/series/{id}{SPARE}s");
            let deleted = row("DELETE", spare, String::new(), admin);
            [
                get(format!("/series/{id}"), predict).to_vec(),
                vec![deleted],
            ]
            .concat()
        }
        Route::Version => {
            let spare = format!("/series/{id}{SPARE}/versions/1");
            let deleted = row("DELETE", spare, String::new(), admin);
            [
                get(format!("/series/{id}/versions/0"), predict).to_vec(),
                get(format!("/series/{id}/versions/1"), predict).to_vec(),
                vec![deleted],
            ]
            .concat()
        }
        Route::Artifact => get(format!("/series/{id}/versions/1/artifact"), predict).to_vec(),
        Route::Versions => {
            let target = format!("/series/{id}/versions");
            let frozen = row("POST", target.clone(), r#"{"from":"online"}"#.into(), fit);
            [get(target, predict).to_vec(), vec![frozen]].concat()
        }
        Route::Update => {
            let lines = Row {
                media: "application/x-ndjson",
                ..row("POST", format!("/update/{id}"), format!("{}\n", one()), fit)
            };
            vec![row("POST", format!("/update/{id}"), one(), fit), lines]
        }
        Route::Fit => {
            let body = history(&[3.0, 1.0, 2.0, 5.0]).to_string();
            vec![row("POST", format!("/fit/{id}"), body, fit)]
        }
        Route::Detect => {
            let body = history(&[1.0, 2.0, 4.0, 3.0, 2.0, 1.0, 2.0, 9.0]).to_string();
            vec![row("POST", "/detect".into(), body, predict)]
        }
        Route::Healthcheck | Route::Metrics => get(route.template().to_owned(), admin).to_vec(),
        Route::Live | Route::Ready | Route::Startup => probe(),
        Route::Problem => get("/problems/internal".into(), None).to_vec(),
        Route::OpenApi | Route::Docs => probe(),
        Route::DocsFile => get("/docs/tidemark.js".into(), None).to_vec(),
        Route::Unmatched => get("/nowhere".into(), None).to_vec(),
    }
}

/// All of them: what reads before what writes.
fn table(id: &str) -> Vec<Row> {
    let writes = |route: &Route| matches!(route, Route::Versions | Route::Update | Route::Fit);
    let mut routes = Route::ALL.to_vec();
    routes.sort_by_key(writes);
    // The freeze needs a state that an update has started, and comes first to find none.
    routes
        .into_iter()
        .flat_map(|route| rows_of(route, id))
        .collect()
}

impl Row {
    fn is_of_series(&self) -> bool {
        let texts = [&self.target, &self.body];
        texts
            .iter()
            .any(|text| text.contains(SERIES) || text.contains(NEVER))
    }

    /// The same about another series.
    fn about(&self, id: &str) -> Self {
        Self {
            target: self.target.replace(SERIES, id),
            body: self.body.replace(SERIES, id),
            ..self.clone()
        }
    }

    /// The same about one of the spare series, where it is about those.
    fn with_spare(&self, n: usize) -> Self {
        Self {
            target: self.target.replace(SPARE, &format!(".spare-{n}")),
            ..self.clone()
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    async fn send(&self, server: &Server, key: Option<&str>) -> Reply {
        let mut headers = vec![("content-type", self.media)];
        headers.extend(key.map(|key| ("x-api-key", key)));
        server
            .send(self.method, &self.target, &headers, self.body.clone())
            .await
    }
}

/// Keys of a tenant, by what they are.
struct Keys {
    named: Vec<(&'static str, Option<String>)>,
}

impl Keys {
    fn of(data_dir: &Path, tenant: &str) -> Self {
        let revoked = create(data_dir, tenant, "fit,predict,admin");
        keys(data_dir, &["revoke", id(&revoked)]).expect("it is there");
        let made = |scopes| create(data_dir, tenant, scopes);
        let all = made("fit,predict,admin");
        let swap = if all.ends_with('0') { "8" } else { "0" };
        let wrong = format!("{}{swap}", &all[..all.len() - 1]);
        let named = vec![
            ("none", None),
            ("nonsense", Some("nonsense".to_owned())),
            ("wrong", Some(wrong)),
            ("revoked", Some(revoked)),
            // Who reads before who writes: a series of one's own would hide another's from a HEAD.
            ("predict", Some(made("predict"))),
            ("admin", Some(made("admin"))),
            ("fit", Some(made("fit"))),
            ("fit,predict", Some(made("fit,predict"))),
            ("fit,predict,admin", Some(all)),
        ];
        Self { named }
    }

    fn all(&self) -> Option<&str> {
        self.named.last().and_then(|(_, key)| key.as_deref())
    }
}

/// What a key of this kind is answered: 401, 403, or what the request deserves.
fn refusal(kind: &str, row: &Row) -> Option<u16> {
    let scope = row.scope?;
    if ["none", "nonsense", "wrong", "revoked"].contains(&kind) {
        Some(401)
    } else if kind.split(',').any(|has| has == scope) {
        None
    } else {
        Some(403)
    }
}

/// A reply without what differs from one to the next: ids, times, what is drawn.
fn essence(reply: &Reply, id: &str) -> (u16, Vec<String>, String) {
    let fleeting = [
        "x-request-id",
        "x-response-time",
        "date",
        "etag",
        "content-security-policy",
        // Of a file with the time of its fit in it.
        "repr-digest",
    ];
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !fleeting.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.replace(id, "ID")))
        .collect();
    headers.sort();
    let text = match model_of(&reply.body) {
        Some(model) => format!("{model:?}"),
        None => String::from_utf8_lossy(&reply.body).into_owned(),
    };
    let mut text = text.replace(id, "ID");
    if let Ok(mut document) = serde_json::from_str::<Value>(&text) {
        forget(&mut document);
        text = document.to_string();
    }
    // Numbers that were drawn, counted or timed have lengths of their own; the bytes are compared.
    headers.retain(|header| !header.starts_with("content-length"));
    while let Some(at) = text.find("nonce=\"") {
        let end = at + 7 + text[at + 7..].find('"').expect("its end") + 1;
        text.replace_range(at..end, "");
    }
    (reply.status, headers, text)
}

/// The model in an artifact: the rest of it tells of one moment.
fn model_of(body: &[u8]) -> Option<&[u8]> {
    let magic = body.windows(4).position(|window| window == b"TMDL");
    let model = &body[magic.filter(|_| body.starts_with(b"TART"))?..];
    let length: [u8; 4] = model.get(8..12)?.try_into().ok()?;
    model.get(..12 + u32::from_le_bytes(length) as usize + 16)
}

/// Removes members that tell of one moment.
fn forget(document: &mut Value) {
    match document {
        Value::Object(members) => {
            for name in [
                "request_id",
                "duration_ms",
                "updated_at",
                "etag",
                "since",
                "fitted_at",
            ] {
                members.remove(name);
            }
            members.values_mut().for_each(forget);
        }
        Value::Array(values) => values.iter_mut().for_each(forget),
        _ => {}
    }
}

/// What the owner sees of the series.
async fn view(server: &Server, owner: &Keys) -> Vec<(u16, Vec<String>, String)> {
    let mut seen = Vec::new();
    for target in [
        format!("/series/{SERIES}/calibration"),
        format!("/series/{SERIES}/calibration?state=online"),
        format!("/series/{SERIES}/aliases"),
        format!("/series?prefix={SERIES}"),
        format!("/series/{SERIES}"),
        format!("/series/{SERIES}/versions"),
        format!("/plot?series_id={SERIES}"),
        format!("/plot?series_id={SERIES}&version=1"),
        format!("/plot?series_id={SERIES}.spare-{SPARE_OF_OTHERS}&version=1"),
        format!("/plot?series_id={SERIES}.spare-{SPARE_OF_OTHERS}s"),
    ] {
        let headers: Vec<_> = owner
            .all()
            .map(|key| ("x-api-key", key))
            .into_iter()
            .collect();
        let reply = server.send("GET", &target, &headers, "").await;
        // The tag of an alias tells of changes to it, here.
        let tags = reply.text().matches("etag").count();
        let mut essence = essence(&reply, SERIES);
        if tags > 0 {
            essence.2 = reply.text().to_owned();
        }
        seen.push(essence);
    }
    seen
}

/// Makes the owner's series: a version, an alias, an online state.
async fn prepare(server: &Server, owner: &Keys) {
    let mut body = history(&[MARK, MARK + 1.0, MARK + 4.0, MARK + 2.0]);
    body["set_alias"] = json!("champion");
    body["labels"] = json!({ "owner": "1" });
    let update = json!({"timestamp": "100", "value": MARK + 2.0});
    for (target, body) in [("fit", body), ("update", update)] {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(owner.all().map(|key| ("x-api-key", key)));
        let target = format!("/{target}/{SERIES}");
        server
            .send("POST", &target, &headers, body.to_string())
            .await
            .ok();
    }
    for n in (0..owner.named.len()).chain([SPARE_OF_OTHERS]) {
        for (series, n_versions) in [(format!(".spare-{n}"), 2), (format!(".spare-{n}s"), 1)] {
            for _ in 0..n_versions {
                let mut headers = vec![("content-type", "application/json")];
                headers.extend(owner.all().map(|key| ("x-api-key", key)));
                let body = history(&[MARK, MARK + 1.0, MARK + 4.0, MARK + 2.0]);
                let target = format!("/fit/{SERIES}{series}");
                let fit = server.send("POST", &target, &headers, body.to_string());
                fit.await.ok();
            }
        }
    }
}

/// Whatever is not as it has to be, as `WHAT: who, which request, how`; and how many requests were judged.
async fn violations(server: &Server, owner: &Keys, other: &Keys) -> (Vec<String>, usize) {
    let (mut found, mut judged) = (Vec::new(), 0);
    let rows = table(SERIES);
    prepare(server, owner).await;
    // Every route × every kind of key, of the tenant whose series it is.
    for (n, (kind, key)) in owner.named.iter().enumerate() {
        for row in &rows {
            let reply = row.with_spare(n).send(server, key.as_deref()).await;
            judged += 1;
            let is_fine = match refusal(kind, row) {
                Some(status) => reply.status == status,
                None if row.route == Route::Unmatched => reply.status == 404,
                None => (200..300).contains(&reply.status),
            };
            if !is_fine {
                found.push(format!("scope: {kind}, {}: {}", row.name(), reply.status));
            }
        }
    }
    // The same of another tenant: the series is as one that nobody used.
    let before = view(server, owner).await;
    let are_there = before.iter().all(|(status, ..)| *status == 200);
    assert!(are_there, "{before:?}");
    for (kind, key) in &other.named {
        for row in rows.iter().filter(|row| row.is_of_series()) {
            let own = row.with_spare(SPARE_OF_OTHERS);
            let reply = own.send(server, key.as_deref()).await;
            let like = own.about(NEVER).send(server, key.as_deref()).await;
            judged += 2;
            if refusal(kind, row).is_some_and(|status| reply.status != status) {
                found.push(format!("scope: {kind}, {}: {}", row.name(), reply.status));
            }
            let (essence, expected) = (essence(&reply, SERIES), essence(&like, NEVER));
            // Not in the whole body: an id that is drawn may have these digits, too.
            if essence.2.contains("7712") {
                found.push(format!("leaks: {kind}, {}", row.name()));
            }
            if essence != expected {
                let [told, like] = [essence, expected]
                    .map(|it| format!("{it:?}").chars().take(300).collect::<String>());
                found.push(format!(
                    "differs: {kind}, {}: {told}, not {like}",
                    row.name()
                ));
            }
        }
    }
    if view(server, owner).await != before {
        found.push("changed: the owner sees something else".to_owned());
    }
    (found, judged)
}

#[tokio::test]
async fn no_key_reaches_the_series_of_another_tenant() {
    assert_eq!(SERIES.len(), NEVER.len());
    let (_folder, data_dir) = folder();
    let (owner, other) = (Keys::of(&data_dir, "owner"), Keys::of(&data_dir, "other"));
    let server = Server::at(&data_dir, &[]).await;
    let (found, judged) = violations(&server, &owner, &other).await;
    assert_eq!(found, [""; 0], "of {judged}");
    println!("{judged} requests judged");
    let owners = table(SERIES).len() * owner.named.len();
    assert!(judged > owners && owners > 250, "{judged}");
}

/// The series of `default` have no prefix, and those of others do.
#[tokio::test]
async fn the_tenant_default_reaches_its_own_series_alone() {
    for (owner, other) in [("default", "other"), ("owner", "default")] {
        let (_folder, data_dir) = folder();
        let (owner, other) = (Keys::of(&data_dir, owner), Keys::of(&data_dir, other));
        let server = Server::at(&data_dir, &[]).await;
        let (found, judged) = violations(&server, &owner, &other).await;
        assert_eq!(found, [""; 0], "of {judged}");
    }
}

/// The control of the scopes: a server without keys serves everybody.
#[tokio::test]
async fn a_server_that_asks_for_no_key_is_reported() {
    let (_folder, elsewhere) = folder();
    let (owner, other) = (Keys::of(&elsewhere, "owner"), Keys::of(&elsewhere, "other"));
    let server = Server::start().await;
    let (found, _) = violations(&server, &owner, &other).await;
    for row in table(SERIES).iter().filter(|row| row.scope.is_some()) {
        for kind in ["none", "nonsense", "wrong", "revoked"] {
            let name = format!("scope: {kind}, {}: ", row.name());
            let is_reported = found.iter().any(|found| found.starts_with(&name));
            assert!(is_reported, "{name} of {found:#?}");
        }
    }
}

/// The control of the names: two tenants whose series have one name, as if the tenant were left out of it. Each request
/// about a series tells them apart.
#[tokio::test]
async fn a_name_without_its_tenant_is_reported() {
    let (_folder, data_dir) = folder();
    let (owner, other) = (Keys::of(&data_dir, "same"), Keys::of(&data_dir, "same"));
    let server = Server::at(&data_dir, &[]).await;
    let (found, _) = violations(&server, &owner, &other).await;
    let reported = |what: &str| found.iter().any(|found| found.starts_with(what));
    assert!(reported("leaks: ") && reported("changed: "), "{found:#?}");
    // Of a list without its content nothing can be told apart.
    let is_told =
        |row: &&Row| row.is_of_series() && (row.route, row.method) != (Route::SeriesList, "HEAD");
    for row in table(SERIES).iter().filter(is_told) {
        let named = found.iter().any(|found| {
            found.starts_with("differs: ") && found.contains(&format!(", {}: ", row.name()))
        });
        assert!(named, "{} of {found:#?}", row.name());
    }
}

/// The table has every method of every route.
#[test]
fn the_table_is_the_routers() {
    for route in Route::ALL {
        let rows = rows_of(*route, SERIES);
        let has: BTreeSet<&str> = rows.iter().map(|row| row.method).collect();
        for row in &rows {
            let path = row.target.split('?').next().unwrap_or_default();
            assert_eq!(Route::from(Resource::at(path)), *route, "{}", row.target);
            let allow: BTreeSet<&str> = Resource::at(path).allow().split(", ").collect();
            assert_eq!(has, allow, "{route:?}");
        }
    }
}
