//! A library that is loaded before the C library and moves the time of day of a process.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

const SOURCE: &str = include_str!("clock.c");

/// The library, and the file that says how far clocks are off.
#[derive(Debug)]
pub(crate) struct Shim {
    library: PathBuf,
    offset: PathBuf,
}

impl Shim {
    /// Builds it with the machine's C compiler; `None` where there is none, or not Linux with glibc.
    pub(crate) async fn build(folder: &Path) -> Option<Self> {
        let shim = Self {
            library: folder.join("clock.so"),
            offset: folder.join("clock-offset"),
        };
        let source = folder.join("clock.c");
        fs::write(&source, SOURCE).ok()?;
        fs::write(&shim.offset, 0_i64.to_ne_bytes()).ok()?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&shim.library)
            .arg(&source)
            .stderr(Stdio::null())
            .status()
            .await;
        built.is_ok_and(|status| status.success()).then_some(shim)
    }

    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("CAMPAIGN_CLOCK", self.offset.display().to_string()),
        ]
    }

    /// Moves the clocks by so many seconds.
    pub(crate) fn set(&self, offset_s: i64) -> Result<()> {
        // In place: the services have the file mapped.
        let file = fs::File::options().write(true).open(&self.offset)?;
        Ok(file.write_all_at(&offset_s.to_ne_bytes(), 0)?)
    }
}
