//! The embedded stores the service's was chosen from, each used as its authors advise for durable
//! batches: random keys, values of 200 bytes, one sync a commit.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use benches::data;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use rand::RngCore;
use redb::{ReadableTableMetadata, TableDefinition};

const VALUE_BYTES: usize = 200;
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("versions");

/// A key and a value.
pub(crate) type Item = ([u8; 16], [u8; VALUE_BYTES]);

/// Endless items with random keys.
pub(crate) fn items(seed: u64) -> impl Iterator<Item = Item> {
    let mut random = data::generator(seed);
    std::iter::repeat_with(move || {
        let mut item = ([0; 16], [0; VALUE_BYTES]);
        random.fill_bytes(&mut item.0);
        random.fill_bytes(&mut item.1);
        item
    })
}

/// A store under comparison.
pub(crate) trait Contender {
    /// Stores items and syncs once.
    fn commit(&mut self, items: &mut dyn Iterator<Item = Item>);

    /// Counts all items, by reading them where the store keeps no count.
    fn count(&self) -> u64;
}

/// Opens `fjall`, `redb` or `log`.
pub(crate) fn open(name: &str, path: &Path) -> Box<dyn Contender> {
    match name {
        "fjall" => Box::new(Fjall::open(path)),
        "redb" => Box::new(Redb::open(path)),
        "log" => Box::new(Log::open(path)),
        _ => panic!("no store is called {name}"),
    }
}

struct Fjall {
    db: Database,
    table: Keyspace,
}

impl Fjall {
    fn open(path: &Path) -> Self {
        let db = Database::builder(path).open().expect("fjall opens");
        let table = db
            .keyspace("versions", KeyspaceCreateOptions::default)
            .expect("fjall opens");
        Self { db, table }
    }
}

impl Contender for Fjall {
    fn commit(&mut self, items: &mut dyn Iterator<Item = Item>) {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in items {
            batch.insert(&self.table, key, value);
        }
        batch.commit().expect("fjall commits");
    }

    fn count(&self) -> u64 {
        self.table.len().expect("fjall reads") as u64
    }
}

struct Redb(redb::Database);

impl Redb {
    fn open(path: &Path) -> Self {
        Self(redb::Database::create(path).expect("redb opens"))
    }
}

impl Contender for Redb {
    fn commit(&mut self, items: &mut dyn Iterator<Item = Item>) {
        let write = self.0.begin_write().expect("redb writes");
        {
            let mut table = write.open_table(TABLE).expect("redb has the table");
            for (key, value) in items {
                table
                    .insert(key.as_slice(), value.as_slice())
                    .expect("redb inserts");
            }
        }
        write.commit().expect("redb commits");
    }

    fn count(&self) -> u64 {
        use redb::ReadableDatabase;
        let read = self.0.begin_read().expect("redb reads");
        let table = read.open_table(TABLE).expect("redb has the table");
        table.len().expect("redb counts")
    }
}

/// Not a store: an append-only file, the least that a durable batch costs.
struct Log(File);

impl Log {
    fn open(path: &Path) -> Self {
        Self(File::create(path).expect("a file can be made"))
    }
}

impl Contender for Log {
    fn commit(&mut self, items: &mut dyn Iterator<Item = Item>) {
        let mut bytes = Vec::new();
        for (key, value) in items {
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&value);
        }
        self.0.write_all(&bytes).expect("the disk has room");
        self.0.sync_data().expect("the disk syncs");
    }

    fn count(&self) -> u64 {
        let bytes = self.0.metadata().expect("the file is there").len();
        bytes / (16 + VALUE_BYTES as u64)
    }
}
