//! Tables made of what tests print: lines of fields after the word `row`.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::command::CommandLine;

/// The fields of a row. The last says whether the figure was reached, or nothing where there is none.
pub(crate) struct Row(Vec<String>);

impl<const N: usize> From<[&str; N]> for Row {
    fn from(fields: [&str; N]) -> Self {
        Self(fields.map(str::to_owned).into())
    }
}

/// Rows of one table, as they come.
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Row>,
    /// Tests that failed.
    failed: BTreeSet<String>,
}

impl Table {
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new(), failed: BTreeSet::new() }
    }

    /// Runs a line, shows its rows as they come, and keeps them.
    pub(crate) fn run(&mut self, line: CommandLine) -> Outcome {
        line.each_line(|text| {
            // A test's name stands before its first row.
            let row = text.find("row\t").filter(|at| *at == 0 || text[..*at].ends_with("... "));
            if let Some(at) = row {
                println!("  {}", text[at + 4..].replace('\t', " | "));
                let fields = text[at + 4..].split('\t').map(|field| match field.trim() {
                    "missed" => "**missed**".to_owned(),
                    field => field.to_owned(),
                });
                self.add(Row(fields.collect()));
            } else if let Some(name) = text.strip_prefix("    ").filter(|name| is_test(name)) {
                // The end of a run lists them.
                self.failed.insert(name.to_owned());
            }
        })
    }

    /// Adds a row; fields it does not have are empty.
    pub(crate) fn add(&mut self, Row(mut fields): Row) {
        fields.resize(self.columns.len(), String::new());
        self.rows.push(Row(fields));
    }

    /// Orders the rows by the number in their first column; those without one come last.
    pub(crate) fn sort(&mut self) {
        self.rows.sort_by_key(|Row(fields)| fields[0].parse::<u32>().unwrap_or(u32::MAX));
    }

    /// Whether a row begins with this.
    pub(crate) fn has(&self, first: &str) -> bool {
        self.rows.iter().any(|Row(fields)| fields[0] == first)
    }

    /// Names of tests that failed: their rows are not among ours, or not all of them.
    pub(crate) fn failed(&self) -> &BTreeSet<String> {
        &self.failed
    }

    /// The table in Markdown, and how many of its figures were missed.
    pub(crate) fn markdown(&self) -> String {
        let mut text = line(self.columns.iter().copied());
        text.push_str(&line(self.columns.iter().map(|_| "---")));
        for Row(fields) in &self.rows {
            text.push_str(&line(fields.iter().map(String::as_str)));
        }
        let with = |verdict: &str| {
            let rows =
                self.rows.iter().filter(|Row(fields)| fields.last().is_some_and(|v| v == verdict));
            rows.count()
        };
        let [missed, failed, not_run] = ["**missed**", "**failed**", "**not run**"].map(with);
        let rows = self.rows.len();
        text + &format!(
            "\n{rows} rows, {missed} of them missed, {failed} failed, {not_run} not run.\n"
        )
    }
}

/// Whether a text is the path of a test, and nothing more.
fn is_test(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    text.contains("::") && text.split("::").all(is_name)
}

fn line<'f>(fields: impl Iterator<Item = &'f str>) -> String {
    format!("| {} |\n", fields.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::{Row, Table};
    use crate::command::program;

    #[test]
    fn rows_are_found_among_other_output() {
        let text = "running\nrow\t15\ta\tmet\ntest it::b ... row\t3\tc\tmissed\nthis row\tis none\n\
                    failures:\n    it::row_4_d\n    it::fails, they say\n";
        let mut table = Table::new(&["#", "what", ""]);
        table.run(program("printf", [text.replace('\\', "")])).unwrap();
        table.add(Row::from(["soak", "all"]));
        table.sort();
        assert!(table.has("15") && !table.has("4"));
        assert!(table.failed().iter().eq(["it::row_4_d"]));
        assert_eq!(
            table.markdown(),
            "| # | what |  |\n| --- | --- | --- |\n| 3 | c | **missed** |\n| 15 | a | met |\n\
             | soak | all |  |\n\n3 rows, 1 of them missed, 0 failed, 0 not run.\n"
        );
    }
}
