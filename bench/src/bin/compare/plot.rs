//! The plot of the results: throughput and latency, one row per kind of request, on logarithmic axes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::peer::Peer;
use crate::report::{Results, number};
use crate::work::{Measurement, Method, STORM_CLIENTS};

const WIDTH: i32 = 880;
const ROW: i32 = 38;
/// The distance of the first row from the top.
const TOP: i32 = 112;
/// The distance of the axis from the last row, and of the lower edge from the axis.
const BOTTOM: i32 = 40;
/// The lengths of the axes end here, so that labels beside the last points have room.
const THROUGHPUT: (i32, i32) = (205, 480);
const LATENCY: (i32, i32) = (585, 840);
const DOT: i32 = 5;
const LABEL_SIZE: i32 = 13;

/// The colors of a theme of GitHub.
struct Theme {
    file: &'static str,
    background: &'static str,
    text: &'static str,
    faint: &'static str,
    grid: &'static str,
    lanterne: &'static str,
    fastapi: &'static str,
}

const THEMES: [Theme; 2] = [
    Theme {
        file: "results-light.svg",
        background: "#ffffff",
        text: "#1f2328",
        faint: "#59636e",
        grid: "#dfe3e7",
        lanterne: "#0969da",
        fastapi: "#bc4c00",
    },
    Theme {
        file: "results-dark.svg",
        background: "#0d1117",
        text: "#f0f6fc",
        faint: "#9198a1",
        grid: "#30363d",
        lanterne: "#58a6ff",
        fastapi: "#f0883e",
    },
];

/// An SVG document.
struct Drawing<'a> {
    theme: &'a Theme,
    svg: String,
}

/// The side of a text that its position is at.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// A logarithmic axis between two positions.
struct Axis {
    pixels: (i32, i32),
    /// The exponents of the first and the last power of ten.
    range: (f64, f64),
}

/// Writes one file for each theme.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    let height = TOP + ROW * i32::try_from(results.works.len())? + BOTTOM;
    for theme in &THEMES {
        let mut drawing = Drawing { theme, svg: String::new() };
        drawing.draw(results, height);
        let view = format!("width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\"");
        let font = "font-family=\"sans-serif\" dominant-baseline=\"central\"";
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" {view} {font}>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n{}</svg>\n",
            theme.background, drawing.svg
        );
        std::fs::write(dir.join(theme.file), svg)?;
    }
    Ok(())
}

