//! A badge with the outcome: a picture of its own, or the JSON that the badge service of shields.io reads.

use serde_json::json;

use crate::decision::{Decision, Outcome};

const LABEL: &str = "performance";

struct Face {
    message: &'static str,
    /// Colour of the right half.
    color: &'static str,
}

fn face(decision: &Decision) -> Face {
    match decision.outcome {
        Outcome::Held => Face {
            message: "held",
            color: "#1f7a4d",
        },
        Outcome::Regressed => Face {
            message: "regressed",
            color: "#b3261e",
        },
        Outcome::Open => Face {
            message: "open",
            color: "#8a6d1a",
        },
    }
}

/// The badge as a picture that needs no network.
pub fn badge_svg(decision: &Decision) -> String {
    let Face { message, color } = face(decision);
    // Seven units a letter of this font, and five free at either end: wide enough wherever the font is missing.
    let width = |text: &str| 10 + 7 * text.len();
    let (left, right) = (width(LABEL), width(message));
    let (all, middle_left, middle_right) = (left + right, left / 2, left + right / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img" aria-label="{LABEL}: {message}">
<title>{LABEL}: {message}</title>
<rect width="{all}" height="20" rx="3" fill="{color}"/>
<path d="M3 0h{inner}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#444"/>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{middle_left}" y="14">{LABEL}</text>
<text x="{middle_right}" y="14">{message}</text>
</g>
</svg>
"##,
        inner = left - 3
    )
}

/// The answer of an endpoint of shields.io (<https://shields.io/badges/endpoint-badge>).
pub fn badge_endpoint(decision: &Decision) -> String {
    let Face { message, color } = face(decision);
    let badge = json!({
        "schemaVersion": 1,
        "label": LABEL,
        "message": message,
        "color": color,
        "isError": decision.outcome == Outcome::Regressed,
    });
    format!("{badge:#}\n")
}
