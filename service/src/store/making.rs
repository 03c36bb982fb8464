//! A store comes to be as a whole: it is made beside its place and moved there when it is complete.
//!
//! A process that ends while it makes a store in place leaves a folder that is neither empty nor a store, and
//! that no later start can tell from a damaged one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::private_folder;

/// Makes a store at `path` with `make`, if there is none. An empty folder is none.
pub(super) fn make_if_absent(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |what: &Path, error: io::Error| {
        StoreError::Unavailable(format!("{} cannot be made: {error}", what.display()))
    };
    // One that is there may be in a folder that nothing can be written to.
    if !is_absent(path).map_err(|error| failed(path, error))? {
        return Ok(());
    }
    let (parent, aside) = beside(path).map_err(|error| failed(path, error))?;
    private_folder::make(&parent).map_err(|error| failed(&parent, error))?;
    let folder = File::open(&parent).map_err(|error| failed(&parent, error))?;
    // Against another process that makes the same store; gone with the handle.
    folder.lock().map_err(|error| failed(&parent, error))?;
    if !is_absent(path).map_err(|error| failed(path, error))? {
        return Ok(());
    }
    // What is there is of a process that ended before it was complete: nobody was told of anything in it.
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&aside, error)),
        _ => {}
    }
    make(&aside)?;
    std::fs::rename(&aside, path).map_err(|error| failed(path, error))?;
    folder.sync_all().map_err(|error| failed(&parent, error))
}

fn is_absent(path: &Path) -> io::Result<bool> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The folder that holds `path`, and where in it the store is made.
fn beside(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("it has no name of its own"));
    };
    let mut aside = name.to_owned();
    aside.push(".making");
    Ok((parent.to_owned(), parent.join(aside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> Result<(), StoreError> {
        std::fs::create_dir_all(path).unwrap();
        std::fs::write(path.join("file"), text).unwrap();
        Ok(())
    }

    #[test]
    fn what_is_there_is_complete_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (
            folder.path().join("a/store"),
            folder.path().join("a/store.making"),
        );
        let text = || std::fs::read_to_string(path.join("file")).unwrap();
        let failure = StoreError::Unavailable("the disk is gone".into());
        let fails = |at: &Path| write(at, "half").and(Err(failure.clone()));
        assert_eq!(make_if_absent(&path, fails), Err(failure.clone()));
        assert!(!path.exists() && aside.exists(), "a crash leaves as much");
        make_if_absent(&path, |at| write(at, "whole")).unwrap();
        assert!(!aside.exists());
        make_if_absent(&path, |_| panic!("it is there")).unwrap();
        assert_eq!(text(), "whole");
    }

    #[test]
    fn an_empty_folder_becomes_the_store() {
        let folder = tempfile::tempdir().unwrap();
        make_if_absent(folder.path(), |at| write(at, "whole")).unwrap();
        assert!(folder.path().join("file").exists());
    }
}