impl Drawing<'_> {
    fn draw(&mut self, results: &Results, height: i32) {
        let Theme { text, faint, .. } = *self.theme;
        self.text("Compared with a FastAPI server", (20, 28), 18, text, Anchor::Start);
        let mut left = 20;
        for peer in [Peer::Lanterne, Peer::Spin, Peer::Fastapi, Peer::Native] {
            if results.peers.contains(&peer) {
                self.dot((left + DOT, 56), peer);
                let title = if peer == Peer::Native { "native Rust, without log and security" } else { peer.title() };
                self.text(title, (left + 16, 56), LABEL_SIZE, text, Anchor::Start);
                left += 95;
            }
        }
        self.panel(results, height, THROUGHPUT, "requests per second", |m, method| {
            (!matches!(method, Method::Storm(Some(_)))).then_some(m.throughput)
        });
        self.panel(results, height, LATENCY, "p99 latency, ms (less is better)", |m, _| Some(m.p99));
        for (index, work) in results.works.iter().enumerate() {
            let (title, y) = (work.title.replace('`', ""), row(index));
            if matches!(work.method, Method::Storm(_)) {
                self.text(&title, (20, y - 7), LABEL_SIZE, text, Anchor::Start);
                let condition = format!("while {STORM_CLIENTS} clients log in");
                self.text(&condition, (20, y + 8), 11, faint, Anchor::Start);
            } else {
                self.text(&title, (20, y), LABEL_SIZE, text, Anchor::Start);
            }
        }
    }

    /// Draws one figure of all servers.
    fn panel(
        &mut self,
        results: &Results,
        height: i32,
        pixels: (i32, i32),
        title: &str,
        figure: impl Fn(&Measurement, Method) -> Option<f64>,
    ) {
        let points = |index: usize| -> Vec<(Peer, f64)> {
            let value = |&peer: &Peer| {
                let method = results.works.get(index)?.method;
                let value = results.median(peer, |run| figure(run.measurements.get(index)?, method))?;
                Some((peer, value)).filter(|_| value > 0.0)
            };
            results.peers.iter().filter_map(value).collect()
        };
        let rows: Vec<_> = (0..results.works.len()).map(points).collect();
        let axis = Axis::new(pixels, rows.iter().flatten().map(|(_, value)| *value));
        self.text(title, (pixels.0, 86), LABEL_SIZE, self.theme.faint, Anchor::Start);
        self.axis(&axis, height);
        for (index, mut points) in rows.into_iter().enumerate() {
            // `lanterne` last, so that it is not covered.
            points.sort_by_key(|(peer, _)| *peer == Peer::Lanterne);
            self.points(&points, &axis, row(index));
        }
    }

    /// Draws the figures of one row.
    fn points(&mut self, points: &[(Peer, f64)], axis: &Axis, y: i32) {
        let positions = || points.iter().map(|(_, value)| axis.position(*value));
        if let (Some(least), Some(most)) = (positions().min(), positions().max()) {
            self.line((least, y), (most, y), self.theme.faint);
        }
        for (peer, value) in points {
            self.dot((axis.position(*value), y), *peer);
        }
        let find = |peer| points.iter().find(|(other, _)| *other == peer).map(|(_, value)| *value);
        let (lanterne, fastapi) = (find(Peer::Lanterne), find(Peer::Fastapi));
        let is_right = lanterne >= fastapi;
        let distance = lanterne.zip(fastapi).map(|(a, b)| (axis.position(a) - axis.position(b)).abs());
        // Each label is above its point, and extends away from the other one.
        let offset = DOT - 2 - if distance.is_some_and(|distance| distance < 4 * DOT) { DOT } else { 0 };
        let labels = [(lanterne, self.theme.lanterne, is_right), (fastapi, self.theme.fastapi, !is_right)];
        for (value, color, is_right) in labels {
            let Some(value) = value else { continue };
            let x = axis.position(value);
            let (x, anchor) = if is_right { (x - offset, Anchor::Start) } else { (x + offset, Anchor::End) };
            self.text(&number(value), (x, y - 13), LABEL_SIZE - 1, color, anchor);
        }
    }

    /// Draws a line at each power of ten.
    fn axis(&mut self, axis: &Axis, height: i32) {
        let bottom = height - BOTTOM;
        for power in axis.range.0 as i32..=axis.range.1 as i32 {
            let value = 10_f64.powi(power);
            let x = axis.position(value);
            self.line((x, TOP - 12), (x, bottom), self.theme.grid);
            let label = if value < 100.0 { value.to_string() } else { number(value) };
            self.text(&label, (x, bottom + 14), 11, self.theme.faint, Anchor::Middle);
        }
    }

    /// Draws a point: filled, or a ring for a server that only shows a limit.
    fn dot(&mut self, (x, y): (i32, i32), peer: Peer) {
        let Theme { background, faint, lanterne, fastapi, .. } = *self.theme;
        let (fill, stroke) = match peer {
            Peer::Lanterne => (lanterne, lanterne),
            Peer::Fastapi => (fastapi, fastapi),
            Peer::Spin => (faint, faint),
            Peer::Native => (background, faint),
        };
        // Writing to a string cannot fail, here and below.
        let style = format!("fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"2\"");
        let _ = writeln!(self.svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" {style}/>", DOT - 1);
    }

    fn line(&mut self, (x1, y1): (i32, i32), (x2, y2): (i32, i32), color: &str) {
        let _ = writeln!(self.svg, "<path d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"{color}\"/>");
    }

    fn text(&mut self, text: &str, (x, y): (i32, i32), size: i32, color: &str, anchor: Anchor) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let style = format!("font-size=\"{size}\" fill=\"{color}\" text-anchor=\"{anchor}\"");
        let _ = writeln!(self.svg, "<text x=\"{x}\" y=\"{y}\" {style}>{text}</text>");
    }
}

impl Axis {
    fn new(pixels: (i32, i32), values: impl Iterator<Item = f64> + Clone) -> Self {
        let first = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let last = values.fold(0.0, f64::max).log10().ceil();
        let range = if first.is_finite() { (first, last.max(first + 1.0)) } else { (0.0, 1.0) };
        Self { pixels, range }
    }

    fn position(&self, value: f64) -> i32 {
        let share = (value.log10() - self.range.0) / (self.range.1 - self.range.0);
        self.pixels.0 + (share * f64::from(self.pixels.1 - self.pixels.0)) as i32
    }
}

fn row(index: usize) -> i32 {
    TOP + ROW / 2 + ROW * index as i32
}
