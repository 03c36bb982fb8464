//! API keys as an operator meets them: commands, a server that follows them, files that are damaged, logs.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::binary::{Ended, Tidemark, run, serve};
use super::http::{Connection, Reply};
use super::payload::{POINT, fit};

/// The promise: a revoked key is of no use after this long.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);

fn keys(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.arg("keys").args(arguments);
    command.arg("--data-dir").arg(data_dir);
    command.env_remove("TIDEMARK_KEYS");
    command
}

fn create(data_dir: &Path, tenant: &str, scopes: &str) -> String {
    let arguments = ["create", "--tenant", tenant, "--scopes", scopes];
    let ended = run(&mut keys(data_dir, &arguments));
    assert!(ended.status.success(), "{ended:?}");
    ended.output.trim_end().to_owned()
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).expect("a key has an id")
}

fn list(data_dir: &Path) -> serde_json::Value {
    let ended = run(&mut keys(data_dir, &["list", "--json"]));
    serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

fn ask(addr: SocketAddr, key: Option<&str>, target: &str, body: &[u8]) -> Reply {
    let header = key.map(|key| format!("Authorization: Bearer {key}\r\n"));
    let mut connection = Connection::open(addr).expect("it listens");
    let sent = connection.send_with(&header.unwrap_or_default(), "POST", target, body);
    sent.and_then(|()| connection.receive())
        .expect("it answers")
}

/// How long it takes until the request is answered with `status`.
fn until(status: u16, server: &Tidemark, key: Option<&str>) -> Duration {
    let begun = Instant::now();
    while ask(server.addr, key, "/predict/s", POINT).status != status {
        let waited = begun.elapsed();
        assert!(waited < TAKEN_OVER_WITHIN, "not {status} after {waited:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

#[test]
fn a_key_is_made_rotated_and_revoked_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &[]);
    let fitted = ask(server.addr, None, "/fit/s", &fit(1, 8));
    assert_eq!(fitted.status, 200, "{}", fitted.text());

    let scopes = "fit,predict";
    let first = create(folder.path(), "default", scopes);
    let on = until(401, &server, None);
    assert_eq!(
        ask(server.addr, Some(&first), "/predict/s", POINT).status,
        200
    );

    let second = create(folder.path(), "default", scopes);
    let known = until(200, &server, Some(&second));
    assert_eq!(
        ask(server.addr, Some(&first), "/predict/s", POINT).status,
        200,
        "both are live"
    );
    let arguments = ["create", "--tenant", "default", "--scopes", scopes];
    let third = run(&mut keys(folder.path(), &arguments));
    assert_eq!(third.status.code(), Some(1));
    assert!(
        third.errors.contains("2 live keys") && third.output.is_empty(),
        "{third:?}"
    );

    let revoked = run(&mut keys(folder.path(), &["revoke", id(&first)]));
    assert!(revoked.status.success(), "{revoked:?}");
    let gone = until(401, &server, Some(&first));
    assert_eq!(
        ask(server.addr, Some(&second), "/predict/s", POINT).status,
        200
    );
    println!("taken over: the first key {on:?}, a second {known:?}, a revocation {gone:?}");

    // Without its file it does not open up.
    std::fs::remove_file(folder.path().join("keys.toml")).expect("it is there");
    let begun = Instant::now();
    while !server
        .log()
        .contains("cannot be read: the keys read last stay in force")
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(server.addr, None, "/predict/s", POINT).status, 401);
    assert_eq!(
        ask(server.addr, Some(&second), "/predict/s", POINT).status,
        200
    );
    server.stop();
}

#[test]
fn a_damaged_file_keeps_the_last_keys_and_starts_no_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let key = create(folder.path(), "a", "fit");
    let path = folder.path().join("keys.toml");
    let whole = std::fs::read(&path).expect("it is there");
    let server = Tidemark::start(folder.path(), &[]);
    for (damaged, words) in [
        (&whole[..whole.len() / 2], "keys.toml"),
        (&b"\xff\xfe"[..], "utf-8"),
        (&b""[..], "missing field"),
    ] {
        std::fs::write(&path, damaged).expect("it can be written");
        let refused = run(&mut serve(folder.path(), &[]));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(refused.errors.contains("API keys in"), "{}", refused.errors);
        assert!(refused.errors.contains(words), "{}", refused.errors);
        let listed = run(&mut keys(folder.path(), &["list"]));
        assert_eq!(listed.status.code(), Some(1), "{listed:?}");
    }
    let begun = Instant::now();
    while !server
        .log()
        .contains("cannot be read: the keys read last stay in force")
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(server.addr, None, "/fit/s", &fit(1, 8)).status, 401);
    assert_eq!(
        ask(server.addr, Some(&key), "/fit/s", &fit(1, 8)).status,
        200
    );
    // Whole again, it is followed again.
    std::fs::write(&path, whole).expect("it can be written");
    let second = create(folder.path(), "a", "predict");
    until(200, &server, Some(&second));
    server.stop();
}

