//! The plot of the results: throughput and latency, one row per kind of request, on logarithmic axes.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{Circle, DrawingArea, IntoDrawingArea as _, PathElement, RGBColor, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, ShapeStyle};

use crate::peer::Peer;
use crate::report::{Results, number};
use crate::work::{Measurement, Method, STORM_CLIENTS};

const WIDTH: u32 = 880;
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
    background: RGBColor,
    text: RGBColor,
    faint: RGBColor,
    grid: RGBColor,
    lanterne: RGBColor,
    fastapi: RGBColor,
}

const THEMES: [Theme; 2] = [
    Theme {
        file: "results-light.svg",
        background: RGBColor(255, 255, 255),
        text: RGBColor(31, 35, 40),
        faint: RGBColor(89, 99, 110),
        grid: RGBColor(223, 227, 231),
        lanterne: RGBColor(9, 105, 218),
        fastapi: RGBColor(188, 76, 0),
    },
    Theme {
        file: "results-dark.svg",
        background: RGBColor(13, 17, 23),
        text: RGBColor(240, 246, 252),
        faint: RGBColor(145, 152, 161),
        grid: RGBColor(48, 54, 61),
        lanterne: RGBColor(88, 166, 255),
        fastapi: RGBColor(240, 136, 62),
    },
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A logarithmic axis between two positions.
struct Axis {
    pixels: (i32, i32),
    range: (f64, f64),
}

/// Writes one file for each theme.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    for theme in &THEMES {
        let height = TOP + ROW * i32::try_from(results.works.len())? + BOTTOM;
        let path = dir.join(theme.file);
        let area = SVGBackend::new(&path, (WIDTH, height.unsigned_abs())).into_drawing_area();
        // The error of the backend borrows the area.
        draw(&area, results, theme, height).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn draw(area: &Area<'_>, results: &Results, theme: &Theme, height: i32) -> Result<()> {
    area.fill(&theme.background)?;
    text(area, "Compared with a FastAPI server", (20, 28), 18, theme.text, HPos::Left)?;
    let mut left = 20;
    for peer in [Peer::Lanterne, Peer::Spin, Peer::Fastapi, Peer::Native] {
        if results.peers.contains(&peer) {
            dot(area, (left + DOT, 56), peer, theme)?;
            let title = if peer == Peer::Native { "native Rust, without log and security" } else { peer.title() };
            text(area, title, (left + 16, 56), LABEL_SIZE, theme.text, HPos::Left)?;
            left += 95;
        }
    }
    panel(area, results, theme, height, THROUGHPUT, "requests per second", |m, method| {
        (!matches!(method, Method::Storm(_))).then_some(m.throughput)
    })?;
    panel(area, results, theme, height, LATENCY, "p99 latency, ms (less is better)", |m, _| Some(m.p99))?;
    for (index, work) in results.works.iter().enumerate() {
        let title = work.title.replace('`', "");
        let y = row(index);
        if matches!(work.method, Method::Storm(_)) {
            text(area, &title, (20, y - 7), LABEL_SIZE, theme.text, HPos::Left)?;
            text(area, &format!("while {STORM_CLIENTS} clients log in"), (20, y + 8), 11, theme.faint, HPos::Left)?;
        } else {
            text(area, &title, (20, y), LABEL_SIZE, theme.text, HPos::Left)?;
        }
    }
    area.present()?;
    Ok(())
}

/// Draws one figure of all servers.
fn panel(
    area: &Area<'_>,
    results: &Results,
    theme: &Theme,
    height: i32,
    pixels: (i32, i32),
    title: &str,
    figure: impl Fn(&Measurement, Method) -> Option<f64>,
) -> Result<()> {
    let value = |peer: Peer, index: usize| {
        let method = results.works.get(index)?.method;
        results.median(peer, |run| figure(run.measurements.get(index)?, method))
    };
    let rows = 0..results.works.len();
    let values = rows.clone().flat_map(|index| results.peers.iter().filter_map(move |&peer| value(peer, index)));
    let values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
    let axis = Axis::new(pixels, &values);
    text(area, title, (pixels.0, 86), LABEL_SIZE, theme.faint, HPos::Left)?;
    axis.draw(area, theme, height)?;
    for index in rows {
        let points = results.peers.iter().filter_map(|&peer| Some((peer, axis.position(value(peer, index)?))));
        let points: Vec<(Peer, i32)> = points.collect();
        let y = row(index);
        let least = points.iter().map(|(_, x)| *x).min().unwrap_or_default();
        let most = points.iter().map(|(_, x)| *x).max().unwrap_or_default();
        line(area, [(least, y), (most, y)], theme.faint, 1)?;
        // `lanterne` last, so that it is not covered.
        for &(peer, x) in points.iter().filter(|(peer, _)| *peer != Peer::Lanterne) {
            dot(area, (x, y), peer, theme)?;
        }
        if let Some(&(peer, x)) = points.iter().find(|(peer, _)| *peer == Peer::Lanterne) {
            dot(area, (x, y), peer, theme)?;
        }
        // Each label is above its point, and extends away from the other one.
        let at = |peer| points.iter().find(|(other, _)| *other == peer).map(|(_, x)| *x);
        let is_right = at(Peer::Lanterne) >= at(Peer::Fastapi);
        let labels = [(Peer::Lanterne, theme.lanterne, is_right), (Peer::Fastapi, theme.fastapi, !is_right)];
        for (peer, color, is_right) in labels {
            let (Some(value), Some(x)) = (value(peer, index), at(peer)) else { continue };
            let (x, side) = if is_right { (x - DOT + 2, HPos::Left) } else { (x + DOT - 2, HPos::Right) };
            let gap = if at(Peer::Lanterne).zip(at(Peer::Fastapi)).is_some_and(|(a, b)| (a - b).abs() < 4 * DOT) {
                DOT
            } else {
                0
            };
            let x = if is_right { x + gap } else { x - gap };
            text(area, &number(value), (x, y - 13), LABEL_SIZE - 1, color, side)?;
        }
    }
    Ok(())
}

impl Axis {
    fn new(pixels: (i32, i32), values: &[f64]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        // Whole powers of ten.
        let range = if values.is_empty() { (0.0, 1.0) } else { (least.log10().floor(), most.log10().ceil()) };
        Self { pixels, range: (range.0, range.1.max(range.0 + 1.0)) }
    }

    fn position(&self, value: f64) -> i32 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.range.0) / (self.range.1 - self.range.0);
        self.pixels.0 + (share * f64::from(self.pixels.1 - self.pixels.0)) as i32
    }

    /// Draws a line at each power of ten.
    fn draw(&self, area: &Area<'_>, theme: &Theme, height: i32) -> Result<()> {
        let bottom = height - BOTTOM;
        for power in self.range.0 as i32..=self.range.1 as i32 {
            let value = 10_f64.powi(power);
            let x = self.position(value);
            line(area, [(x, TOP - 12), (x, bottom)], theme.grid, 1)?;
            let label = if value < 1.0 {
                value.to_string()
            } else {
                number(value.round()).replace(".00", "").replace(".0", "")
            };
            text(area, &label, (x, bottom + 14), 11, theme.faint, HPos::Center)?;
        }
        Ok(())
    }
}

fn row(index: usize) -> i32 {
    TOP + ROW / 2 + ROW * index as i32
}

/// Draws a point: filled, or a ring for a server that only shows a limit.
fn dot(area: &Area<'_>, position: (i32, i32), peer: Peer, theme: &Theme) -> Result<()> {
    let style: ShapeStyle = match peer {
        Peer::Lanterne => theme.lanterne.filled(),
        Peer::Fastapi => theme.fastapi.filled(),
        Peer::Spin => theme.faint.filled(),
        Peer::Native => theme.faint.stroke_width(2),
    };
    if peer == Peer::Native {
        area.draw(&Circle::new(position, DOT, theme.background.filled()))?;
    }
    area.draw(&Circle::new(position, DOT, style))?;
    Ok(())
}

fn line(area: &Area<'_>, ends: [(i32, i32); 2], color: RGBColor, width: u32) -> Result<()> {
    area.draw(&PathElement::new(ends, color.stroke_width(width)))?;
    Ok(())
}

fn text(area: &Area<'_>, text: &str, position: (i32, i32), size: i32, color: RGBColor, side: HPos) -> Result<()> {
    let style = ("sans-serif", size).into_font().color(&color).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), position, style))?;
    Ok(())
}
