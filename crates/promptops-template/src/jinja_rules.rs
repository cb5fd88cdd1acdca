//! What a jinja template may not build.
//!
//! The engine counts instructions and bytes of text, but not the nesting of values, nor how often
//! one value is shared inside another, nor how long two values are that it compares: a template
//! that puts a list into itself twice, again and again, makes a value that takes no memory and an
//! eternity to print, to compare or to drop. So a template makes no container out of values:
//!
//! - its list and map literals hold constants, unless the literal is looped over, looked in or
//!   unpacked right where it stands;
//! - `map` takes constants, since it would put its arguments into a list;
//! - what wraps a value to be computed later (slices, repetition, `reverse`) is counted;
//! - text is not sliced in loops and macros, where `truncate` does the same and is paid for.
//!
//! Then nesting is bounded by what the caller gives, and nothing a template does makes a value
//! much larger than what it pays for.

use minijinja::machinery::{Instruction, Instructions};

use crate::TemplateError;
use crate::error::CONTENT;

/// Most arguments of one call. `map` hands its own arguments on, so they nest as deep as this.
const MAX_ARGUMENTS: usize = 32;

/// Most slices, products and reversals of one template: each may wrap the one before.
const MAX_WRAPS: usize = 64;

const LITERAL: &str = "a list or map in a template holds constants only, unless it is looped over \
                       or looked in where it stands; pass it as a variable";
const ARGUMENTS: &str = "a call in a template has at most 32 arguments";
const MAP: &str = "`map` takes constants only; pass the list as a variable";
const WRAPS: &str = "a template has at most 64 slices, products and reversals together";
const SLICE: &str = "a slice stands outside of loops and macros; use `truncate` there";

/// Refuses a template that builds containers out of values. Literals of constants are constants to
/// the compiler and never come here.
pub(crate) fn check(instructions: &Instructions<'_>) -> Result<(), TemplateError> {
    let all: Vec<&Instruction<'_>> = (0..).map_while(|index| instructions.get(index)).collect();
    let mut wraps = 0;
    let mut loops = 0_usize;
    for (index, instruction) in all.iter().enumerate() {
        match instruction {
            Instruction::PushLoop(_) => loops += 1,
            Instruction::PopLoopFrame => loops = loops.saturating_sub(1),
            Instruction::Slice | Instruction::Mul | Instruction::ApplyFilter("reverse", ..) => {
                wraps += 1;
            }
            _ => {}
        }
        let refused = match instruction {
            Instruction::BuildList(_) | Instruction::BuildTuple(_) | Instruction::BuildMap(_)
                if !is_consumed(all.get(index + 1)) =>
            {
                Some(LITERAL)
            }
            Instruction::ApplyFilter("map", count, _) if !is_constant(&all[..index], *count) => {
                Some(MAP)
            }
            Instruction::Slice if loops > 0 || is_in_macro(&all, index) => Some(SLICE),
            _ if wraps > MAX_WRAPS => Some(WRAPS),
            _ if arguments(instruction) > MAX_ARGUMENTS => Some(ARGUMENTS),
            _ => None,
        };
        if let Some(reason) = refused {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let line = instructions.get_line(index).and_then(|line| u32::try_from(line).ok());
            return Err(TemplateError::Syntax {
                location: CONTENT.to_owned(),
                line: line.unwrap_or(0),
                reason: reason.to_owned(),
            });
        }
    }
    Ok(())
}

/// How many arguments a call has, the value of a filter or test included.
fn arguments(instruction: &Instruction<'_>) -> usize {
    match instruction {
        Instruction::BuildKwargs(count) => *count,
        Instruction::ApplyFilter(_, Some(count), _)
        | Instruction::PerformTest(_, Some(count), _)
        | Instruction::CallFunction(_, Some(count))
        | Instruction::CallMethod(_, Some(count))
        | Instruction::CallObject(Some(count)) => usize::from(*count),
        _ => 0,
    }
}

/// Whether what follows takes a container apart and keeps nothing of it.
fn is_consumed(next: Option<&&Instruction<'_>>) -> bool {
    matches!(next, Some(Instruction::PushLoop(_) | Instruction::In | Instruction::UnpackList(_)))
}

/// Whether the arguments of a filter, which stand right before it, are constants: `count` of them
/// with the filter's value, the last perhaps a map of names and constants.
fn is_constant(before: &[&Instruction<'_>], count: Option<u16>) -> bool {
    let Some(count) = count else { return false };
    let mut wanted = usize::from(count).saturating_sub(1);
    let mut before = before;
    if let [rest @ .., Instruction::BuildKwargs(pairs)] = before {
        before = rest;
        wanted = wanted.saturating_sub(1) + 2 * pairs;
    }
    let constant =
        |instruction: &&&Instruction<'_>| matches!(instruction, Instruction::LoadConst(_));
    before.iter().rev().take(wanted).filter(constant).count() == wanted
}

/// Whether an instruction is in the body of a macro: between its first instruction and the one
/// that builds it.
fn is_in_macro(all: &[&Instruction<'_>], index: usize) -> bool {
    all.iter().enumerate().skip(index).any(|(end, instruction)| {
        matches!(instruction, Instruction::BuildMacro(_, start, _)
            if (*start as usize..end).contains(&index))
    })
}
