//! Licence expressions, as SPDX writes them in manifests.

use std::fmt;

/// A licence, or what is made of several.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expression {
    /// One, with its exception if it has one: `Apache-2.0 WITH LLVM-exception`.
    One(String),
    /// `OR`: whoever uses it chooses.
    Any(Vec<Self>),
    /// `AND`: each of them holds.
    All(Vec<Self>),
}

impl Expression {
    /// Reads an expression. The old `MIT/Apache-2.0` is a choice, as crates.io takes it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
        let expression = words.any();
        expression
            .filter(|_| words.next == words.words.len())
            .ok_or_else(|| format!("`{text}` is no SPDX licence expression"))
    }

    /// Whether it can be met with nothing but these licences.
    pub(super) fn is_met_by(&self, licences: &[String]) -> bool {
        match self {
            Self::One(licence) => licences.contains(licence),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(licences)),
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(licences)),
        }
    }
}

/// In one form, whatever the order they were written in.
impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::One(licence) => return formatter.write_str(licence),
            Self::Any(parts) => (parts, " OR "),
            Self::All(parts) => (parts, " AND "),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                formatter.write_str(word)?;
            }
            match part {
                Self::One(licence) => formatter.write_str(licence)?,
                several => write!(formatter, "({several})")?,
            }
        }
        Ok(())
    }
}

/// The words of an expression that are still to be read.
struct Words<'t> {
    words: Vec<&'t str>,
    next: usize,
}

impl Words<'_> {
    fn any(&mut self) -> Option<Expression> {
        self.joined("OR", Self::all, Expression::Any)
    }

    fn all(&mut self) -> Option<Expression> {
        self.joined("AND", Self::one, Expression::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Option<Expression>,
        several: fn(Vec<Expression>) -> Expression,
    ) -> Option<Expression> {
        let mut parts = vec![part(self)?];
        while self.take(word) {
            parts.push(part(self)?);
        }
        parts.sort();
        parts.dedup();
        if parts.len() == 1 { parts.pop() } else { Some(several(parts)) }
    }

    fn one(&mut self) -> Option<Expression> {
        if self.take("(") {
            return self.any().filter(|_| self.take(")"));
        }
        let licence = self.name()?;
        if self.take("WITH") {
            return Some(Expression::One(format!("{licence} WITH {}", self.name()?)));
        }
        Some(Expression::One(licence))
    }

    fn name(&mut self) -> Option<String> {
        let name = self.words.get(self.next)?;
        if ["AND", "OR", "WITH", "(", ")"].contains(name) {
            return None;
        }
        self.next += 1;
        Some((*name).to_owned())
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.next) == Some(&word);
        self.next += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    fn is_met(expression: &str, licences: &[&str]) -> bool {
        let licences: Vec<String> = licences.iter().map(|licence| (*licence).to_owned()).collect();
        Expression::parse(expression).unwrap().is_met_by(&licences)
    }

    #[test]
    fn one_of_a_choice_is_enough_and_each_of_a_sum_is_needed() {
        assert!(is_met("MIT OR Apache-2.0", &["MIT"]));
        assert!(is_met("Unlicense/MIT", &["MIT"]));
        assert!(!is_met("GPL-3.0-only", &["MIT"]));
        assert!(!is_met("MIT AND BSD-3-Clause", &["MIT"]));
        assert!(is_met("MIT AND BSD-3-Clause", &["BSD-3-Clause", "MIT"]));
    }

    #[test]
    fn and_binds_more_closely_than_or_unless_brackets_say_otherwise() {
        assert!(is_met("MIT OR ISC AND Zlib", &["MIT"]));
        assert!(!is_met("(MIT OR ISC) AND Zlib", &["MIT"]));
        assert!(is_met("(MIT OR ISC) AND Zlib", &["MIT", "Zlib"]));
    }

    #[test]
    fn a_licence_with_an_exception_is_another_licence() {
        let expression = "Apache-2.0 WITH LLVM-exception";
        assert!(!is_met(expression, &["Apache-2.0"]));
        assert!(is_met(expression, &[expression]));
        assert!(is_met("Apache-2.0 WITH LLVM-exception OR MIT", &["MIT"]));
    }

    #[test]
    fn expressions_that_say_the_same_print_the_same() {
        let printed = |text: &str| Expression::parse(text).unwrap().to_string();
        assert_eq!(printed("MIT / Apache-2.0"), "Apache-2.0 OR MIT");
        assert_eq!(printed("Zlib AND (MIT OR ISC)"), "Zlib AND (ISC OR MIT)");
        assert_eq!(printed("(MIT)"), "MIT");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH"] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
