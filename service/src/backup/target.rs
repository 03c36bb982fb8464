//! Where a backup goes: a file that has its name when it is whole and on the disk, or stdout.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::is_stream;

/// A target that is being written. Dropped before [`Target::keep`], it leaves nothing.
pub(super) enum Target {
    Stdout(io::Stdout),
    File {
        file: BufWriter<File>,
        unfinished: Unfinished,
        path: PathBuf,
        force: bool,
    },
}

/// A file beside the target, removed unless it got its name.
pub(super) struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename it is gone already.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Target {
    /// Opens the target, a file for its owner's eyes: it has the data of all tenants.
    ///
    /// # Errors
    /// A sentence, also if the file is there and may not be replaced.
    pub(super) fn open(path: &Path, force: bool) -> Result<Self, String> {
        if is_stream(path) {
            return Ok(Self::Stdout(io::stdout()));
        }
        let shown = path.display();
        if path.is_dir() {
            return Err(format!("{shown} is a folder: name a file in it"));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(is_there(path));
        }
        let name = path
            .file_name()
            .ok_or_else(|| format!("{shown} names no file"))?;
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.partial", std::process::id()));
        let beside = path.with_file_name(beside);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .map_err(|error| format!("{} cannot be made: {error}", beside.display()))?;
        Ok(Self::File {
            file: BufWriter::with_capacity(256 * 1024, file),
            unfinished: Unfinished(beside),
            path: path.to_owned(),
            force,
        })
    }

    /// Syncs what was written and gives it its name.
    ///
    /// # Errors
    /// A sentence; the target is then as it was.
    pub(super) fn keep(self) -> Result<(), String> {
        let (file, unfinished, path, force) = match self {
            Self::Stdout(mut out) => {
                return out
                    .flush()
                    .map_err(|error| format!("stdout cannot be written: {error}"));
            }
            Self::File {
                file,
                unfinished,
                path,
                force,
            } => (file, unfinished, path, force),
        };
        let unwritable =
            |error: io::Error| format!("{} cannot be written: {error}", path.display());
        let file = file
            .into_inner()
            .map_err(|error| unwritable(error.into_error()))?;
        file.sync_all().map_err(unwritable)?;
        if force {
            std::fs::rename(&unfinished.0, &path).map_err(unwritable)?;
        } else {
            name_anew(&unfinished.0, &path)?;
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(unwritable)
    }
}

/// Renames without replacing a file that came meanwhile, where the file system has hard links.
fn name_anew(from: &Path, to: &Path) -> Result<(), String> {
    match std::fs::hard_link(from, to) {
        // The name beside is removed when it is dropped.
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(is_there(to)),
        Err(_) if to.symlink_metadata().is_ok() => Err(is_there(to)),
        Err(_) => std::fs::rename(from, to)
            .map_err(|error| format!("{} cannot be written: {error}", to.display())),
    }
}

fn is_there(path: &Path) -> String {
    format!(
        "{} is there already: choose another name, or add --force to replace it",
        path.display()
    )
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}
