//! Which number fjall gave which keyspace.
//!
//! fjall keeps the names in keyspace 0, and deletes the folder of a number that has no name there. So
//! each start notes them in a file of the store, and a damaged keyspace 0 is made anew from that.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use detectors::envelope;

use super::tables;
use crate::store::folder::manifest::NAMES;
use crate::store::folder::replace;
use crate::store::keyspaces;

/// In the database's folder, where fjall passes it over.
const FILE: &str = "tidemark-keyspaces";
const MAGIC: [u8; 4] = *b"TKEY";
const FORMAT: u16 = 1;

pub(in crate::store) type Names = BTreeMap<u64, String>;

/// The names as they were noted; nothing if the note is missing or damaged.
fn noted(folder: &Path) -> Option<Names> {
    let bytes = std::fs::read(folder.join(FILE)).ok()?;
    let sealed = envelope::open(MAGIC, &bytes).ok()?;
    let names = sealed.format == FORMAT;
    names.then(|| postcard::from_bytes(sealed.payload).ok())?
}

/// Notes the names, durably, if they are not noted yet.
pub(in crate::store) fn note(folder: &Path, names: &Names) -> io::Result<()> {
    if noted(folder).as_ref() == Some(names) {
        return Ok(());
    }
    let payload = postcard::to_stdvec(names).map_err(io::Error::other)?;
    replace(&folder.join(FILE), |file| {
        file.write_all(&envelope::seal(MAGIC, FORMAT, 0, &payload))
    })
}

/// The names of the keyspaces in `folder`: as they were noted, or what fjall's tables have of them.
pub(super) fn find(folder: &Path, work: &Path) -> io::Result<Names> {
    if let Some(names) = noted(folder) {
        return Ok(names);
    }
    let mut names = Names::new();
    let tables_of_names = super::keyspace_folder(folder, NAMES).join("tables");
    for entry in std::fs::read_dir(tables_of_names)? {
        let table = tables::read(&entry?.path(), &work.join("names"))?;
        for record in table.records() {
            let record = record.map_err(|error| io::Error::other(error.to_string()))?;
            let key = record.key.user_key.strip_prefix(b"n");
            let id = key.and_then(|id| Some(u64::from_be_bytes(id.try_into().ok()?)));
            let name = String::from_utf8(record.value.to_vec());
            if let (Some(id), Ok(name)) = (id, name) {
                names.insert(id, name);
            }
        }
    }
    Ok(names)
}

/// Makes keyspace 0 in `to` as fjall makes it for keyspaces with these names.
pub(super) fn rebuild(names: &Names, work: &Path, to: &Path) -> io::Result<()> {
    let anew: PathBuf = work.join("anew");
    {
        let db = keyspaces::open_database(&anew).map_err(io::Error::other)?;
        for (id, name) in names {
            let made = keyspaces::open(&db, name).map_err(io::Error::other)?;
            if made.id() != *id {
                let reason = format!("keyspace {name} has the number {id}, {} is free", made.id());
                return Err(io::Error::other(reason));
            }
        }
    }
    std::fs::rename(super::keyspace_folder(&anew, NAMES), to)
}
