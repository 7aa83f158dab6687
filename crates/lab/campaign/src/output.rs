//! What the campaign says while it runs, and at its end.

/// A line for the person who waits.
#[expect(clippy::print_stderr, reason = "the output of a program")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// The table, on standard output.
#[expect(clippy::print_stdout, reason = "the output of a program")]
pub(crate) fn show(table: &str) {
    println!("{table}");
}
