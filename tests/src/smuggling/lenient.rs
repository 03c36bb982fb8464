//! A server that answers 200 to whatever ends in a blank line, and goes on: what no server should be.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

pub(crate) struct Lenient {
    addr: SocketAddr,
}

impl Lenient {
    /// Serves until the test's process ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
        let addr = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self { addr }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

fn serve(mut stream: TcpStream) {
    let (mut received, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(n @ 1..) = stream.read(&mut chunk) {
        received.extend_from_slice(&chunk[..n]);
        let lines: Vec<u8> = received
            .iter()
            .copied()
            .filter(|byte| *byte != b'\r')
            .collect();
        let heads = lines.windows(2).filter(|two| two == b"\n\n").count();
        received.clear();
        for _ in 0..heads {
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .is_err()
            {
                return;
            }
        }
    }
}
