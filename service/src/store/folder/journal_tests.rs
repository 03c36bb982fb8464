//! What becomes of damaged journals.

use std::path::{Path, PathBuf};

use super::files::SET_ASIDE;
use super::journal::tests::{batch, unnumbered};
use super::{Depth, MARKED, MARKER, inspect};

/// A folder with these journals and nothing else.
fn folder(journals: &[&[Vec<u8>]]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keyspaces")).unwrap();
    std::fs::write(folder.path().join(MARKER), MARKED).unwrap();
    for (idx, batches) in journals.iter().enumerate() {
        std::fs::write(journal(folder.path(), idx), batches.concat()).unwrap();
    }
    folder
}

fn journal(folder: &Path, idx: usize) -> PathBuf {
    folder.join(format!("{idx}.jnl"))
}

fn set_aside(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder.join(SET_ASIDE));
    let entries = entries.into_iter().flatten();
    entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

/// Makes the journals readable; how many sentences say that something was lost.
fn make_readable(folder: &Path) -> usize {
    let found = inspect(folder, Depth::ToOpen).unwrap();
    found.make_readable().unwrap();
    found.journals.damage().len()
}

/// A sequence number has no checksum. One that is too high is that of the batch that hides the next one,
/// not of whatever stands before it.
#[test]
fn the_batch_that_would_hide_the_next_one_is_dropped_and_no_other() {
    let (first, last) = (batch(1, 10), batch(2, 13));
    let (hiding, right) = (unnumbered(10 + (1 << 20)), unnumbered(12));
    for hiding_is_first in [true, false] {
        let mut between = [hiding.clone(), right.clone()];
        if !hiding_is_first {
            between.reverse();
        }
        let [one, other] = between;
        let whole = [first.clone(), one, other, last.clone()];
        let expected = [&first[..], &right, &last].concat();
        let of_one = folder(&[&whole]);
        assert_eq!(make_readable(of_one.path()), 1);
        assert_eq!(std::fs::read(journal(of_one.path(), 0)).unwrap(), expected);
        assert_eq!(set_aside(of_one.path()), [whole.concat()]);
        // The one that hides and the one that is hidden need not be in the same journal.
        for split in 1..whole.len() {
            let of_two = folder(&[&whole[..split], &whole[split..]]);
            assert_eq!(make_readable(of_two.path()), 1, "{split}");
            let left = [0, 1].map(|idx| std::fs::read(journal(of_two.path(), idx)).unwrap());
            assert_eq!(left.concat(), expected, "{split}");
        }
    }
}

#[test]
fn batches_without_a_number_in_their_order_are_no_damage() {
    let batches = [
        unnumbered(3),
        batch(1, 10),
        unnumbered(11),
        batch(2, 12),
        unnumbered(13),
        unnumbered(14),
    ];
    let folder = folder(&[&batches]);
    assert_eq!(make_readable(folder.path()), 0);
    assert_eq!(
        std::fs::read(journal(folder.path(), 0)).unwrap(),
        batches.concat()
    );
}

/// The torn end of a crash is cut off. Where nothing says that it is one, it is kept besides.
#[test]
fn an_end_that_may_have_been_acknowledged_is_kept() {
    let torn = batch(2, 11)[..40].to_vec();
    let known = folder(&[&[batch(1, 10), torn.clone()]]);
    assert_eq!(make_readable(known.path()), 0);
    assert_eq!(
        std::fs::read(journal(known.path(), 0)).unwrap(),
        batch(1, 10)
    );
    assert_eq!(set_aside(known.path()), [[0; 0]; 0]);
    let unknown = folder(&[std::slice::from_ref(&torn)]);
    make_readable(unknown.path());
    assert_eq!(std::fs::read(journal(unknown.path(), 0)).unwrap(), [0; 0]);
    assert_eq!(set_aside(unknown.path()), [torn]);
}

#[test]
fn a_rewriting_that_was_cut_off_is_begun_again() {
    let mut middle = batch(2, 11);
    middle[30] ^= 1;
    let whole = [batch(1, 10), middle, batch(3, 12)];
    let expected = [batch(1, 10), batch(3, 12)].concat();
    // What a process leaves that ends before the new journal has its name.
    let folder = folder(&[&whole]);
    let half = folder.path().join("0.tidemark-anew");
    std::fs::write(&half, &expected[..70]).unwrap();
    std::fs::create_dir(folder.path().join(SET_ASIDE)).unwrap();
    std::fs::write(
        folder.path().join(SET_ASIDE).join("0.jnl.0"),
        whole.concat(),
    )
    .unwrap();
    assert_eq!(make_readable(folder.path()), 1);
    assert_eq!(std::fs::read(journal(folder.path(), 0)).unwrap(), expected);
    assert!(!half.exists());
    assert_eq!(set_aside(folder.path()), [whole.concat(), whole.concat()]);
    assert_eq!(make_readable(folder.path()), 0, "and then it is whole");
    // One that no journal is damaged for is removed as well.
    std::fs::write(&half, "half").unwrap();
    make_readable(folder.path());
    assert!(!half.exists());
}
