//! Draws the rates as an SVG: a bar for the median and a dot for each round.

use std::fmt::Write;
use std::path::PathBuf;

use alterego_testkit::Flavor;
use anyhow::Result;

use super::{Series, rate};
use crate::drawing::{Drawing, INK, colour_of};
use crate::table::thousands;

const LEFT: f64 = 210.0;
const WIDTH: f64 = 420.0;
const ROW: f64 = 44.0;

/// Writes the drawing beside the build's other results and says where.
pub(super) fn write(all: &[Series], rows: u64, flavor: Flavor) -> Result<PathBuf> {
    let title = format!(
        "rows copied per second, {} rows (bar: median, dots: rounds)",
        thousands(rows)
    );
    let drawing = Drawing {
        title: &title,
        width: 760.0,
        height: 50.0 + ROW * all.len() as f64,
        body: &bars(all, rows),
    };
    drawing.write("copy", flavor)
}

fn bars(all: &[Series], rows: u64) -> String {
    let rates = |series: &Series| {
        series
            .measured
            .iter()
            .map(|one| rate(rows, one.copy))
            .collect::<Vec<_>>()
    };
    let fastest = all.iter().flat_map(rates).max().unwrap_or(1).max(1) as f64;
    let x = |rate: u64| LEFT + rate as f64 / fastest * WIDTH;
    let mut svg = String::new();
    for (at, series) in all.iter().enumerate() {
        let top = 42.0 + ROW * at as f64;
        let median = rate(rows, series.copy());
        let colour = colour_of(series.contender.name());
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{:.0}\">{}</text><rect x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"26\" \
             fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            top + 18.0,
            series.contender.name(),
            x(median) - LEFT,
            LEFT + WIDTH + 14.0,
            top + 18.0,
            thousands(median),
        );
        for rate in rates(series) {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.0}\" r=\"3\" fill=\"{INK}\"/>",
                x(rate),
                top + 13.0
            );
        }
    }
    svg
}
