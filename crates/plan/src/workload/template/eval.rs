//! A tree to text.
//!
//! Follows `exec.go` of the package text/template.

use zeroize::Zeroizing;

use super::functions::{self, Function, printed};
use super::parse::{Base, Command, Node, Operand, Pipeline};
use super::value::{Lookup, Value};
use super::{Fault, LONGEST, MOST_WORK, TemplateFault};

/// Evaluates a template.
pub(super) fn evaluate(nodes: &[Node<'_>], lookup: Lookup<'_, '_>) -> Result<Zeroizing<String>, Fault> {
    let variables = vec![("", Value::Data)];
    let mut evaluator = Evaluator { lookup, variables, pieces: Vec::new(), size: 0, work: 0 };
    evaluator.list(nodes, &Value::Data)?;
    // Allocated at its size: a buffer that grows leaves copies of values behind.
    let mut text = Zeroizing::new(String::with_capacity(evaluator.size));
    evaluator.pieces.iter().for_each(|piece| text.push_str(piece));
    Ok(text)
}

struct Evaluator<'n, 'l, 'a> {
    lookup: Lookup<'l, 'a>,
    variables: Vec<(&'n str, Value)>,
    pieces: Vec<Zeroizing<String>>,
    size: usize,
    work: usize,
}

impl<'n> Evaluator<'n, '_, '_> {
    fn list(&mut self, nodes: &'n [Node<'n>], dot: &Value) -> Result<(), Fault> {
        for node in nodes {
            match node {
                Node::Text(text) => self.print(Zeroizing::new((*text).to_owned()), 0)?,
                Node::Print(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.keeps.is_none() {
                        self.print(printed(&value, pipeline.offset)?, pipeline.offset)?;
                    }
                }
                Node::Choice { with, condition, then, otherwise } => {
                    let known = self.variables.len();
                    let value = self.pipeline(condition, dot)?;
                    if value.is_true() {
                        self.list(then, if *with { &value } else { dot })?;
                    } else {
                        self.list(otherwise, dot)?;
                    }
                    self.variables.truncate(known);
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, text: Zeroizing<String>, offset: usize) -> Result<(), Fault> {
        self.size += text.len();
        if self.size > LONGEST {
            return Err(Fault::new(offset, TemplateFault::TooLarge));
        }
        self.pieces.push(text);
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &'n Pipeline<'n>, dot: &Value) -> Result<Value, Fault> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value.take())?);
        }
        let value = value.ok_or(Fault::syntax(pipeline.offset, "a value"))?;
        match pipeline.keeps {
            None => {}
            Some((name, true)) => self.variables.push((name, value.clone())),
            Some((name, false)) => {
                if let Some((_, kept)) = self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
                    *kept = value.clone();
                }
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &'n Command<'n>,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        match command {
            Command::Value(operand) => self.operand(operand, dot),
            Command::Call { function, arguments, offset } => {
                self.call(*function, arguments, dot, last, *offset)
            }
        }
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &'n [Operand<'n>],
        dot: &Value,
        last: Option<Value>,
        offset: usize,
    ) -> Result<Value, Fault> {
        if let Function::And | Function::Or = function {
            // What decides ends it: what follows is not evaluated.
            let mut value = None;
            for argument in arguments {
                let next = self.operand(argument, dot)?;
                if next.is_true() == (function == Function::Or) {
                    return Ok(next);
                }
                value = Some(next);
            }
            return last.or(value).ok_or(Fault::kind(offset, "a value for and and or"));
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(last);
        let made = functions::call(function, &values, offset, self.lookup)?;
        self.counted(made, offset)
    }

    fn operand(&mut self, operand: &'n Operand<'n>, dot: &Value) -> Result<Value, Fault> {
        let offset = operand.offset;
        let value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map_or(Value::Data, |(_, value)| value.clone())
            }
            Base::Text(text) => Value::Text(text.clone()),
            Base::Number(number) => Value::Number(*number),
            Base::Truth(truth) => Value::Truth(*truth),
            Base::Call(function) => self.call(*function, &[], dot, None, offset)?,
            Base::Pipeline(pipeline) => self.pipeline(pipeline, dot)?,
        };
        let value =
            operand.fields.iter().try_fold(value, |value, field| self.field(&value, field, offset))?;
        self.counted(value, offset)
    }

    fn field(&self, value: &Value, name: &str, offset: usize) -> Result<Value, Fault> {
        match value {
            Value::Data if name == "Env" => Ok(Value::Variables),
            Value::Data => Err(Fault::kind(offset, ".Env, nothing else is known here")),
            Value::Variables => Ok(functions::variable(name, self.lookup)),
            Value::Missing(missing) => Err(Fault::new(offset, TemplateFault::Missing(missing.clone()))),
            _ => Err(Fault::kind(offset, "no field of a text, a number or a truth")),
        }
    }

    /// Texts on the way are bounded together: one may be made of others twice, and that again.
    fn counted(&mut self, value: Value, offset: usize) -> Result<Value, Fault> {
        if let Value::Text(text) = &value {
            self.work += text.len();
        }
        if self.work > MOST_WORK { Err(Fault::new(offset, TemplateFault::TooLarge)) } else { Ok(value) }
    }
}
