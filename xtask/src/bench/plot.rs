//! Pictures of what was measured, as SVG.

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Text, TriangleMarker};
use plotters::prelude::IntoLogRange;
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, IntoFont, IntoTextStyle, RGBColor, WHITE};

use super::measured::{Comparison, Curve, Target, short};
use crate::Outcome;

const WIDTH: u32 = 1000;
const ROW: u32 = 44;
/// For what stands beside the rows.
const LABELS: u32 = 420;

// The colours of Okabe and Ito, which everybody tells apart ("Color Universal Design", 2008).
const OURS: RGBColor = RGBColor(0, 114, 178);
const MISSED: RGBColor = RGBColor(213, 94, 0);
const GOAL: RGBColor = RGBColor(0, 158, 115);
const LINES: [RGBColor; 8] = [
    OURS,
    MISSED,
    GOAL,
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(160, 150, 20),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<std::io::Error>;

/// A row a comparison: the least, median and most of its ratio, and what it was to reach.
pub(super) fn ratios(path: &str, title: &str, rows: &[Comparison]) -> Outcome {
    let height = ROW * u32::try_from(rows.len()).unwrap_or(u32::MAX / ROW) + 90;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    draw_ratios(&area, title, rows).map_err(|error| format!("cannot draw {path}: {error}"))
}

/// What each operation takes, over sizes; both axes are logarithmic.
pub(super) fn growth(path: &str, curves: &[&Curve]) -> Outcome {
    let area = SVGBackend::new(path, (WIDTH, 520)).into_drawing_area();
    draw_growth(&area, curves).map_err(|error| format!("cannot draw {path}: {error}"))
}

fn draw_ratios(area: &Area<'_>, title: &str, rows: &[Comparison]) -> Result<(), Failure> {
    area.fill(&WHITE)?;
    let ends = rows.iter().flat_map(|row| {
        let target = row.target.map_or(1.0, value);
        [row.ratio.least, row.ratio.most, target, 1.0]
    });
    let range = around(ends);
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}: ours through theirs"), ("sans-serif", 18))
        .margin(12)
        .margin_left(LABELS)
        .x_label_area_size(30)
        .build_cartesian_2d(range.clone().log_scale(), 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_axis()
        .disable_y_mesh()
        .x_labels(8)
        .x_label_formatter(&|ratio| short(*ratio))
        .draw()?;
    let same = [(1.0, 0.0), (1.0, count)];
    chart.draw_series([PathElement::new(same, BLACK.mix(0.6))])?;
    for (at, row) in rows.iter().rev().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few rows")]
        let height = at as f64 + 0.5;
        let colour = if row.is_met() == Some(false) { MISSED } else { OURS };
        let reach = [(row.ratio.least, height), (row.ratio.most, height)];
        chart.draw_series([PathElement::new(reach, colour.stroke_width(3))])?;
        chart.draw_series([Circle::new((row.ratio.median, height), 5, colour.filled())])?;
        if let Some(target) = row.target {
            let place = (value(target), height);
            chart.draw_series([TriangleMarker::new(place, 6, GOAL.filled())])?;
        }
        let (_, y) = chart.backend_coord(&(range.start, height));
        label(area, &row.what, y - 8, 13)?;
        let peer = format!("beside {}, {}", row.peer, row.theirs_and_ours());
        label(area, &peer, y + 8, 11)?;
    }
    area.present()
}

/// Text at the left of a row, cut where there is no more room.
fn label(area: &Area<'_>, text: &str, y: i32, size: u32) -> Result<(), Failure> {
    // About half a letter's height is its width.
    let most = usize::try_from(2 * LABELS / size).unwrap_or(usize::MAX);
    let shown: String = if text.chars().count() > most {
        text.chars().take(most - 1).chain(['…']).collect()
    } else {
        text.to_owned()
    };
    let style = ("sans-serif", size).into_font().into_text_style(area);
    area.draw(&Text::new(shown, (12, y), style.pos(Pos::new(HPos::Left, VPos::Center))))
}

