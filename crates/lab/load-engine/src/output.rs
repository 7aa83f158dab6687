//! Where a result goes: a file that is opened before the load, and standard output.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where the JSON of a result goes.
#[derive(Debug)]
pub enum JsonOutput {
    /// Nowhere.
    None,
    /// To standard output, in place of the summary.
    Stdout,
    /// Into a file.
    File(JsonFile),
}

/// An open file, not written yet. One that was made for the result and never had it is removed.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    file: File,
    made: bool,
}

impl JsonOutput {
    /// Opens what `--json` names: what cannot be written should show before the load, not after it. What is in the file
    /// stays there until the result is.
    ///
    /// # Errors
    /// Those of the file.
    pub fn open(asked: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = asked else {
            return Ok(Self::None);
        };
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let made = !path.exists();
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path);
        let file = file
            .with_context(|| format!("--json {}: cannot be opened for writing", path.display()))?;
        let path = path.to_owned();
        Ok(Self::File(JsonFile { path, file, made }))
    }

    /// Gives a result: the summary `text` on standard output whatever becomes of the file, or the JSON in its place.
    ///
    /// # Errors
    /// When the file cannot be written, or standard output for another reason than that its reader has gone.
    pub fn write(self, json: &str, text: &str) -> anyhow::Result<()> {
        match self {
            Self::None => print(text),
            Self::Stdout => print(json),
            Self::File(file) => {
                let printed = print(text);
                file.write(json)?;
                printed
            }
        }
    }
}

impl JsonFile {
    fn write(mut self, json: &str) -> anyhow::Result<()> {
        let path = self.path.clone();
        let written = self.replace(json);
        written.with_context(|| format!("--json {}: cannot be written", path.display()))?;
        self.made = false;
        Ok(())
    }

    fn replace(&mut self, json: &str) -> std::io::Result<()> {
        // A device or a pipe has nothing to be cut off.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(json.as_bytes())?;
        self.file.flush()
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        if self.made {
            // An empty file that cannot be removed harms nobody.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Writes to standard output.
///
/// # Errors
/// Those of standard output. A reader that has gone has had what it wanted.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes a line to standard error. Nobody may be left to read it.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_result_or_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        drop(JsonOutput::open(Some(&path)).unwrap());
        assert!(!path.exists());
        JsonOutput::open(Some(&path))
            .unwrap()
            .write("a longer one", "")
            .unwrap();
        let again = JsonOutput::open(Some(&path)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a longer one");
        again.write("{}", "").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
        drop(JsonOutput::open(Some(&path)).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
    }
}
