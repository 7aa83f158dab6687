//! What a request costs the service at each rate, as a figure: SVG without a script, readable on light and on dark.

use std::fmt::Write as _;

use super::rate_table::{RateRow, rate_rows};
use crate::rates::{Answered, Asked, Rate, RateKind, RateMeasurement};
use load_engine::protocol::Protocol;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// The plotting area: left, right, top, bottom.
const AREA: (f64, f64, f64, f64) = (60.0, 540.0, 30.0, 370.0);

/// The figure; `None` without any rate.
pub(super) fn rate_figure(measurements: &[RateMeasurement]) -> Option<String> {
    let rows = rate_rows(measurements);
    let mut rates: Vec<Rate> = rows.iter().map(|row| row.rate).collect();
    rates.sort_unstable();
    rates.dedup();
    let most = rows
        .iter()
        .map(|row| row.service_cpu_us)
        .fold(0.0, f64::max);
    if rates.is_empty() || most <= 0.0 {
        return None;
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    draw(&rows, &rates, most * 1.05, &mut text).ok()?;
    Some(text)
}

fn draw(rows: &[RateRow], rates: &[Rate], most: f64, text: &mut String) -> std::fmt::Result {
    let (left, right, top, bottom) = AREA;
    let x = |rate: Rate| {
        let place = rates.iter().position(|known| *known == rate).unwrap_or(0) as f64;
        left + (right - left) * (place + 0.5) / rates.len() as f64
    };
    let y = |us: f64| bottom - (bottom - top) * us / most;
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#7a7a7a\">\n\
         <title>Service CPU a request at each rate, microseconds</title>"
    )?;
    for line in 0..=4 {
        let us = most * f64::from(line) / 4.0;
        writeln!(
            text,
            "<path d=\"M{left} {0:.1}H{right}\" stroke=\"#9994\"/><text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{us:.0} us</text>",
            y(us),
            left - 8.0,
            y(us) + 4.0
        )?;
    }
    for rate in rates {
        let name = match rate {
            Rate::PerSecond(rate) => format!("{rate}/s"),
            Rate::Full => "full".into(),
        };
        writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            x(*rate),
            bottom + 20.0
        )?;
    }
    let kinds = RateKind::all();
    let shown = kinds
        .iter()
        .filter(|kind| rows.iter().any(|row| row.kind == **kind));
    for (place, kind) in shown.enumerate() {
        let points = rows.iter().filter(|row| row.kind == *kind);
        let points: Vec<String> = points
            .map(|row| format!("{:.1},{:.1}", x(row.rate), y(row.service_cpu_us)))
            .collect();
        let (colour, dashes) = (colour(*kind), dashes(*kind));
        let legend = top + 18.0 * place as f64;
        writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\n\
             <path d=\"M{1} {legend:.1}h22\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\
             <text x=\"{2}\" y=\"{3:.1}\" font-size=\"9\">{4}</text>",
            points.join(" "),
            right + 10.0,
            right + 38.0,
            legend + 4.0,
            kind.label()
        )?;
    }
    writeln!(text, "</svg>")
}

/// One for each face.
fn colour(kind: RateKind) -> &'static str {
    match (kind.asked, kind.protocol) {
        (Asked::Event, Protocol::Rest) => "#2f7ed8",
        (Asked::Event, Protocol::Grpc) => "#d2691e",
        (Asked::Balance, Protocol::Rest) => "#3a9d5d",
        (Asked::Balance, Protocol::Grpc) => "#9b59b6",
    }
}

/// One for each mode; whole for that which the service is run with.
fn dashes(kind: RateKind) -> &'static str {
    match kind.answered {
        Answered::Group => "none",
        Answered::Single => "7 3",
        Answered::ReadThenWrite => "10 3 2 3",
        Answered::Empty => "2 3",
    }
}
