//! The page: template, style, script, chart libraries and data in one file that needs no network.

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::input::SessionRows;
use super::{build, render};

/// The page stays under this.
pub const MAX_BYTES: usize = 1_000_000;
/// Detail of the embedded data, most first, tried until the page is small enough: points of a time series, and
/// whether each trial carries its own phases (the medians over trials are always there).
const DETAIL: [(usize, bool); 8] = [
    (300, true),
    (150, true),
    (80, true),
    (40, true),
    (80, false),
    (40, false),
    (20, false),
    (0, false),
];

const STYLE: &str = include_str!("../../assets/report.css");
/// Observable Plot needs d3 before it.
const LIBRARIES: [&str; 2] = [
    include_str!("../../assets/vendor/d3-7.9.0.min.js"),
    include_str!("../../assets/vendor/plot-0.6.17.umd.min.js"),
];
/// The page's own script, in the order in which it is read.
const SCRIPT: [&str; 8] = [
    include_str!("../../assets/page/data.js"),
    include_str!("../../assets/page/frame.js"),
    include_str!("../../assets/page/throughput.js"),
    include_str!("../../assets/page/latency.js"),
    include_str!("../../assets/page/cost.js"),
    include_str!("../../assets/page/time.js"),
    include_str!("../../assets/page/table.js"),
    include_str!("../../assets/page/start.js"),
];

/// What the page's template needs besides the report.
#[derive(Serialize)]
struct Parts {
    style: &'static str,
    libraries: [&'static str; 2],
    script: [&'static str; 8],
    data: String,
}

/// The text of report.html.
///
/// # Errors
/// The page is over [`MAX_BYTES`] even with the least detail.
pub fn page(rows: &[SessionRows]) -> Result<String> {
    let mut size = 0;
    for (points, trial_phases) in DETAIL {
        let mut report = build::build(rows, points);
        if !trial_phases {
            report.runs.iter_mut().for_each(|run| run.phases.clear());
        }
        let data = embedded(&rounded(serde_json::to_value(&report)?).to_string());
        let parts = Parts {
            style: STYLE,
            libraries: LIBRARIES,
            script: SCRIPT,
            data,
        };
        let page = render::render(render::PAGE, &report, parts)?;
        if page.len() < MAX_BYTES {
            return Ok(page);
        }
        size = page.len();
    }
    ensure!(
        size < MAX_BYTES,
        "the page would be {size} bytes: report fewer sessions at a time"
    );
    unreachable!("a page within its limit has been returned")
}

/// Fractions to seven significant digits: what more they have is noise, and half of the page.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let short = number
                .as_f64()
                .and_then(|value| format!("{value:.6e}").parse::<f64>().ok());
            short.map_or(Value::Null, Value::from)
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| (key, rounded(value)))
                .collect(),
        ),
        other => other,
    }
}

/// JSON inside a script element: `<` could end it (`</script>`) or open a comment (`<!--`).
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn data_cannot_leave_its_script_element() {
        let text = embedded(r#"{"a":"</script><!--"}"#);
        assert!(!text.contains('<'), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], "</script><!--");
    }

    #[test]
    fn data_keeps_seven_digits() {
        let short = rounded(serde_json::json!({"a": [1.0 / 3.0, 12_345_678, 0.5, null, 1.5e-7]}));
        assert_eq!(
            short.to_string(),
            r#"{"a":[0.3333333,12345678,0.5,null,1.5e-7]}"#
        );
    }

    #[test]
    fn vendored_libraries_are_what_was_pinned() {
        let sums = include_str!("../../assets/vendor/SHA256SUMS");
        let found: Vec<String> = LIBRARIES
            .iter()
            .map(|text| {
                Sha256::digest(text)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            })
            .collect();
        let pinned: Vec<&str> = sums
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(found, pinned);
    }

    #[test]
    fn scripts_and_style_hold_nothing_that_ends_their_element() {
        for text in LIBRARIES.iter().chain(&SCRIPT) {
            assert!(!text.to_lowercase().contains("</script"));
            assert!(!text.contains("<!--"));
        }
        assert!(!STYLE.to_lowercase().contains("</style"));
    }
}
