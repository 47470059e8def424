//! Draws how many cut-overs held or delayed a client for how long, as an SVG: one line for each distribution.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use alterego_testkit::Flavor;
use anyhow::Result;

use super::Series;
use crate::drawing::Drawing;

const LEFT: f64 = 60.0;
const TOP: f64 = 50.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 260.0;
const COLOURS: [&str; 3] = [crate::drawing::OURS, "#c2571a", crate::drawing::OTHERS];
/// A tenth of a millisecond stands at the left edge; each decade is as wide.
const LEAST_MILLISECONDS: f64 = 0.1;

/// Writes the drawing beside the build's other results and says where.
pub(super) fn write(all: &[Series], flavor: Flavor) -> Result<PathBuf> {
    let milliseconds = |duration: &Duration| duration.as_secs_f64() * 1000.0;
    let most = all.iter().flat_map(|series| &series.measured).map(milliseconds);
    let decades = (most.fold(1.0, f64::max) / LEAST_MILLISECONDS).log10().ceil();
    let x = |milliseconds: f64| {
        LEFT + (milliseconds.max(LEAST_MILLISECONDS) / LEAST_MILLISECONDS).log10() / decades * WIDTH
    };
    let y = |share: f64| TOP + HEIGHT * (1.0 - share);
    let mut body = String::new();
    for decade in 0..=decades as u32 {
        let at = LEAST_MILLISECONDS * 10_f64.powi(i32::try_from(decade)?);
        let _ = writeln!(
            body,
            "<line x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{1}\" stroke=\"#e4e7eb\"/>\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\">{at} ms</text>",
            x(at),
            TOP + HEIGHT,
            TOP + HEIGHT + 18.0
        );
    }
    for share in [0.0, 0.5, 0.9, 1.0] {
        let _ = writeln!(
            body,
            "<line x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1}\" y2=\"{0:.1}\" stroke=\"#e4e7eb\"/>\
             <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4:.0} %</text>",
            y(share),
            LEFT + WIDTH,
            LEFT - 6.0,
            y(share) + 4.0,
            share * 100.0
        );
    }
    for (series, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        let mut sorted = series.measured.clone();
        sorted.sort();
        let points: Vec<String> = sorted
            .iter()
            .enumerate()
            .map(|(at, one)| {
                let share = (at + 1) as f64 / sorted.len() as f64;
                format!("{:.1},{:.1}", x(milliseconds(one)), y(share))
            })
            .collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
    }
    for (at, (series, colour)) in all.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let top = TOP + HEIGHT + 44.0 + 20.0 * at as f64;
        let _ = writeln!(
            body,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{top:.0}\">{}</text>",
            top - 6.0,
            LEFT + 22.0,
            series.name
        );
    }
    let drawing = Drawing {
        title: "share of the cut-overs with a wait of at most …",
        width: 680.0,
        height: TOP + HEIGHT + 50.0 + 20.0 * all.len() as f64,
        body: &body,
    };
    drawing.write("stalls", flavor)
}
