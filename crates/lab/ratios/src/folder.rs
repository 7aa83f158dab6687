//! The folder that the report goes to, made before anything is measured.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::args::RatioArgs;
use crate::report::Report;
use load_engine::output::print;

/// A folder that can be written to. Removed again where it stays empty.
pub(crate) struct ReportFolder(PathBuf);

impl ReportFolder {
    /// Makes the folder that `args` ask for, or one named for the time.
    pub(crate) fn create(args: &RatioArgs) -> anyhow::Result<Self> {
        let now = OffsetDateTime::now_utc();
        let name = now.format(format_description!(
            "ratios-[year][month][day]T[hour][minute][second]Z"
        ))?;
        let folder = args.output.clone();
        let folder = folder.unwrap_or_else(|| args.root.join("load-test/results").join(name));
        let cannot = || format!("--output {}: cannot be written to", folder.display());
        fs::create_dir_all(&folder).with_context(cannot)?;
        // A folder that is there may be somebody else's.
        tempfile::tempfile_in(&folder).with_context(cannot)?;
        Ok(Self(folder))
    }

    pub(crate) fn write(&self, report: &Report) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(report)? + "\n";
        let figure = report.figure().map(|figure| ("rates.svg", figure));
        let texts = [("ratios.json", json), ("ratios.md", report.markdown())];
        for (name, text) in texts.into_iter().chain(figure) {
            let file = self.0.join(name);
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let folder = self.0.display();
        print(&format!(
            "\nWritten to {folder}/ratios.json and ratios.md\n"
        ))
    }
}

impl Drop for ReportFolder {
    fn drop(&mut self) {
        // Fails where there is something in it.
        fs::remove_dir(&self.0).ok();
    }
}
