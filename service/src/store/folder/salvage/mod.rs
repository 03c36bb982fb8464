//! What is whole of a damaged keyspace, in a keyspace that fjall can open.
//!
//! fjall opens all keyspaces or none, and a keyspace with all of its tables or not at all. So one with a
//! damaged list, or a table that cannot be opened, is written anew from every record that is whole, and
//! then put in the place of the damaged one, which is kept in `tidemark-set-aside`:
//!
//! 1. `tidemark-salvage/N.made` is written; nothing else is changed. A later start begins again.
//! 2. The store says durably that records are missing, if some are.
//! 3. `N.made` becomes `N.whole`: from now on what is at `keyspaces/N` is the damaged one.
//! 4. `keyspaces/N` is set aside, `N.whole` becomes `keyspaces/N`. A start that finds `N.whole` goes on here.

mod merge;
mod names;
mod rebuild;
mod tables;
mod values;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub(in crate::store) use names::{Names, note as note_names};

use super::files::{SET_ASIDE, free_name};
use super::manifest::{BadFile, Keyspace, NAMES, TABLES, VALUES};

const FOLDER: &str = "tidemark-salvage";

/// A keyspace that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Salvaged {
    pub(in crate::store) name: String,
    /// What is wrong with its files.
    pub(in crate::store) found: Vec<BadFile>,
    /// Whether all of its records are whole.
    pub(in crate::store) is_complete: bool,
    id: u64,
}

/// Keyspaces that are written anew and not yet in their place.
#[must_use]
pub(in crate::store) struct Staged {
    folder: PathBuf,
    pub(in crate::store) salvaged: Vec<Salvaged>,
}

fn keyspace_folder(folder: &Path, id: u64) -> PathBuf {
    folder.join("keyspaces").join(id.to_string())
}

/// Writes those that are damaged anew, aside.
pub(super) fn stage<'a>(
    folder: &Path,
    damaged: impl Iterator<Item = (&'a Keyspace, &'a [BadFile])>,
) -> io::Result<Staged> {
    let aside = folder.join(FOLDER);
    // What is there is of a process that ended before anything else was changed.
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut salvaged = Vec::new();
    for (keyspace, found) in damaged {
        std::fs::create_dir_all(&aside)?;
        let work = aside.join("work");
        std::fs::create_dir_all(&work)?;
        let names = names::find(folder, &work)?;
        let to = aside.join(format!("{}.made", keyspace.id));
        let (name, is_complete) = if keyspace.id == NAMES {
            check_names(folder, &names)?;
            names::rebuild(&names, &work, &to)?;
            ("names", true)
        } else {
            let name = names.get(&keyspace.id).map_or("", String::as_str);
            (name, rebuild::rebuild(keyspace, name, &to)?)
        };
        std::fs::remove_dir_all(&work)?;
        for bad in found {
            tracing::warn!(file = %bad.path.display(), reason = bad.reason, keyspace = name, is_complete,
                "a damaged keyspace is written anew");
        }
        salvaged.push(Salvaged {
            name: name.to_owned(),
            found: found.to_vec(),
            is_complete,
            id: keyspace.id,
        });
    }
    Ok(Staged {
        folder: folder.to_owned(),
        salvaged,
    })
}

/// fjall deletes a keyspace that has no name.
fn check_names(folder: &Path, names: &Names) -> io::Result<()> {
    for entry in std::fs::read_dir(folder.join("keyspaces"))? {
        let id = entry?.file_name().to_string_lossy().parse::<u64>();
        if let Ok(id) = id
            && id != NAMES
            && !names.contains_key(&id)
        {
            let reason = format!("the names of its keyspaces are damaged: number {id} has none");
            return Err(io::Error::other(reason));
        }
    }
    Ok(())
}

impl Staged {
    /// Puts them in their place.
    pub(in crate::store) fn put_in_place(&self) -> io::Result<()> {
        let aside = self.folder.join(FOLDER);
        for salvaged in &self.salvaged {
            let made = aside.join(format!("{}.made", salvaged.id));
            for part in ["", TABLES, VALUES] {
                let part = made.join(part);
                if part.exists() {
                    sync_folder(&part)?;
                }
            }
            std::fs::rename(made, aside.join(format!("{}.whole", salvaged.id)))?;
        }
        if !self.salvaged.is_empty() {
            sync_folder(&aside)?;
            sync_folder(&self.folder)?;
        }
        finish(&self.folder)
    }
}

/// Finishes what a process began that ended before it was in its place.
pub(super) fn finish(folder: &Path) -> io::Result<()> {
    let aside = folder.join(FOLDER);
    let entries = match std::fs::read_dir(&aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let whole = entry?.path();
        let id = whole.file_stem().and_then(|id| id.to_str()?.parse().ok());
        let is_whole = whole.extension().is_some_and(|end| end == "whole");
        let (Some(id), true) = (id, is_whole) else {
            continue;
        };
        let place = keyspace_folder(folder, id);
        if place.exists() {
            let set_aside = folder.join(SET_ASIDE);
            std::fs::create_dir_all(&set_aside)?;
            let kept = free_name(&set_aside, &format!("keyspace-{id}"));
            std::fs::rename(&place, &kept)?;
            sync_folder(&set_aside)?;
            tracing::warn!(kept = %kept.display(), "a damaged keyspace was set aside");
        }
        std::fs::rename(&whole, &place)?;
        sync_folder(&folder.join("keyspaces"))?;
    }
    std::fs::remove_dir_all(&aside)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
