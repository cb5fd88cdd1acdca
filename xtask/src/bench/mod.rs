//! `cargo xtask bench`: speed, beside what it is compared with, in one run; written into the book.

mod measured;
mod plot;

use std::{env, fs};

use crate::command::{CommandLine, cargo};
use crate::{Outcome, chapter, machine, programs, wheel};
use measured::{Comparison, Curve, Fact, Measured, short};

const CHAPTER: &str = "docs/src/benchmarks.md";
/// Names the one part of a benchmark that is to run: for a profiler, which runs it by itself.
const ONE_PART: &str = "PROMPTOPS_BENCH";
/// Beside the chapter.
const PLOTS: &str = "docs/src/plots";

/// What is measured together, and is one part of the chapter.
#[derive(Debug)]
pub(crate) struct Subject {
    name: &'static str,
    title: &'static str,
    /// Makes ready what it needs, and gives what runs.
    lines: fn() -> Result<Vec<CommandLine>, String>,
    /// Packages that decide what was measured.
    packages: &'static [&'static str],
}

const SUBJECTS: [Subject; 7] = [
    Subject {
        name: "cache",
        title: "A cached get",
        lines: || programs::REDIS.require().map(|()| vec![bench("cache"), bench("redis")]),
        packages: &["lru", "parking_lot", "quick_cache", "moka", "deadpool-redis", "redis"],
    },
    Subject {
        name: "template",
        title: "Templates",
        lines: || {
            let peer = wheel::langfuse()?;
            Ok(vec![bench("template").env("PROMPTOPS_BENCH_LANGFUSE", peer)])
        },
        packages: &["minijinja", "ramhorns", "serde_json"],
    },
    Subject {
        name: "http",
        title: "An uncached get over HTTP",
        lines: || Ok(vec![bench("http")]),
        packages: &["hyper", "hyper-util", "tokio", "serde_json"],
    },
    Subject {
        name: "server",
        title: "The registry and its server",
        lines: || Ok(vec![bench("server")]),
        packages: &["hyper", "axum", "rusqlite", "tokio"],
    },
    Subject {
        name: "telemetry",
        title: "Telemetry",
        lines: || Ok(vec![bench("telemetry")]),
        packages: &["crossbeam-queue"],
    },
    Subject {
        name: "python",
        title: "Python",
        lines: || wheel::bench().map(|line| vec![line]),
        packages: &["pyo3"],
    },
    Subject {
        name: "scale",
        title: "Growth",
        lines: || Ok(vec![bench("scale")]),
        packages: &["rusqlite", "lru"],
    },
];

/// All of them, one after the other: what fails does not keep the others from being measured.
pub(crate) fn run() -> Outcome {
    let failed: Vec<String> =
        SUBJECTS.iter().filter_map(|subject| subject.measure().err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// The subject of a name.
pub(crate) fn subject(name: &str) -> Option<&'static Subject> {
    const { &SUBJECTS }.iter().find(|subject| subject.name == name)
}

fn bench(name: &str) -> CommandLine {
    cargo(&format!("bench -p promptops-tests --bench {name}"))
}

impl Subject {
    /// Runs its benchmarks, and writes its part of the chapter and its plot.
    pub(crate) fn measure(&self) -> Outcome {
        if env::var_os(ONE_PART).is_some() {
            return Err(format!(
                "{ONE_PART} is set: a part alone would stand for all in {CHAPTER}. Unset it"
            ));
        }
        let mut measured = Measured::default();
        for line in (self.lines)()? {
            let mut broken = Vec::new();
            line.each_line(|text| match measured.take(text) {
                Ok(true) => println!("  {}", text.replace('\t', " | ")),
                Ok(false) => {}
                Err(error) => broken.push(error),
            })?;
            if let Some(error) = broken.first() {
                return Err(format!("bench {}: {error}", self.name));
            }
        }
        if measured == Measured::default() {
            return Err(format!("bench {}: nothing was measured", self.name));
        }
        self.write(&measured)
    }

    fn write(&self, measured: &Measured) -> Outcome {
        let mut text = format!("Measured on {}", machine::line()?);
        text.push_str(&format!("; {}.\n", machine::versions(self.packages)?));
        fs::create_dir_all(PLOTS).map_err(|error| format!("cannot make {PLOTS}: {error}"))?;
        if !measured.comparisons.is_empty() {
            text.push_str(&format!("\n{}", comparisons(&measured.comparisons)));
            plot::ratios(&self.plot(""), self.title, &measured.comparisons)?;
            text.push_str(&format!("\n![{}: ratios](plots/{}.svg)\n", self.title, self.name));
        }
        if !measured.facts.is_empty() {
            text.push_str(&format!("\n{}", facts(&measured.facts)));
        }
        for (number, curves) in by_axes(&measured.curves).iter().enumerate() {
            text.push_str(&format!("\n{}", growth(curves)));
            let suffix = format!("-{}", number + 1);
            let Curve { sizes, unit, .. } = curves[0];
            plot::growth(&self.plot(&suffix), curves)?;
            text.push_str(&format!("\n![{unit}, by {sizes}](plots/{}{suffix}.svg)\n", self.name));
        }
        println!("\n{text}");
        let (figures, missed) = measured.count();
        println!("{figures} figures, {missed} missed; written to {CHAPTER}");
        chapter::write(CHAPTER, self.name, &text)
    }

    fn plot(&self, suffix: &str) -> String {
        format!("{PLOTS}/{}{suffix}.svg", self.name)
    }
}

fn comparisons(rows: &[Comparison]) -> String {
    let mut table = "\
        | what | against | theirs | ours | ratio | to reach | |\n\
        |---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let target = row.target.map_or("for comparison".to_owned(), |target| target.to_string());
        let Comparison { what, peer, unit, theirs, ours, ratio, .. } = row;
        table.push_str(&format!(
            "| {what} | {peer} | {theirs} {unit} | {ours} {unit} | **{}** ({} to {}) | {target} | {} |\n",
            short(ratio.median),
            short(ratio.least),
            short(ratio.most),
            row.is_met().map_or("", verdict),
        ));
    }
    table
}

