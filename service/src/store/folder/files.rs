//! Files that take the place of others, and those that are kept aside.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::journal;

/// Where journals and keyspaces with damage are kept as they were found, in the database's folder.
pub(super) const SET_ASIDE: &str = "tidemark-set-aside";
/// What the name of a file ends in that takes the place of another when it is written to its end.
const ANEW: &str = "tidemark-anew";

/// Removes what a process that ended had not written to its end.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == ANEW) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Keeps a copy of a file that is damaged.
pub(super) fn set_aside(folder: &Path, damaged: &Path) -> io::Result<()> {
    if !damaged.exists() {
        return Ok(());
    }
    let folder = folder.join(SET_ASIDE);
    std::fs::create_dir_all(&folder)?;
    let name = damaged.file_name().unwrap_or_default().to_string_lossy();
    let copy = free_name(&folder, &name);
    std::fs::write(&copy, journal::read(damaged)?)?;
    File::open(&copy)?.sync_all()?;
    File::open(&folder)?.sync_all()?;
    tracing::warn!(kept = %copy.display(), "a damaged file was set aside");
    Ok(())
}

/// A name in `folder` that nothing has yet.
pub(super) fn free_name(folder: &Path, name: &str) -> PathBuf {
    let mut names = (0_u64..).map(|n| folder.join(format!("{name}.{n}")));
    names
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(name))
}

/// Writes a file anew, in one step.
pub(in crate::store) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let anew = path.with_extension(ANEW);
    let mut file = File::create(&anew)?;
    write(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&anew, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
