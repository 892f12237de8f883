//! Pictures as SVG text. The page's style sheet replaces the colours below by
//! those of the reader's light or dark scheme, so they are names as well.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::text::{number, percent, short};
use crate::metrics::{Interval, LearningCurve};

const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
const LINE: RGBColor = RGBColor(0xCC, 0xCC, 0xCC);
const ACCENT: RGBColor = RGBColor(0x25, 0x63, 0xEB);
const SECOND: RGBColor = RGBColor(0x0F, 0x9F, 0x8F);
const THIRD: RGBColor = RGBColor(0xD9, 0x77, 0x06);

/// The colours of the series of [`bars`], in order.
const SERIES: [RGBColor; 3] = [ACCENT, SECOND, THIRD];

/// All pictures are so wide: on a phone, letters are still 11 pixels high.
const WIDTH: i32 = 480;
const LETTERS: i32 = 15;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A matrix of counts as a heat map; every row is shaded by its share.
pub(super) fn heat_map(
    labels: &[String],
    counts: &[Vec<usize>],
    description: &str,
) -> Result<String> {
    const MOST_NUMBERED: usize = 12;
    let (left, top) = (110, 48);
    let cells = i32::try_from(labels.len().max(1))?;
    let size = ((WIDTH - left - 10) / cells).clamp(5, 84);
    let numbered = labels.len() <= MOST_NUMBERED;
    let name = |label: &String| short(label, if labels.len() > 6 { 3 } else { 10 });
    svg(top + cells * size + 10, description, |area| {
        write(
            area,
            "predicted",
            (left + cells * size / 2, 12),
            HPos::Center,
            INK,
        )?;
        write(area, "actual", (4, 12), HPos::Left, INK)?;
        for (row, (label, counts)) in (0..cells).zip(labels.iter().zip(counts)) {
            let y = top + row * size;
            if numbered {
                write(
                    area,
                    &short(label, 13),
                    (left - 8, y + size / 2),
                    HPos::Right,
                    INK,
                )?;
                write(
                    area,
                    &name(label),
                    (left + row * size + size / 2, top - 13),
                    HPos::Center,
                    INK,
                )?;
            }
            let total = counts.iter().sum();
            for (column, count) in (0..cells).zip(counts) {
                let x = left + column * size;
                let share = crate::metrics::share(*count, total).unwrap_or_default();
                let colour = if row == column { ACCENT } else { THIRD };
                let corners = [(x, y), (x + size - 1, y + size - 1)];
                area.draw(&Rectangle::new(corners, LINE.mix(0.35).filled()))?;
                if *count > 0 {
                    area.draw(&Rectangle::new(
                        corners,
                        colour.mix(0.2 + 0.8 * share).filled(),
                    ))?;
                }
                if numbered {
                    let ink = if share > 0.5 { WHITE } else { INK };
                    write(
                        area,
                        &count.to_string(),
                        (x + size / 2, y + size / 2),
                        HPos::Center,
                        ink,
                    )?;
                }
            }
        }
        Ok(())
    })
}

/// A bar of [`bars`].
pub(super) struct Bar {
    /// How long it is, as a share of 1.
    pub(super) share: f64,
    /// The ends of a line that is drawn upon it.
    pub(super) interval: Option<Interval>,
}

impl From<f64> for Bar {
    fn from(share: f64) -> Self {
        let interval = None;
        Self { share, interval }
    }
}

/// Groups of up to three horizontal bars, each a share of 1. The longest possible
/// bar stands for `longest`.
pub(super) fn bars(
    groups: &[(String, Vec<Bar>)],
    longest: f64,
    description: &str,
) -> Result<String> {
    const BAR: i32 = 15;
    let (left, right) = (140, 60);
    let each = groups.iter().map(|(_, bars)| bars.len()).max().unwrap_or(1);
    let group_height = i32::try_from(each)? * BAR + 11;
    let height = i32::try_from(groups.len())? * group_height + 8;
    let length = WIDTH - left - right;
    svg(height, description, |area| {
        area.draw(&PathElement::new([(left, 0), (left, height)], LINE))?;
        let tops = (0..).map(|group| 8 + group * group_height);
        for (top, (label, bars)) in tops.zip(groups) {
            let middle = top + (group_height - 11) / 2;
            write(
                area,
                &short(label, 17),
                (left - 8, middle),
                HPos::Right,
                INK,
            )?;
            for (bar, (Bar { share, interval }, colour)) in (0..).zip(bars.iter().zip(SERIES)) {
                let y = top + bar * BAR;
                let at = |share: f64| left + pixels(share / longest, length);
                let mut end = at(*share).max(left + 1);
                let corners = [(left, y), (end, y + BAR - 2)];
                area.draw(&Rectangle::new(corners, colour.filled()))?;
                if let Some([low, high]) = interval {
                    let y = y + BAR / 2 - 1;
                    let line = [(at(*low), y), (at(*high), y)];
                    area.draw(&PathElement::new(line, INK.stroke_width(2)))?;
                    end = end.max(at(*high));
                }
                write(
                    area,
                    &percent(*share),
                    (end + 5, y + BAR / 2 - 1),
                    HPos::Left,
                    INK,
                )?;
            }
        }
        Ok(())
    })
}

