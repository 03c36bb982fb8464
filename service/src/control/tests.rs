//! What a stalled peer costs, with limits short enough for a test.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::peer::Peer;

#[test]
fn a_peer_that_reads_nothing_is_given_up_and_one_that_reads_slowly_is_not() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let is_stopping = AtomicBool::new(false);
    let mut peer = Peer::new(&ours, &is_stopping).reads_within(Duration::from_millis(300));
    let reader = std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        let mut n_read = 0;
        while n_read < 1024 * 1024 {
            std::thread::sleep(Duration::from_millis(40));
            n_read += theirs.read(&mut piece).unwrap();
        }
        theirs
    });
    peer.write_all(&vec![1; 1024 * 1024]).unwrap();
    let theirs = reader.join().unwrap();
    let given_up = peer.write_all(&vec![1; 8 * 1024 * 1024]).unwrap_err();
    assert!(given_up.to_string().contains("reads nothing"), "{given_up}");
    drop(theirs);
    assert!(peer.write_all(&[1]).is_err());
}

#[test]
fn a_stop_ends_reads_and_writes_that_wait() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let is_stopping = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let waits = scope.spawn(|| Peer::new(&ours, &is_stopping).write_all(&vec![1; 8 << 20]));
        let reads = scope.spawn(|| Peer::new(&ours, &is_stopping).read(&mut [0]).map(|_| ()));
        is_stopping.store(true, Ordering::SeqCst);
        [waits.join().unwrap(), reads.join().unwrap()]
    });
    for ended in ended {
        let error = ended.unwrap_err();
        assert!(error.to_string().contains("is stopping"), "{error}");
    }
}
