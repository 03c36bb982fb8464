//! TLS on the main port: certificates that are exchanged under way, files that cannot be used, and peers that do not get
//! on in a handshake or after it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use super::binary::{Tidemark, run, serve};

/// Ten seconds are promised, to a machine that does something else as well.
const CLOSED_WITHIN: Duration = Duration::from_secs(14);
/// A guard against hanging, not a promise about speed: the files are looked at every second.
const HANG: Duration = Duration::from_secs(30);

type Session = StreamOwned<ClientConnection, TcpStream>;

/// Who issues certificates, and where the server finds its own.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no name is a valid name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("it is its own key");
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            root: root.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, not_after: i32) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(not_after, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("it is a CA");
        Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn put(&self, certificate: &str, key: &str) {
        std::fs::write(self.certificate(), certificate).expect("the folder can be written to");
        std::fs::write(self.key(), key).expect("the folder can be written to");
    }

    fn flags(&self) -> Vec<String> {
        let path = |path: PathBuf| path.display().to_string();
        vec![
            "--tls-cert".to_owned(),
            path(self.certificate()),
            "--tls-key".to_owned(),
            path(self.key()),
        ]
    }

    fn start(&self, data_dir: &Path, more: &[&str]) -> Tidemark {
        let flags = self.flags();
        let flags: Vec<&str> = flags
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        Tidemark::start(data_dir, &flags)
    }

    /// A session of a client that trusts this authority alone, once the handshake is over.
    fn session(&self, addr: SocketAddr) -> std::io::Result<Session> {
        self.session_of(addr, &rustls::version::TLS13)
    }

    fn session_of(
        &self,
        addr: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<Session> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("it is a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("the provider has it")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = "localhost".try_into().expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("it is whole");
        let socket = TcpStream::connect(addr)?;
        socket.set_read_timeout(Some(HANG))?;
        let mut session = StreamOwned::new(client, socket);
        while session.conn.is_handshaking() {
            session.conn.complete_io(&mut session.sock)?;
        }
        Ok(session)
    }
}

/// One request on a session that goes on; the status of its reply and the reply's body.
fn get(session: &mut Session, path: &str) -> std::io::Result<(u16, String)> {
    write!(session, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut reply = Vec::new();
    loop {
        let mut some = [0; 16_384];
        let n = session.read(&mut some)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        reply.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&reply);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let field = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = field.and_then(|it| it.parse().ok()).expect("it is told");
        if body.len() >= length {
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            return Ok((status.expect("a status"), body.to_owned()));
        }
    }
}

fn presented(session: &Session) -> Vec<u8> {
    let chain = session.conn.peer_certificates().expect("it was verified");
    chain[0].to_vec()
}

fn data() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

#[test]
fn the_main_port_speaks_tls_and_nothing_else() {
    let (authority, data) = (Authority::new(), data());
    let pair = authority.issue(2100);
    authority.put(&pair.certificate, &pair.key);
    let server = authority.start(data.path(), &["--health-addr", "127.0.0.1:0"]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut session = authority
            .session_of(server.addr, version)
            .expect("a session");
        assert_eq!(session.conn.protocol_version(), Some(version.version));
        assert_eq!(session.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let (status, metrics) = get(&mut session, "/metrics").expect("a reply");
        assert_eq!(status, 200);
        // 2100-01-01.
        let ends = "tidemark_tls_certificate_not_after_seconds 4102444800";
        assert!(metrics.contains(ends), "{metrics}");
        assert_eq!(get(&mut session, "/health/live").expect("a reply").0, 200);
    }
    let plain = super::http::once(server.addr, "GET", "/health/live", b"");
    assert!(plain.is_err(), "{plain:?}");
    let probe = super::http::once(server.health(), "GET", "/health/ready", b"");
    assert_eq!(probe.expect("it is in the clear").status, 200);
    let stranger = Authority::new().session(server.addr);
    assert!(
        stranger.is_err(),
        "the control: who does not trust the issuer has no session"
    );
    server.stop();
}

#[test]
fn a_changed_certificate_is_used_and_sessions_go_on() {
    let (authority, data) = (Authority::new(), data());
    let [first, second, third] = [(); 3].map(|()| authority.issue(2100));
    authority.put(&first.certificate, &first.key);
    let server = authority.start(data.path(), &[]);
    let mut before = authority.session(server.addr).expect("a session");
    let of_first = presented(&before);
    authority.put(&second.certificate, &second.key);
    let started = Instant::now();
    let of_second = loop {
        let mut session = authority.session(server.addr).expect("a session");
        assert_eq!(get(&mut session, "/health/live").expect("a reply").0, 200);
        assert_eq!(get(&mut before, "/health/live").expect("it goes on").0, 200);
        let now = presented(&session);
        if now != of_first {
            break now;
        }
        assert!(
            started.elapsed() < HANG,
            "the certificate stays the first one"
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    println!("a new certificate is used after {:.1?}", started.elapsed());
    // A pair that does not belong together, then none at all.
    for (key, reason) in [
        (&*second.key, "does not belong"),
        ("", "no PEM private key"),
    ] {
        authority.put(&third.certificate, key);
        let started = Instant::now();
        while !server.log().contains(reason) {
            assert!(started.elapsed() < HANG, "{}", server.log());
            assert_eq!(get(&mut before, "/health/live").expect("it goes on").0, 200);
            std::thread::sleep(Duration::from_millis(100));
        }
        let session = authority.session(server.addr).expect("a session");
        assert_eq!(presented(&session), of_second, "the one before stays");
    }
    let log = server.log();
    assert_eq!(log.matches("does not belong").count(), 1, "{log}");
    assert!(!log.contains(secret(&second.key)), "{log}");
    server.stop();
}

/// A line of a key that must be nowhere else.
fn secret(key: &str) -> &str {
    key.lines().nth(1).expect("a PEM section has lines")
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_nothing_of_it_told() {
    let (authority, data) = (Authority::new(), data());
    let [own, other] = [(); 2].map(|()| authority.issue(2100));
    let garbled = own.key.replacen(secret(&own.key), "!!", 1);
    let cases = [
        (&*own.certificate, &*other.key, "key.pem", "does not belong"),
        ("", &own.key, "certificate.pem", "no PEM certificate"),
        (&own.certificate, "", "key.pem", "no PEM private key"),
        (&own.certificate, &garbled, "key.pem", "base64"),
        (&own.key, &own.key, "certificate.pem", "no PEM certificate"),
    ];
    for (certificate, key, file, reason) in cases {
        authority.put(certificate, key);
        let ended = refused(&authority, data.path());
        assert!(ended.contains(file) && ended.contains(reason), "{ended}");
        assert!(!ended.contains(secret(&own.key)), "{ended}");
    }
    std::fs::remove_file(authority.key()).expect("it is there");
    let ended = refused(&authority, data.path());
    assert!(
        ended.contains("key.pem") && ended.contains("cannot be read"),
        "{ended}"
    );
}

/// What a start says that is refused.
fn refused(authority: &Authority, data_dir: &Path) -> String {
    let flags = authority.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let ended = run(&mut serve(data_dir, &flags));
    assert!(!ended.status.success(), "{ended:?}");
    ended.errors
}

#[test]
fn an_expired_certificate_is_served_with_a_warning() {
    let (authority, data) = (Authority::new(), data());
    let pair = authority.issue(2020);
    authority.put(&pair.certificate, &pair.key);
    let server = authority.start(data.path(), &[]);
    assert!(
        server.log().contains("the TLS certificate has expired"),
        "{}",
        server.log()
    );
    let error = authority
        .session(server.addr)
        .expect_err("a client does not take it");
    assert!(error.to_string().contains("xpired"), "{error}");
    server.stop();
}

/// S1 under TLS: in a handshake, after it, in a head and where nothing is read.
#[test]
fn slow_peers_lose_their_connections_under_tls() {
    let (authority, data) = (Authority::new(), data());
    let pair = authority.issue(2100);
    authority.put(&pair.certificate, &pair.key);
    let server = authority.start(data.path(), &[]);
    let addr = server.addr;
    let authority = &authority;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut socket = TcpStream::connect(addr).expect("it listens");
            // The begin of a client hello of 512 bytes.
            socket
                .write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252])
                .expect("it reads");
            closed_in_time("a dribbled handshake", move || {
                socket.write_all(&[0]).is_ok() && is_open(&mut socket)
            });
        });
        scope.spawn(move || {
            let mut socket = TcpStream::connect(addr).expect("it listens");
            closed_in_time("no handshake", move || is_open(&mut socket));
        });
        scope.spawn(move || {
            let mut session = authority.session(addr).expect("a session");
            closed_in_time("silent after the handshake", move || {
                is_session_open(&mut session)
            });
        });
        scope.spawn(move || {
            let mut session = authority.session(addr).expect("a session");
            session
                .write_all(b"GET / HTTP/1.1\r\nX-Slow: ")
                .expect("it reads");
            closed_in_time("a slow head", move || {
                session.write_all(b"a").is_ok() && is_session_open(&mut session)
            });
        });
        scope.spawn(move || {
            let mut session = authority.session(addr).expect("a session");
            let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
            // More than the buffers of the system take in between.
            session.write_all(&ask.repeat(1_500)).expect("it reads");
            closed_in_time("a reader that takes nothing", move || {
                matches!(session.sock.take_error(), Ok(None))
            });
        });
        // Others meanwhile.
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            let mut session = authority.session(addr).expect("a session");
            assert_eq!(get(&mut session, "/health/live").expect("a reply").0, 200);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    server.stop();
}

fn closed_in_time(what: &str, mut is_open: impl FnMut() -> bool) {
    let started = Instant::now();
    while is_open() {
        assert!(started.elapsed() < CLOSED_WITHIN, "{what}: still open");
        std::thread::sleep(Duration::from_millis(250));
    }
    println!("{what}: closed after {:.1?}", started.elapsed());
}

fn is_open(socket: &mut TcpStream) -> bool {
    socket.set_nonblocking(true).expect("it is a socket");
    loop {
        match socket.read(&mut [0; 4_096]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn is_session_open(session: &mut Session) -> bool {
    session.sock.set_nonblocking(true).expect("it is a socket");
    loop {
        match session.read(&mut [0; 4_096]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