/// The points of a learning curve by the number of rows, with their intervals as a band.
pub(super) fn curve(curve: &LearningCurve, description: &str) -> Result<String> {
    const HEIGHT: i32 = 300;
    let points: Vec<_> = curve
        .points
        .iter()
        .map(|p| (p.training_rows as f64, p))
        .collect();
    let values = || {
        curve
            .points
            .iter()
            .flat_map(|p| p.interval.unwrap_or([p.value; 2]))
    };
    let (low, high) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    let shares = curve.figure == "accuracy";
    let margin = (high - low) * 0.08;
    let top = if shares {
        (high + margin).min(1.0)
    } else {
        high + margin
    };
    let most = points.last().map_or(1.0, |(rows, _)| *rows);
    let band = |end: usize| {
        points
            .iter()
            .filter_map(move |(x, p)| Some((*x, *p.interval?.get(end)?)))
    };
    let outline: Vec<(f64, f64)> = band(0)
        .chain(band(1).collect::<Vec<_>>().into_iter().rev())
        .collect();
    let letters = || ("sans-serif", LETTERS).into_font().color(&INK);
    svg(HEIGHT, description, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(44)
            .y_label_area_size(66)
            .build_cartesian_2d(0.0..most * 1.04, (low - margin).max(0.0)..top)?;
        chart
            .configure_mesh()
            .x_labels(5)
            .y_labels(5)
            .x_desc("learned from")
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| {
                if shares {
                    percent(*value)
                } else {
                    number(*value)
                }
            })
            .label_style(letters())
            .axis_desc_style(letters())
            .axis_style(LINE)
            .bold_line_style(LINE.mix(0.6))
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series([Polygon::new(outline, ACCENT.mix(0.15))])?;
        let line: Vec<(f64, f64)> = points.iter().map(|(x, p)| (*x, p.value)).collect();
        chart.draw_series(
            line.iter()
                .map(|point| Circle::new(*point, 5, ACCENT.filled())),
        )?;
        chart.draw_series([PathElement::new(line, ACCENT.stroke_width(2))])?;
        Ok(())
    })
}

/// Points of predicted against actual numbers, with the line where both agree.
pub(super) fn scatter(points: &[(f64, f64)], description: &str) -> Result<String> {
    const HEIGHT: i32 = 420;
    let all = || points.iter().flat_map(|(x, y)| [*x, *y]);
    let (low, high) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    );
    let margin = ((high - low) * 0.05)
        .max(high.abs() * 1e-6)
        .max(f64::MIN_POSITIVE);
    let (low, high) = (low - margin, high + margin);
    let letters = || ("sans-serif", LETTERS).into_font().color(&INK);
    svg(HEIGHT, description, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(low..high, low..high)?;
        chart
            .configure_mesh()
            .x_labels(4)
            .y_labels(6)
            .x_desc("actual")
            .y_desc("predicted")
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .label_style(letters())
            .axis_desc_style(letters())
            .axis_style(LINE)
            .bold_line_style(LINE.mix(0.6))
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series([PathElement::new([(low, low), (high, high)], INK.mix(0.5))])?;
        chart.draw_series(
            points
                .iter()
                .map(|point| Circle::new(*point, 4, ACCENT.mix(0.55).filled())),
        )?;
        Ok(())
    })
}

/// Draws a picture, and gives it the description that a screen reader says.
fn svg(
    height: i32,
    description: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String> {
    let mut text = String::new();
    {
        let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let drawn = draw(&area).and_then(|()| Ok(area.present()?));
        drawn.map_err(|e| anyhow!("cannot draw: {e}"))?;
    }
    let label = maud::html! { (description) }
        .into_string()
        .replace('"', "&quot;");
    Ok(text.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{label}\" "),
        1,
    ))
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    side: HPos,
    colour: RGBColor,
) -> Result<(), Box<dyn std::error::Error>> {
    let style = ("sans-serif", LETTERS)
        .into_font()
        .color(&colour)
        .pos(Pos::new(side, VPos::Center));
    Ok(area.draw(&Text::new(text.to_owned(), at, style))?)
}

#[expect(clippy::cast_possible_truncation, reason = "a length in a picture")]
fn pixels(share: f64, length: i32) -> i32 {
    (share.clamp(0.0, 1.0) * f64::from(length)) as i32
}
