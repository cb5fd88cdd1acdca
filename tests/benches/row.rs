//! What a benchmark tells `cargo xtask bench`: lines of fields with tabs between.
//!
//! `row`: what, beside whom, unit, theirs, ours, the ratio, what it is to reach. `fact`: what, beside
//! whom, the figure, what is promised, `met` or `missed`. `curve`: sizes of what, operation, unit, size, figure. Figures of
//! several rounds are their least, median and most. What was reached is judged by who reads the lines.

/// The middle one.
#[allow(dead_code, reason = "not every benchmark has rounds of many")]
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a ratio is to reach.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "not every benchmark has each")]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Least, median and most.
fn spread(values: &[f64]) -> String {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let [least, most] = [values[0], values[values.len() - 1]];
    format!("{least} {} {most}", values[values.len() / 2])
}

/// Rounds of ours beside rounds of theirs; the ratio is taken round by round.
#[allow(dead_code, reason = "a benchmark of growth has none")]
pub(crate) fn compare(
    what: &str,
    (peer, theirs): (&str, &[f64]),
    (ours, unit): (&[f64], &str),
    target: Option<Target>,
) {
    assert!(ours.len() >= 7 && ours.len() == theirs.len(), "{what}: at least 7 rounds of each");
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    let target = match target {
        None => String::new(),
        Some(Target::AtMost(most)) => format!("at most {most}"),
        Some(Target::AtLeast(least)) => format!("at least {least}"),
    };
    let [theirs, ours, ratio] = [theirs, ours, &ratios].map(spread);
    println!("row\t{what}\t{peer}\t{unit}\t{theirs}\t{ours}\t{ratio}\t{target}");
}

/// Something measured that is no ratio.
#[allow(dead_code, reason = "not every benchmark has one")]
pub(crate) fn fact(what: &str, against: &str, measured: &str, promised: &str, is_met: bool) {
    let verdict = if is_met { "met" } else { "missed" };
    println!("fact\t{what}\t{against}\t{measured}\t{promised}\t{verdict}");
}

/// A point of a curve: what an operation takes at a size of something.
#[allow(dead_code, reason = "not every benchmark has one")]
pub(crate) fn point(sizes: &str, operation: &str, unit: &str, size: usize, values: &[f64]) {
    println!("curve\t{sizes}\t{operation}\t{unit}\t{size}\t{}", spread(values));
}

/// Whether a part of a benchmark is to run: all do, unless `PROMPTOPS_BENCH` names one, for a profiler.
#[allow(dead_code, reason = "not every benchmark has parts")]
pub(crate) fn is_wanted(part: &str) -> bool {
    std::env::var("PROMPTOPS_BENCH").map_or(true, |one| one == part)
}
