//! Draws the proxies' CPU time for each query as an SVG: a bar for the median, a dot for each round.

use std::fmt::Write;
use std::path::PathBuf;

use alterego_testkit::Flavor;
use anyhow::Result;

use super::{Series, Setting};
use crate::drawing::{Drawing, INK, colour_of};

const LEFT: f64 = 190.0;
const WIDTH: f64 = 400.0;
const ROW: f64 = 22.0;

/// Writes the drawing beside the build's other results and says where.
pub(super) fn write(settings: &[Setting], flavor: Flavor) -> Result<PathBuf> {
    let rounds = |setting: &Setting| setting.all.iter().flat_map(cpus).fold(0.0, f64::max);
    let most = settings.iter().map(rounds).fold(1e-9, f64::max);
    let mut body = String::new();
    let mut top = 44.0;
    for setting in settings {
        let _ = writeln!(
            body,
            "<text x=\"12\" y=\"{:.0}\" font-weight=\"bold\">{}, {} clients</text>",
            top + 14.0,
            setting.test,
            setting.threads
        );
        top += ROW;
        for series in setting.all.iter().filter(|series| cpus(series).next().is_some()) {
            bar(&mut body, series, top, WIDTH / most);
            top += ROW;
        }
        top += 10.0;
    }
    let drawing = Drawing {
        title: "CPU seconds of the proxy for 100,000 queries (bar: median, dots: rounds)",
        width: 720.0,
        height: top,
        body: &body,
    };
    drawing.write("relay", flavor)
}

fn bar(body: &mut String, series: &Series, top: f64, scale: f64) {
    let median = series.median(|one| one.cpu).unwrap_or_default();
    let colour = colour_of(series.name);
    let _ = writeln!(
        body,
        "<text x=\"24\" y=\"{0:.0}\">{1}</text><rect x=\"{LEFT}\" y=\"{top}\" width=\"{2:.1}\" height=\"16\" \
         fill=\"{colour}\"/><text x=\"{3}\" y=\"{0:.0}\">{median:.2}</text>",
        top + 13.0,
        series.name,
        median * scale,
        LEFT + WIDTH + 14.0,
    );
    for cpu in cpus(series) {
        let (x, y) = (LEFT + cpu * scale, top + 8.0);
        let _ = writeln!(
            body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.0}\" r=\"3\" fill=\"{INK}\"/>"
        );
    }
}

fn cpus(series: &Series) -> impl Iterator<Item = f64> {
    series.measured.iter().filter_map(|one| one.cpu)
}
