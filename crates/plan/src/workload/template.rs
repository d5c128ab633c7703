//! Template expressions in a text, as Go's package text/template evaluates them, as far as pods need them.
//!
//! Read are text, trim markers, comments, `.Env.NAME`, `$.Env.NAME`, variables, texts and whole numbers, parentheses,
//! pipelines, `if`, `else` and `with`, and the functions `and eq ge gt index le len lt ne not or print printf println slice`.
//! Everything else of the package is refused by its name: nothing here can repeat, call or include anything, so the
//! work grows with the text alone, and what is made is bounded.
//!
//! The data is one map, `.Env`, with the contract's variables. Go's answer to a name that is not in it depends on the
//! type of the map, which HPCR does not document: an empty text, or nothing. Both are false, so a condition may ask
//! for it; where it would be printed or compared, it is refused.
//!
//! The test `go_template` of this package holds all of it against Go's own program.

mod eval;
mod functions;
mod lex;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use zeroize::Zeroizing;

use super::printable;

/// Longest result, and longest text on the way to it.
pub const LONGEST: usize = 1 << 20;

/// Bytes of all texts that are made on the way.
const MOST_WORK: usize = 8 << 20;

/// Levels of blocks and parentheses.
const MAX_DEPTH: usize = 32;

/// Why a text is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (character {at} of the text)")]
pub struct TemplateRefusal {
    /// Where, in characters of the text, from one.
    pub at: usize,
    /// What is wrong there.
    pub fault: TemplateFault,
}

/// What is wrong with an expression. Names may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Not an expression.
    #[error("expected {0}")]
    Syntax(&'static str),
    /// Something of the package that is not evaluated here.
    #[error("expected no {0}: it is not evaluated here")]
    Construct(&'static str),
    /// A name that is no function of Go's templates.
    #[error("expected a known function instead of {0}")]
    Function(String),
    /// A variable that is not declared before.
    #[error("expected the variable {0} to be declared before")]
    Undeclared(String),
    /// A name that the contract does not set.
    #[error("expected {0} in env, it is not set")]
    Missing(String),
    /// A value of another kind.
    #[error("expected {0}")]
    Kind(&'static str),
    /// Too long, or too deep.
    #[error("expected at most 1 MiB of text and 32 levels")]
    TooLarge,
}

impl TemplateFault {
    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            TemplateFault::Missing(_) => "set it under env.env or workload.env, or ask for it with if",
            _ => "correct the expression; to have two braces in the text, write {{ \"{{\" }}",
        }
    }
}

/// Whether there is an expression in a text.
pub fn has_expression(text: &str) -> bool {
    text.contains(lex::LEFT)
}

/// Evaluates a text.
///
/// ```
/// use countersign_plan::workload::template::render;
///
/// let lookup = |name: &str| (name == "REGISTRY").then_some("registry.example.org");
/// let made = render("{{ .Env.REGISTRY }}/web", &lookup).unwrap();
/// assert_eq!(made.as_str(), "registry.example.org/web");
/// ```
///
/// # Errors
/// [`TemplateRefusal`], the first.
pub fn render<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Zeroizing<String>, TemplateRefusal> {
    let refused = |Fault { offset, fault }| TemplateRefusal {
        at: 1 + text.get(..offset).unwrap_or(text).chars().count(),
        fault,
    };
    if text.len() > LONGEST {
        return Err(refused(Fault::new(0, TemplateFault::TooLarge)));
    }
    let nodes = parse::parse(text).map_err(refused)?;
    eval::evaluate(&nodes, lookup).map_err(refused)
}

/// A refusal with its place in bytes.
#[derive(Debug)]
struct Fault {
    offset: usize,
    fault: TemplateFault,
}

impl Fault {
    fn new(offset: usize, fault: TemplateFault) -> Fault {
        Fault { offset, fault }
    }

    fn syntax(offset: usize, expected: &'static str) -> Fault {
        Fault::new(offset, TemplateFault::Syntax(expected))
    }

    fn kind(offset: usize, expected: &'static str) -> Fault {
        Fault::new(offset, TemplateFault::Kind(expected))
    }
}
