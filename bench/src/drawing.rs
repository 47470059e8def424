//! Drawings, beside the build's other results.

use std::path::{Path, PathBuf};

use alterego_testkit::Flavor;
use anyhow::Result;

/// The colour of a contender's bar.
pub(crate) fn colour_of(name: &str) -> &'static str {
    if name == "alterego" { OURS } else { OTHERS }
}

/// The colour of what is alterego's.
pub(crate) const OURS: &str = "#2a7f62";
/// The colour of everything else.
pub(crate) const OTHERS: &str = "#9aa5b1";
/// The colour of single measurements.
pub(crate) const INK: &str = "#1f2933";

/// A drawing in SVG, white below and with a title above.
#[derive(Debug)]
pub(crate) struct Drawing<'a> {
    pub(crate) title: &'a str,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// The elements.
    pub(crate) body: &'a str,
}

impl Drawing<'_> {
    /// Writes it to a file of this name and says where that is.
    pub(crate) fn write(&self, name: &str, flavor: Flavor) -> Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        std::fs::create_dir_all(&folder)?;
        let path = folder
            .canonicalize()?
            .join(format!("{name}-{}.svg", flavor.name()));
        std::fs::write(&path, self.svg(flavor))?;
        Ok(path)
    }

    fn svg(&self, flavor: Flavor) -> String {
        let Self {
            title,
            width,
            height,
            body,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"12\" y=\"24\" font-size=\"15\">{flavor}: {title}</text>\n{body}</svg>\n"
        )
    }
}
