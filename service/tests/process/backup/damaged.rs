//! A backup that is damaged, cut off or of another kind is refused in words and leaves nothing.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::binary::{Tidemark, run};
use super::super::from_env;
use super::super::http::once;
use super::super::payload;
use super::{back_up, restore, succeeded, text, tidemark};

/// A backup of a few versions and an online state.
pub(super) fn small_backup(folder: &Path) -> PathBuf {
    let (data_dir, file) = (folder.join("small"), folder.join("small.backup"));
    let server = Tidemark::start(&data_dir, &[]);
    for mark in 0..6 {
        let target = format!("/fit/s-{}", mark % 3);
        let n = if mark == 0 { 2_000 } else { 5 };
        let reply = once(server.addr, "POST", &target, &payload::fit(mark, n));
        assert_eq!(reply.expect("a reply").status, 200);
    }
    let point = br#"{"timestamp":"1769846400","value":1.5}"#;
    let reply = once(server.addr, "POST", "/update/s-0", point).expect("a reply");
    assert_eq!(reply.status, 200, "{}", reply.text());
    server.stop();
    succeeded(back_up(&data_dir, &file));
    file
}

/// Refused by a restore, which leaves nothing, and by a dry run.
fn assert_refused(backup: &[u8], words: &[&str], what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (file, target) = (folder.path().join("file"), folder.path().join("a/b"));
    std::fs::write(&file, backup).expect("it can be written");
    let dry = run(&mut tidemark(&[
        "restore",
        "--dry-run",
        "--from",
        text(&file),
    ]));
    for ended in [restore(&file, &target), dry] {
        assert_eq!(ended.status.code(), Some(1), "{what}: {ended:?}");
        let told = &ended.errors;
        assert!(words.iter().any(|it| told.contains(it)), "{what}: {told}");
        assert!(told.starts_with("tidemark: "), "{what}: {told}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("it can be read")
        .map(|entry| entry.expect("it can be read").file_name())
        .collect();
    assert_eq!(left, ["file"], "{what}");
}

#[test]
fn damaged_backups_are_refused_and_leave_nothing() {
    let flips = from_env("TIDEMARK_BACKUP_FLIPS", 12);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_BACKUP_FLIPS={flips} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = small_backup(folder.path());
    let whole = std::fs::read(&file).expect("it can be read");

    // The control: as it is, it is restored, and the summary of a dry run is that of the restore.
    let restored = succeeded(restore(&file, &folder.path().join("restored")));
    let dry = run(&mut tidemark(&[
        "restore",
        "--dry-run",
        "--from",
        text(&file),
    ]));
    let sentence = "3 series, 6 versions, 1 online states";
    assert!(restored.output.contains(sentence), "{restored:?}");
    assert!(succeeded(dry).output.contains(sentence));

    let lengths = [0, 1, 4, 11, 12, 40, 1_000, whole.len() / 2];
    let from_end = [1, 16, 17, 30, 200, 600];
    for length in lengths.into_iter().chain(from_end.map(|n| whole.len() - n)) {
        let what = format!("{length} of {} bytes", whole.len());
        assert_refused(&whole[..length], &["is truncated"], &what);
    }
    for _ in 0..flips {
        let bit = random.random_range(0..whole.len() * 8);
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A length that became longer looks like a missing end.
        let words = ["is damaged", "is no backup", "is truncated"];
        assert_refused(&flipped, &words, &format!("bit {bit}"));
    }
    let more = [whole.as_slice(), b"x"].concat();
    assert_refused(&more, &["bytes follow the end"], "a byte more");
    let twice = [whole.as_slice(), &whole].concat();
    assert_refused(&twice, &["bytes follow the end"], "twice");
    assert_refused(&[b'{'; 100], &["is no backup"], "something else");
}
