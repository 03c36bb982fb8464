//! Packs what `/docs` serves of Swagger UI: its script and its style, as they are sent.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// In the archive, in a folder that is named after the version.
const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut packed = 0;
    for entry in 0..archive.len() {
        let mut entry = archive.by_index(entry)?;
        let name = entry.name()?.into_owned();
        let is_meant = |file: &&&str| name.ends_with(&format!("/dist/{file}"));
        let Some(file) = FILES.iter().find(is_meant) else {
            continue;
        };
        let path = Path::new(&folder).join(format!("{file}.gz"));
        let mut out = GzEncoder::new(File::create(path)?, Compression::best());
        io::copy(&mut entry, &mut out)?;
        out.finish()?;
        packed += 1;
    }
    if packed != FILES.len() {
        return Err(format!("Swagger UI has {packed} of {FILES:?}").into());
    }
    Ok(())
}
