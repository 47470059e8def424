//! Draws the rates as an SVG: a bar for the median and a dot for each round.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use alterego_testkit::Flavor;
use anyhow::Result;

use super::{Series, rate};
use crate::table::thousands;

const LEFT: f64 = 210.0;
const WIDTH: f64 = 420.0;
const ROW: f64 = 44.0;

/// Writes the drawing beside the build's other results and says where.
pub(super) fn write(all: &[Series], rows: u64, flavor: Flavor) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.canonicalize()?.join(format!("copy-{}.svg", flavor.name()));
    std::fs::write(&path, svg(all, rows, flavor))?;
    Ok(path)
}

fn svg(all: &[Series], rows: u64, flavor: Flavor) -> String {
    let rates = |series: &Series| {
        series
            .measured
            .iter()
            .map(|one| rate(rows, one.copy))
            .collect::<Vec<_>>()
    };
    let fastest = all.iter().flat_map(rates).max().unwrap_or(1).max(1) as f64;
    let x = |rate: u64| LEFT + rate as f64 / fastest * WIDTH;
    let height = 50.0 + ROW * all.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"12\" y=\"24\" \
         font-size=\"15\">{flavor}: rows copied per second, {} rows (bar: median, dots: rounds)</text>\n",
        thousands(rows)
    );
    for (at, series) in all.iter().enumerate() {
        let top = 42.0 + ROW * at as f64;
        let median = rate(rows, series.copy());
        let colour = if series.contender.name() == "alterego" {
            "#2a7f62"
        } else {
            "#9aa5b1"
        };
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
                "<circle cx=\"{:.1}\" cy=\"{:.0}\" r=\"3\" fill=\"#1f2933\"/>",
                x(rate),
                top + 13.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
