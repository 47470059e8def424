//! Decisions on made-up sights.

mod cases;
mod properties;
mod scene;