fn draw_growth(area: &Area<'_>, curves: &[&Curve]) -> Result<(), Failure> {
    area.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|curve| &curve.points);
    #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
    let sizes = points().map(|(size, _)| *size as f64);
    let (sizes, figures) = (span(sizes), around(points().map(|(_, spread)| spread.median)));
    let Curve { sizes: axis, unit, .. } = curves[0];
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{unit}, by {axis}"), ("sans-serif", 18))
        .margin(12)
        .margin_right(260)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(sizes.clone().log_scale(), figures.log_scale())?;
    chart
        .configure_mesh()
        .x_desc(axis)
        .y_desc(unit)
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|figure| short(*figure))
        .light_line_style(BLACK.mix(0.04))
        .draw()?;
    let mut ends = Vec::new();
    for (curve, colour) in curves.iter().zip(LINES.iter().cycle()) {
        #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
        let line: Vec<(f64, f64)> =
            curve.points.iter().map(|(size, spread)| (*size as f64, spread.median)).collect();
        chart.draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?;
        chart.draw_series(line.iter().map(|place| Circle::new(*place, 3, colour.filled())))?;
        if let Some((_, last)) = line.last() {
            ends.push((chart.backend_coord(&(sizes.end, *last)), curve, colour));
        }
    }
    // Names of curves that end beside each other stand below each other.
    ends.sort_by_key(|((_, y), ..)| *y);
    let mut free = i32::MIN;
    for ((x, y), curve, colour) in ends {
        let y = y.max(free);
        free = y + 14;
        let style = ("sans-serif", 12).into_font().into_text_style(area).color(colour);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(curve.operation.clone(), (x + 8, y), style))?;
    }
    area.present()
}

impl Comparison {
    fn theirs_and_ours(&self) -> String {
        let [theirs, ours] = [self.theirs.median, self.ours.median].map(short);
        format!("{ours} and {theirs} {}", self.unit)
    }
}

fn value(target: Target) -> f64 {
    match target {
        Target::AtMost(value) | Target::AtLeast(value) => value,
    }
}

/// From the least to the most of what can stand on a logarithmic axis.
fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (mut least, mut most) = (f64::MAX, f64::MIN_POSITIVE);
    for value in values.filter(|value| *value > 0.0) {
        (least, most) = (least.min(value), most.max(value));
    }
    if least < most { least..most } else { 0.5..2.0 }
}

/// The same with some room at both ends.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let Range { start, end } = span(values);
    start / 1.3..end * 1.3
}

#[cfg(test)]
mod tests {
    use super::{around, growth, ratios, span};
    use crate::bench::measured::tests::measured;

    fn drawn(draw: impl FnOnce(&str)) -> String {
        let name =
            format!("xtask-plot-{}-{:?}.svg", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        draw(path.to_str().unwrap());
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        svg
    }

    #[test]
    fn each_comparison_is_named_and_what_was_missed_stands_out() {
        let told = measured(&[
            "row\ta get\tlru\tns\t10 12 14\t20 24 30\t1.9 2 2.1\tat most 1.5",
            "row\tan insert\tlru\tns\t10 12 14\t10 12 14\t0.9 1 1.1\tat most 1.5",
        ]);
        let svg = drawn(|path| ratios(path, "Cache", &told.comparisons).unwrap());
        assert!(svg.contains("a get") && svg.contains("beside lru, 24.0 and 12.0 ns"), "{svg}");
        assert!(svg.contains("#D55E00") && svg.contains("#0072B2"), "{svg}");
    }

    #[test]
    fn each_curve_is_named() {
        let told = measured(&[
            "curve\tprompts\topen\tms\t1000\t1 2 3",
            "curve\tprompts\topen\tms\t10000\t2 3 4",
        ]);
        let curves: Vec<_> = told.curves.iter().collect();
        let svg = drawn(|path| growth(path, &curves).unwrap());
        assert!(svg.contains("open") && svg.contains("polyline"), "{svg}");
    }

    #[test]
    fn an_axis_holds_what_is_on_it_and_no_zero() {
        assert_eq!(span([0.0, 3.0, 1.0].into_iter()), 1.0..3.0);
        assert_eq!(span([2.0].into_iter()), 0.5..2.0);
        let range = around([1.0, 2.0].into_iter());
        assert!(range.start < 1.0 && range.end > 2.0);
    }
}
