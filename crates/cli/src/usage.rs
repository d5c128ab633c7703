//! What is said of a command line that cannot be read: to a terminal in colour and with what may have been meant, to anything
//! else just what is wrong.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use countersign_contract::nearest::nearest;

use crate::answer::Colour;
use crate::arguments::Arguments;

/// Prints what is wrong with the command line, or the help that it asks for.
pub fn answer(error: &Error) -> ExitCode {
    let status = u8::try_from(error.exit_code()).unwrap_or(2);
    let stderr = std::io::stderr();
    // Without a stream there is nobody to tell.
    if error.use_stderr() && stderr.is_terminal() {
        let _ = stderr.lock().write_all(told(error, Colour::wanted(&stderr)).as_bytes());
    } else {
        let _ = error.print();
    }
    ExitCode::from(status)
}

fn told(error: &Error, colour: bool) -> String {
    let text = error.to_string();
    let (mut first, mut rest) = text.split_once('\n').unwrap_or((&text, ""));
    let label = first.strip_prefix("error:").map(|behind| {
        first = behind;
        Colour::Red.paint("error:", colour)
    });
    let meant = meant(error).map(|name| {
        rest = rest.trim_start_matches('\n');
        format!("  {} {name}?\n\n", Colour::Green.paint("did you mean", colour))
    });
    format!("{}{first}\n{}{rest}", label.unwrap_or_default(), meant.unwrap_or_default())
}

/// What may have been meant by a verb, an option or a value that is not known.
fn meant(error: &Error) -> Option<String> {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let command = command();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let verbs = command.get_subcommands().map(clap::Command::get_name);
            nearest(given(ContextKind::InvalidSubcommand)?, verbs).map(str::to_owned)
        }
        ErrorKind::UnknownArgument => {
            let name = given(ContextKind::InvalidArg)?.strip_prefix("--")?;
            let options = command.get_arguments().filter_map(clap::Arg::get_long);
            nearest(name, options).map(|option| format!("--{option}"))
        }
        ErrorKind::InvalidValue => {
            let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) else { return None };
            nearest(given(ContextKind::InvalidValue)?, values.iter().map(String::as_str)).map(str::to_owned)
        }
        _ => None,
    }
}

/// The verb that was given, or the command itself before there is one.
fn command() -> clap::Command {
    let mut command = Arguments::command();
    for word in std::env::args().skip(1) {
        let Some(verb) = command.find_subcommand(&word).cloned() else { break };
        command = verb;
    }
    command
}