/// Who puts a file there wants keys: what cannot be read opens nothing.
#[test]
fn a_file_that_is_damaged_from_its_beginning_closes_an_open_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &[]);
    assert_eq!(ask(server.addr, None, "/fit/s", &fit(1, 8)).status, 200);
    let path = folder.path().join("keys.toml");
    std::fs::write(&path, "format = 1").expect("it can be written");
    until(401, &server, None);
    std::fs::remove_file(&path).expect("it is there");
    let key = create(folder.path(), "default", "predict");
    until(200, &server, Some(&key));
    server.stop();
}

#[test]
fn commands_at_once_lose_no_key() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let tenants: Vec<String> = (0..12).map(|n| format!("tenant-{n:02}")).collect();
    let children = tenants.iter().map(|tenant| {
        let arguments = ["create", "--tenant", tenant, "--scopes", "fit"];
        let mut command = keys(folder.path(), &arguments);
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("it can be started")
    });
    let children: Vec<_> = children.collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let listed = list(folder.path());
    let listed = listed.as_array().expect("a list").iter();
    let mut found: Vec<&str> = listed.filter_map(|key| key["tenant"].as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, tenants);
}

#[test]
fn a_list_has_ids_and_times_and_no_digest() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let key = create(folder.path(), "acme", "admin,fit");
    let none = run(&mut keys(folder.path(), &["revoke", "00000000"]));
    assert_eq!(none.status.code(), Some(1));
    assert!(
        none.errors.contains("there is no key of that id"),
        "{none:?}"
    );
    run(&mut keys(folder.path(), &["revoke", id(&key)]));
    let listed = list(folder.path());
    let [listed] = listed.as_array().expect("a list").as_slice() else {
        panic!("one key: {listed}");
    };
    assert_eq!(
        (&listed["id"], &listed["tenant"]),
        (&id(&key).into(), &"acme".into())
    );
    assert_eq!(listed["scopes"], serde_json::json!(["fit", "admin"]));
    assert!(listed["created"].is_string() && listed["revoked"].is_string());
    assert_eq!(listed.get("digest"), None);
    let table = run(&mut keys(folder.path(), &["list"]));
    assert!(
        table.output.contains(id(&key)) && table.output.contains("fit,admin"),
        "{table:?}"
    );
}

/// What is in a log of a secret.
fn is_told(log: &str, key: &str) -> bool {
    let secret = key.rsplit('_').next().expect("a key has a secret");
    log.contains(secret)
}

#[test]
fn no_secret_is_in_the_log_at_any_level() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let key = create(folder.path(), "acme", "fit,predict");
    let swap = if key.ends_with('0') { "8" } else { "0" };
    let wrong = format!("{}{swap}", &key[..key.len() - 1]);
    let flags = [
        "--log-filter",
        "trace",
        "--trace-sample",
        "1",
        "--otlp-endpoint",
        "http://127.0.0.1:9",
    ];
    let server = Tidemark::start(folder.path(), &flags);
    for (key, status) in [(&key, 200), (&wrong, 401)] {
        assert_eq!(
            ask(server.addr, Some(key), "/fit/s", &fit(1, 8)).status,
            status
        );
        let mut connection = Connection::open(server.addr).expect("it listens");
        let header = format!("x-api-key: {key}\r\n");
        let sent = connection.send_with(&header, "POST", "/predict/s?version=9", POINT);
        let reply = sent
            .and_then(|()| connection.receive())
            .expect("it answers");
        assert!([401, 404].contains(&reply.status));
        assert!(!is_told(&reply.head, key) && !is_told(reply.text(), key));
    }
    // What is no request at all is logged by others than us.
    let mut odd = Connection::open(server.addr).expect("it listens");
    let head = format!("POST /fit/s HTTP/1.1\r\nAuthorization: Bearer {key}\r\nno field\r\n\r\n");
    odd.send_raw(head.as_bytes()).expect("it listens");
    assert!(odd.is_ended_by_peer());
    let log = server.log();
    server.stop();
    assert!(
        log.contains("/fit/s") && log.contains("authentication_required"),
        "{log}"
    );
    let n_traced = log
        .lines()
        .filter(|line| line.contains("\"TRACE\""))
        .count();
    println!("{} lines, {n_traced} of them at trace", log.lines().count());
    assert!(!is_told(&log, &key) && !is_told(&log, &wrong));
    // The control: one line with the header is found.
    assert!(is_told(
        &format!("{log}authorization: Bearer {wrong}\n"),
        &wrong
    ));
}

