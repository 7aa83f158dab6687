//! A series as a drawing: places on a picture of a fixed size, so that the page needs no script for it.

use serde::Serialize;

use super::point::{Change, Point};
use lab_words::words::figure;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;

/// The drawing.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// Width of the picture.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// A dot a session.
    pub dots: Vec<Dot>,
    /// The median of each stretch between two changes.
    pub levels: Vec<Level>,
    /// Places of the changes along the picture: midway between two dots.
    pub changes: Vec<f64>,
    /// Marks of the figure's axis: place from the top and label.
    pub marks: Vec<Mark>,
    /// The same in words.
    pub text: String,
}

/// A session.
#[derive(Clone, Debug, Serialize)]
pub struct Dot {
    /// Along.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A stretch without a change.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// From here along.
    pub from: f64,
    /// To here.
    pub to: f64,
    /// From the top.
    pub y: f64,
}

/// A mark of an axis.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// From the top.
    pub y: f64,
    /// Its label.
    pub label: String,
}

/// Draws the series. The axis begins where the figures do, not at zero: what is looked for are changes.
pub(super) fn draw(points: &[Point], changes: &[Change]) -> Chart {
    let ends = points.iter().flat_map(|point| {
        let interval = point.interval;
        let low = interval.map_or(point.value, |interval| interval.low);
        let high = interval.map_or(point.value, |interval| interval.high);
        [low.min(point.value), high.max(point.value)]
    });
    let (mut low, mut high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    // Room above and below, and a span where all are the same.
    let room = ((high - low) * 0.12).max(high * 0.02);
    (low, high) = ((low - room).max(0.0), high + room);
    let y = |value: f64| {
        let share = (value - low) / (high - low);
        rounded(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))
    };
    let step = (WIDTH - LEFT - RIGHT) / points.len().max(1) as f64;
    let x = |place: f64| rounded(LEFT + (place + 0.5) * step);
    let mut begins: Vec<usize> = vec![0];
    begins.extend(changes.iter().map(|change| change.index));
    let levels = begins.iter().enumerate().map(|(number, begin)| {
        let end = begins.get(number + 1).map_or(points.len(), |next| *next);
        let values: Vec<f64> = points[*begin..end]
            .iter()
            .map(|point| point.value)
            .collect();
        Level {
            from: x(*begin as f64 - 0.4),
            to: x(end as f64 - 0.6),
            y: y(lab_verdict::quantile::median(&values).unwrap_or(low)),
        }
    });
    Chart {
        width: WIDTH,
        height: HEIGHT,
        dots: points
            .iter()
            .enumerate()
            .map(|(place, point)| Dot {
                x: x(place as f64),
                y: y(point.value),
                low: point.interval.map(|interval| y(interval.low)),
                high: point.interval.map(|interval| y(interval.high)),
            })
            .collect(),
        levels: levels.collect(),
        changes: changes
            .iter()
            .map(|change| x(change.index as f64 - 0.5))
            .collect(),
        marks: [0.0, 0.5, 1.0]
            .map(|share| low + room + share * (high - low - 2.0 * room))
            .map(|value| Mark {
                y: y(value),
                label: figure(value),
            })
            .to_vec(),
        text: format!(
            "{} sessions, {} changes; the table below has the figures",
            points.len(),
            changes.len()
        ),
    }
}

fn rounded(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}
