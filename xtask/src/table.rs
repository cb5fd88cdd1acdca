//! Tables made of what tests and benchmarks print: lines of fields after the word `row`.

use crate::Outcome;
use crate::command::CommandLine;

/// What a row ends with: whether the figure was reached, or nothing where there is none to reach.
const MISSED: &str = "missed";

/// Rows of one table, as they come.
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Runs a line, shows its rows as they come, and keeps them.
    pub(crate) fn run(&mut self, line: CommandLine) -> Outcome {
        line.each_line(|text| {
            // A test's name stands before its first row.
            let row = text.find("row\t").filter(|at| *at == 0 || text[..*at].ends_with("... "));
            if let Some(at) = row {
                println!("  {}", text[at + 4..].replace('\t', " | "));
                self.add(&text[at + 4..]);
            }
        })
    }

    fn add(&mut self, text: &str) {
        let mut fields: Vec<String> = text.split('\t').map(|field| field.trim().into()).collect();
        fields.resize(self.columns.len(), String::new());
        self.rows.push(fields);
    }

    /// Orders the rows by the number in their first column.
    pub(crate) fn sort(&mut self) {
        self.rows.sort_by_key(|row| row[0].parse::<u32>().unwrap_or(u32::MAX));
    }

    /// Whether a row begins with this.
    pub(crate) fn has(&self, first: &str) -> bool {
        self.rows.iter().any(|row| row[0] == first)
    }

    /// The table in Markdown, and how many of its figures were missed.
    pub(crate) fn print(&self) {
        println!("\n{}", line(self.columns.iter().copied()));
        println!("{}", line(self.columns.iter().map(|_| "---")));
        for row in &self.rows {
            println!("{}", line(row.iter().map(String::as_str)));
        }
        let missed = self.rows.iter().filter(|row| row.last().is_some_and(|v| v == MISSED)).count();
        println!("\n{} rows, {missed} figures missed", self.rows.len());
    }
}

fn line<'f>(fields: impl Iterator<Item = &'f str>) -> String {
    format!("| {} |", fields.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::command::program;

    #[test]
    fn rows_are_found_among_other_output() {
        let text =
            "running\nrow\t15\ta\tmet\ntest it::b ... row\t3\tc\tmissed\nthis row\tis none\n";
        let mut table = Table::new(&["#", "what", ""]);
        table.run(program("printf", [text.replace('\\', "")])).unwrap();
        table.sort();
        assert_eq!(table.rows, [["3", "c", "missed"], ["15", "a", "met"]]);
        assert!(table.has("15") && !table.has("4"));
    }
}
