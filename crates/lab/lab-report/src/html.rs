//! The page: template, style, script, chart libraries and data in one file that needs no network.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::detail::{LeftOut, STEPS};
use super::model::Report;
use super::render;

/// The page stays under this.
pub const MAX_BYTES: usize = 1_000_000;
pub(crate) const STYLE: &str = include_str!("../assets/report.css");
/// Observable Plot needs d3 before it.
const LIBRARIES: [&str; 2] = [
    include_str!("../assets/vendor/d3-7.9.0.min.js"),
    include_str!("../assets/vendor/plot-0.6.17.umd.min.js"),
];
/// The page's own script, in the order in which it is read.
const SCRIPT: [&str; 10] = [
    include_str!("../assets/page/data.js"),
    include_str!("../assets/page/frame.js"),
    include_str!("../assets/page/throughput.js"),
    include_str!("../assets/page/rounds.js"),
    include_str!("../assets/page/latency.js"),
    include_str!("../assets/page/cost.js"),
    include_str!("../assets/page/phases.js"),
    include_str!("../assets/page/time.js"),
    include_str!("../assets/page/table.js"),
    include_str!("../assets/page/start.js"),
];

/// What the page's template needs besides the report.
#[derive(Serialize)]
struct Parts {
    style: &'static str,
    libraries: [&'static str; 2],
    script: [&'static str; 10],
    data: String,
}

/// The text of report.html. With very many trials it has less detail and says what it leaves out: there is always a page,
/// under [`MAX_BYTES`] unless even its tables by target and payload are larger.
///
/// # Errors
/// A template names something that the report does not have.
pub fn page(report: &Report) -> Result<String> {
    let mut page = write(report)?;
    let mut smaller = report.clone();
    let mut left_out = LeftOut::default();
    for step in STEPS {
        if page.len() < MAX_BYTES {
            break;
        }
        left_out.add(step, step.take(&mut smaller));
        smaller.limits.clone_from(&report.limits);
        smaller.limits.splice(0..0, left_out.paragraph());
        page = write(&smaller)?;
    }
    Ok(page)
}

fn write(report: &Report) -> Result<String> {
    let parts = Parts {
        style: STYLE,
        libraries: LIBRARIES,
        script: SCRIPT,
        data: embedded(&rounded(serde_json::to_value(report)?).to_string()),
    };
    render::render(render::PAGE, report, parts)
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
        let sums = include_str!("../assets/vendor/SHA256SUMS");
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
