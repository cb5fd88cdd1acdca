//! What a jinja template may not build.
//!
//! The engine counts instructions and bytes of text, but not the nesting of values, nor how often
//! one value is shared inside another: a loop that puts a list into itself twice makes a value
//! that takes no memory and an eternity to print, to compare or to drop. So a template makes no
//! container out of values: its list and map literals hold constants, unless the literal is looped
//! over, looked in or unpacked right where it stands. Then nesting is bounded by what the caller
//! gives, and nothing a template does makes a value much larger than what it pays for.

use minijinja::machinery::{Instruction, Instructions};

use crate::TemplateError;
use crate::error::CONTENT;

/// Most arguments of one call. `map` hands its own arguments on, so they nest as deep as this.
const MAX_ARGUMENTS: usize = 32;

/// Refuses a template that builds containers out of values. Literals of constants are constants to
/// the compiler and never come here.
pub(crate) fn check(instructions: &Instructions<'_>) -> Result<(), TemplateError> {
    let mut index = 0;
    while let Some(instruction) = instructions.get(index) {
        let next = instructions.get(index + 1);
        let refused = match instruction {
            Instruction::BuildList(_) | Instruction::BuildTuple(_) | Instruction::BuildMap(_)
                if !is_consumed(next) =>
            {
                Some(
                    "a list or map in a template holds constants only, unless it is looped over \
                     or looked in where it stands; pass it as a variable",
                )
            }
            Instruction::BuildKwargs(count) if *count > MAX_ARGUMENTS => Some(TOO_MANY),
            Instruction::ApplyFilter(_, Some(count), _)
            | Instruction::PerformTest(_, Some(count), _)
            | Instruction::CallFunction(_, Some(count))
            | Instruction::CallMethod(_, Some(count))
            | Instruction::CallObject(Some(count))
                if usize::from(*count) > MAX_ARGUMENTS =>
            {
                Some(TOO_MANY)
            }
            _ => None,
        };
        if let Some(reason) = refused {
            let line = instructions.get_line(index).and_then(|line| u32::try_from(line).ok());
            return Err(TemplateError::Syntax {
                location: CONTENT.to_owned(),
                line: line.unwrap_or(0),
                reason: reason.to_owned(),
            });
        }
        index += 1;
    }
    Ok(())
}

const TOO_MANY: &str = "a call in a template has at most 32 arguments";

/// Whether what follows takes a container apart and keeps nothing of it.
fn is_consumed(next: Option<&Instruction<'_>>) -> bool {
    matches!(next, Some(Instruction::PushLoop(_) | Instruction::In | Instruction::UnpackList(_)))
}
