//! Rows of the table that `cargo xtask bench` prints.

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a ratio is to reach.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    #[allow(dead_code, reason = "not every benchmark has one")]
    AtLeast(f64),
}

/// One line that `cargo xtask bench` puts into its table.
fn row(what: &str, against: &str, measured: &str, ratio: f64, target: Option<Target>) {
    let (promised, verdict) = match target {
        None => ("none, for comparison".to_owned(), ""),
        Some(Target::AtMost(most)) => {
            (format!("at most {most}"), if ratio <= most { "met" } else { "missed" })
        }
        Some(Target::AtLeast(least)) => {
            (format!("at least {least}"), if ratio >= least { "met" } else { "missed" })
        }
    };
    println!("row\t{what}\t{against}\t{measured}\t{ratio:.2}\t{promised}\t{verdict}");
}

/// A row of medians and of the median ratio, round by round.
pub(crate) fn compare(
    what: &str,
    (peer, theirs): (&str, &[f64]),
    (ours, unit): (&[f64], &str),
    target: Option<Target>,
) {
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    let against = format!("{peer} {:.1} {unit}", median(theirs.to_vec()));
    let measured = format!("{:.1} {unit}", median(ours.to_vec()));
    row(what, &against, &measured, median(ratios), target);
}
