//! What benchmarks print, read: lines of fields with tabs between, as `tests/benches/row.rs` says.

use std::fmt;

/// Figures of several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

/// What a ratio is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Ours beside theirs.
#[derive(Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) what: String,
    pub(super) peer: String,
    pub(super) unit: String,
    pub(super) theirs: Spread,
    pub(super) ours: Spread,
    /// Ours through theirs, round by round.
    pub(super) ratio: Spread,
    /// Nothing where the row is there for comparison.
    pub(super) target: Option<Target>,
}

/// A figure without a ratio, and whether it is what was promised.
#[derive(Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) what: String,
    pub(super) against: String,
    pub(super) measured: String,
    pub(super) promised: String,
    pub(super) is_met: bool,
}

/// What an operation takes at each size of something.
#[derive(Debug, PartialEq)]
pub(super) struct Curve {
    /// Sizes of what.
    pub(super) sizes: String,
    pub(super) operation: String,
    pub(super) unit: String,
    pub(super) points: Vec<(u64, Spread)>,
}

/// All that one subject's benchmarks told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) facts: Vec<Fact>,
    pub(super) curves: Vec<Curve>,
}

impl Measured {
    /// Takes a line; what is not told by a benchmark is no concern of ours.
    pub(super) fn take(&mut self, line: &str) -> Result<bool, String> {
        let mut fields = line.split('\t').map(str::trim);
        let kind = fields.next().unwrap_or_default();
        let fields: Vec<&str> = fields.collect();
        match (kind, &fields[..]) {
            ("row", [what, peer, unit, theirs, ours, ratio, target]) => {
                self.comparisons.push(Comparison {
                    what: (*what).to_owned(),
                    peer: (*peer).to_owned(),
                    unit: (*unit).to_owned(),
                    theirs: spread(theirs)?,
                    ours: spread(ours)?,
                    ratio: spread(ratio)?,
                    target: self::target(target)?,
                });
            }
            ("fact", [what, against, measured, promised, verdict]) => self.facts.push(Fact {
                what: (*what).to_owned(),
                against: (*against).to_owned(),
                measured: (*measured).to_owned(),
                promised: (*promised).to_owned(),
                is_met: *verdict == "met",
            }),
            ("curve", [sizes, operation, unit, size, values]) => {
                let size = size.parse().map_err(|_| format!("`{size}` is no size: {line}"))?;
                self.add_point([sizes, operation, unit], (size, spread(values)?));
            }
            ("row" | "fact" | "curve", _) => return Err(format!("fields are missing: {line}")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_point(&mut self, [sizes, operation, unit]: [&str; 3], point: (u64, Spread)) {
        let is_known = |curve: &&mut Curve| curve.sizes == sizes && curve.operation == operation;
        if let Some(curve) = self.curves.iter_mut().find(is_known) {
            curve.points.push(point);
        } else {
            self.curves.push(Curve {
                sizes: sizes.to_owned(),
                operation: operation.to_owned(),
                unit: unit.to_owned(),
                points: vec![point],
            });
        }
    }

    /// How many figures there are, and how many of them are not what they were to be.
    pub(super) fn count(&self) -> (usize, usize) {
        let missed = self.comparisons.iter().filter(|row| row.is_met() == Some(false)).count()
            + self.facts.iter().filter(|fact| !fact.is_met).count();
        (self.comparisons.len() + self.facts.len(), missed)
    }
}

impl Comparison {
    /// Whether the median ratio is what it was to be; nothing where there was no target.
    pub(super) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.ratio.median <= most,
            Target::AtLeast(least) => self.ratio.median >= least,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = [self.least, self.median, self.most].map(short);
        write!(f, "{least} / {median} / {most}")
    }
}

/// A figure with the digits that mean something: three.
pub(super) fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 || size == 0.0 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

fn spread(text: &str) -> Result<Spread, String> {
    let numbers: Result<Vec<f64>, _> = text.split(' ').map(str::parse).collect();
    match numbers.as_deref() {
        Ok(&[least, median, most]) if [least, median, most].iter().all(|n| n.is_finite()) => {
            Ok(Spread { least, median, most })
        }
        _ => Err(format!("`{text}` is not a least, a median and a most")),
    }
}

fn target(text: &str) -> Result<Option<Target>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (kind, value) = text.rsplit_once(' ').unwrap_or_default();
    match (kind, value.parse()) {
        ("at most", Ok(value)) => Ok(Some(Target::AtMost(value))),
        ("at least", Ok(value)) => Ok(Some(Target::AtLeast(value))),
        _ => Err(format!("`{text}` is no target: write `at most 1.5` or `at least 0.8`")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Measured, Spread, Target, short};

    pub(in crate::bench) fn measured(lines: &[&str]) -> Measured {
        let mut measured = Measured::default();
        for line in lines {
            assert!(measured.take(line).unwrap(), "{line}");
        }
        measured
    }

    #[test]
    fn what_benchmarks_print_is_read() {
        let told = measured(&[
            "row\ta get\tlru\tns\t10 12 14\t20 24 30\t1.9 2 2.1\tat most 1.5",
            "row\tthe same\tmoka\tns\t10 12 14\t20 24 30\t1.9 2 2.1\t",
            "fact\therd\trequests sent\t1\t1\tmet",
            "curve\tprompts\topen\tms\t1000\t1 2 3",
            "curve\tprompts\topen\tms\t10000\t2 3 4",
        ]);
        assert_eq!(told.count(), (3, 1));
        assert_eq!(told.comparisons[0].target, Some(Target::AtMost(1.5)));
        assert_eq!(told.comparisons[1].is_met(), None);
        assert_eq!(told.curves[0].points.len(), 2);
        assert_eq!(told.curves[0].points[1].1, Spread { least: 2.0, median: 3.0, most: 4.0 });
    }

    #[test]
    fn other_output_is_passed_over_and_broken_lines_are_refused() {
        let mut measured = Measured::default();
        assert_eq!(measured.take("running 3 benchmarks"), Ok(false));
        for line in [
            "row\tonly this",
            "row\ta\tb\tns\t1 2\t1 2 3\t1 2 3\t",
            "row\ta\tb\tns\t1 2 3\t1 2 3\t1 NaN 3\t",
            "row\ta\tb\tns\t1 2 3\t1 2 3\t1 2 3\tmost 3",
            "curve\tprompts\ta\tms\tmany\t1 2 3",
        ] {
            assert!(measured.take(line).is_err(), "{line}");
        }
        assert_eq!(measured, Measured::default());
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 0.0123, 0.5, 1.5, 12.34, 123.4, 12_345.6].map(short);
        assert_eq!(shown, ["0.000", "0.0123", "0.500", "1.50", "12.3", "123", "12346"]);
    }
}