fn facts(facts: &[Fact]) -> String {
    let mut table =
        "| what | against | measured | to reach | |\n|---|---|---|---|---|\n".to_owned();
    for Fact { what, against, measured, promised, is_met } in facts {
        let verdict = verdict(*is_met);
        table.push_str(&format!("| {what} | {against} | {measured} | {promised} | {verdict} |\n"));
    }
    table
}

/// Sizes beside each other: those that all of them have.
fn growth(curves: &[&Curve]) -> String {
    let sizes: Vec<u64> = curves[0].points.iter().map(|(size, _)| *size).collect();
    let mut table = format!("| {}, by {} |", curves[0].unit, curves[0].sizes);
    for size in &sizes {
        table.push_str(&format!(" {size} |"));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(sizes.len())));
    for curve in curves {
        table.push_str(&format!("| {} |", curve.operation));
        for size in &sizes {
            let point = curve.points.iter().find(|(at, _)| at == size);
            let figure = point.map_or(String::new(), |(_, spread)| short(spread.median));
            table.push_str(&format!(" {figure} |"));
        }
        table.push('\n');
    }
    table
}

/// Curves that share their axes, in the order they came.
fn by_axes(curves: &[Curve]) -> Vec<Vec<&Curve>> {
    let mut groups: Vec<Vec<&Curve>> = Vec::new();
    for curve in curves {
        let same = |one: &Curve| one.unit == curve.unit && one.sizes == curve.sizes;
        match groups.iter_mut().find(|group| same(group[0])) {
            Some(group) => group.push(curve),
            None => groups.push(vec![curve]),
        }
    }
    groups
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::measured::tests::measured;
    use super::{SUBJECTS, by_axes, comparisons, facts, growth, subject};

    #[test]
    fn what_was_missed_is_marked() {
        let told = measured(&[
            "row\ta get\tlru\tns\t10 12 14\t20 24 30\t1.9 2 2.1\tat most 1.5",
            "row\tthe same\tmoka\tns\t10 12 14\t20 24 30\t1.9 2 2.1\t",
            "fact\therd\trequests sent\t1\t1\tmet",
        ]);
        let table = comparisons(&told.comparisons);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| a get | lru | 10.0 / 12.0 / 14.0 ns | 20.0 / 24.0 / 30.0 ns | \
                 **2.00** (1.90 to 2.10) | at most 1.5 | **missed** |",
                "| the same | moka | 10.0 / 12.0 / 14.0 ns | 20.0 / 24.0 / 30.0 ns | \
                 **2.00** (1.90 to 2.10) | for comparison |  |",
            ]
        );
        assert!(facts(&told.facts).ends_with("| herd | requests sent | 1 | 1 | met |\n"));
    }

    #[test]
    fn curves_of_the_same_axes_share_a_table() {
        let told = measured(&[
            "curve\tprompts\topen\tms\t1000\t1 2 3",
            "curve\tprompts\tmemory\tMiB\t1000\t4 5 6",
            "curve\tprompts\tlist\tms\t1000\t1 2 3",
            "curve\tprompts\topen\tms\t10000\t2 3 4",
        ]);
        let groups = by_axes(&told.curves);
        assert_eq!(groups.len(), 2);
        let table = growth(&groups[0]);
        assert_eq!(
            table,
            "| ms, by prompts | 1000 | 10000 |\n|---|---|---|\n| open | 2.00 | 3.00 |\n| list | 2.00 |  |\n"
        );
    }

    #[test]
    fn a_subject_is_found_by_its_name() {
        assert!(SUBJECTS.iter().all(|known| subject(known.name).is_some()));
        assert!(subject("speed").is_none());
    }
}
