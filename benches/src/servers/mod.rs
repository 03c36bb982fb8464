//! The servers that are measured, and the other roles this program can take when it is started
//! again by itself.

mod floor;
mod hyper;
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;

use ::service::store::{Durability, EmbeddedOptions, EmbeddedStore, Store};
use bytes::Bytes;

use crate::data;

const FLAG: &str = "--as";

/// What a process of this program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The service itself.
    Service {
        /// Its address; port 0 takes a free one.
        addr: SocketAddr,
        /// Folder of its store.
        data_dir: PathBuf,
        /// When a fit counts as stored.
        durability: Durability,
    },
    /// The service's HTTP stack around a handler that parses and answers a constant.
    Floor {
        /// File with the constant reply to a predict.
        reply: PathBuf,
    },
    /// The same without id and time on its replies.
    FloorUnstamped {
        /// File with the constant reply to a predict.
        reply: PathBuf,
    },
    /// hyper around the same handler.
    Hyper {
        /// File with the constant reply to a predict.
        reply: PathBuf,
    },
    /// Fills a store and is killed in the middle of its work.
    Fill {
        /// Folder of the store.
        data_dir: PathBuf,
        /// Series, one version each.
        n_series: usize,
    },
    /// Uses a core and does nothing.
    Spin,
}

impl Role {
    /// The service with its defaults on a free port.
    #[must_use]
    pub fn service(data_dir: impl Into<PathBuf>, durability: Durability) -> Self {
        Self::Service {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
            durability,
        }
    }

    /// The command line that makes this program take the role.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let text = |path: &PathBuf| path.to_str().expect("paths here are text").to_owned();
        let words = match self {
            Self::Service {
                addr,
                data_dir,
                durability,
            } => {
                let name = match durability {
                    Durability::Synced => "service",
                    Durability::Buffered => "service-buffered",
                };
                vec![name.to_owned(), text(data_dir), addr.to_string()]
            }
            Self::Floor { reply } => vec!["floor".to_owned(), text(reply)],
            Self::FloorUnstamped { reply } => vec!["floor-unstamped".to_owned(), text(reply)],
            Self::Hyper { reply } => vec!["hyper".to_owned(), text(reply)],
            Self::Spin => vec!["spin".to_owned()],
            Self::Fill { data_dir, n_series } => {
                vec!["fill".to_owned(), text(data_dir), n_series.to_string()]
            }
        };
        std::iter::once(FLAG.to_owned()).chain(words).collect()
    }

    fn parse(words: &[String]) -> Self {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let path = || PathBuf::from(&words[1]);
        let service = |durability| Self::Service {
            addr: words[2].parse().expect("an address"),
            data_dir: path(),
            durability,
        };
        match name {
            "service" => service(Durability::Synced),
            "service-buffered" => service(Durability::Buffered),
            "floor" => Self::Floor { reply: path() },
            "floor-unstamped" => Self::FloorUnstamped { reply: path() },
            "hyper" => Self::Hyper { reply: path() },
            "fill" => Self::Fill {
                data_dir: path(),
                n_series: words[2].parse().expect("a number"),
            },
            "spin" => Self::Spin,
            other => panic!("there is no role {other:?}"),
        }
    }

    fn play(self) {
        match self {
            Self::Service {
                addr,
                data_dir,
                durability,
            } => service::run(addr, data_dir, durability),
            Self::Floor { reply } => floor::run(constant(&reply)),
            Self::FloorUnstamped { reply } => floor::run_unstamped(constant(&reply)),
            Self::Hyper { reply } => hyper::run(constant(&reply)),
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Fill { data_dir, n_series } => fill(data_dir, n_series),
        }
    }
}

/// Plays the role this process was started for, if it was started for one, and then ends it.
pub fn play_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == FLAG) {
        Role::parse(&arguments[at + 1..]).play();
        std::process::exit(0);
    }
}

fn constant(reply: &PathBuf) -> Bytes {
    Bytes::from(std::fs::read(reply).expect("the reply's file is there"))
}

/// Puts `n_series` series into a store and ends like a process that was killed: nothing is closed.
fn fill(data_dir: PathBuf, n_series: usize) {
    let options = EmbeddedOptions::at(data_dir.join("store"));
    let store = EmbeddedStore::open(&options).expect("the store opens");
    let (sender, done) = std::sync::mpsc::channel();
    let window = options.queue_puts.min(n_series);
    let submit = |index| {
        let sender = sender.clone();
        let completion = move |outcome| sender.send(outcome).expect("it is waited for");
        store.submit(data::put(index), Box::new(completion));
    };
    (0..window).for_each(submit);
    for index in window..n_series + window {
        done.recv()
            .expect("a completion is called")
            .expect("a put is stored");
        if index < n_series {
            submit(index);
        }
    }
    std::process::abort();
}