#[test]
fn a_public_address_needs_keys_or_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let public = |flags: &[&str]| -> Ended {
        let flags = [&["--addr", "192.0.2.1:8000"], flags].concat();
        run(serve(folder.path(), &flags).env_remove("TIDEMARK_KEYS"))
    };
    let refused = public(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.errors.contains("tidemark keys create"),
        "{}",
        refused.errors
    );
    create(folder.path(), "a", "fit");
    // RFC 5737 keeps this address from being anybody's: what is left to fail is the bind.
    assert!(!refused.errors.contains("cross the network"), "{refused:?}");
    let allowed = public(&[]);
    let words = "cannot listen on 192.0.2.1:8000";
    assert!(allowed.errors.contains(words), "{}", allowed.errors);
    let in_the_clear = "API keys and series cross the network as they are";
    assert!(allowed.errors.contains(in_the_clear), "{}", allowed.errors);
    let insecure = public(&["--insecure"]);
    assert!(insecure.errors.contains(in_the_clear), "{insecure:?}");
    let tls = public(&["--tls-cert", "certificate.pem", "--tls-key", "key.pem"]);
    assert!(tls.errors.contains(words), "{}", tls.errors);
    assert!(!tls.errors.contains(in_the_clear), "{}", tls.errors);
}

#[test]
fn a_new_data_folder_is_its_owners() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let is_private = |data: &Path| {
        let mode = data.metadata().expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", data.display());
    };
    let with_keys = folder.path().join("with-keys");
    create(&with_keys, "a", "fit");
    is_private(&with_keys);
    let served = folder.path().join("served");
    Tidemark::start(&served, &[]).stop();
    is_private(&served);
}

#[test]
fn two_sources_of_a_tenant_and_a_file_that_is_missing_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let start = |flags: &[&str]| -> Ended { run(&mut serve(folder.path(), flags)) };
    let missing = start(&["--keys", "/nowhere/keys.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        missing.errors.contains("/nowhere/keys.toml is not there"),
        "{missing:?}"
    );
    create(folder.path(), "a", "fit");
    let both = start(&["--tenant-header", "X-Tenant"]);
    assert_eq!(both.status.code(), Some(1));
    assert!(
        both.errors.contains("leave out --tenant-header"),
        "{both:?}"
    );
}

/// Who may write the file may make keys; who may only read it learns no key.
#[test]
fn a_file_that_others_may_write_is_refused_and_one_that_they_may_read_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let key = create(folder.path(), "a", "predict");
    let path = folder.path().join("keys.toml");
    let set_mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("it is ours");
    };
    let readable = "others may read the file of API keys";
    for mode in [0o602, 0o620, 0o666] {
        set_mode(mode);
        let refused = run(&mut serve(folder.path(), &[]));
        assert_eq!(refused.status.code(), Some(1), "{mode:o}");
        let words = format!("(mode 0{mode:o})");
        assert!(refused.errors.contains(&words), "{}", refused.errors);
    }
    set_mode(0o644);
    let server = Tidemark::start(folder.path(), &[]);
    assert!(server.log().contains(readable), "{}", server.log());
    assert_eq!(
        ask(server.addr, Some(&key), "/predict/s", POINT).status,
        404
    );
    server.stop();
    // The control: their owner's file is told of neither way, until others may write it.
    set_mode(0o600);
    let server = Tidemark::start(folder.path(), &[]);
    assert!(!server.log().contains("others may"), "{}", server.log());
    set_mode(0o666);
    let begun = Instant::now();
    while !server.log().contains("others may write it") {
        assert!(begun.elapsed() < TAKEN_OVER_WITHIN, "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // As with a damaged file, the last keys stay in force.
    assert_eq!(
        ask(server.addr, Some(&key), "/predict/s", POINT).status,
        404
    );
    server.stop();
}
