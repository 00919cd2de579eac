//! Running JavaScript that a script brought, in the page's own world or in a named isolated one.

use serde_json::{Value, json};

use super::PageError;
use super::inner::Inner;
use super::rpc::{Compiled, Evaluated, Exception, rpc};
use super::world::CallError;

/// Turns what came out into plain data: pages may have replaced `JSON` or `toJSON`, and cycles are no reason to fail.
const PLAIN: &str = include_str!("injected/plain.js");
/// Runs what has a bound: what is larger does not leave the page.
const BOUNDED: &str = include_str!("injected/bounded.js");
/// Runs what has none.
const FREE: &str = "async (plain, value, argument) => { if (typeof value === 'function') value = value(argument); \
    return plain(await value, text => text); }";
/// The longest message of an error that a page tells, in characters.
const LONGEST_MESSAGE: usize = 4096;

impl Inner {
    /// Evaluates an expression, or calls the function that it is, in the page's own world. With `most` an answer of more
    /// characters does not leave the page.
    pub async fn evaluate(
        &self,
        frame: &str,
        expression: &str,
        argument: Option<&Value>,
        most: Option<usize>,
    ) -> Result<Value, CallError> {
        let argument = argument.map_or_else(|| "undefined".to_owned(), literal);
        match most {
            Some(most) => Box::pin(self.evaluate_bounded(frame, expression, &argument, most)).await,
            None => Box::pin(self.evaluate_freely(frame, expression, &argument)).await,
        }
    }

    async fn evaluate_freely(&self, frame: &str, expression: &str, argument: &str) -> Result<Value, CallError> {
        let wrapped = format!("({FREE})({PLAIN},(\n{}\n),{argument})", expression_in(expression));
        let answer = self.run(frame, "", &wrapped).await?;
        let Some(exception) = answer.exception_details else { return Ok(answer.result.value) };
        // Only what never began to run may be run in another form: a `SyntaxError` may as well have been thrown by
        // `JSON.parse` in code that has done things by then.
        let is_statements = is_syntax_error(&exception)
            && self.misspelt(frame, &wrapped).await.is_ok_and(|fault| fault.is_some())
            && self.misspelt(frame, expression).await.is_ok_and(|fault| fault.is_none());
        if !is_statements {
            return Err(PageError::JavaScript(describe(&exception, LINES_BEFORE)).into());
        }
        let script = format!("({FREE})({PLAIN},{},{argument})", as_script(expression));
        let answer = self.run(frame, "", &script).await?;
        match answer.exception_details {
            None => Ok(answer.result.value),
            Some(exception) => Err(PageError::JavaScript(describe(&exception, 0)).into()),
        }
    }

    async fn evaluate_bounded(
        &self,
        frame: &str,
        expression: &str,
        argument: &str,
        most: usize,
    ) -> Result<Value, CallError> {
        let written = expression_in(expression);
        // Brackets of another kind than those that it is run in: what closes ours by itself, to stand beside the bound, is no
        // expression between these.
        let (code, lines_before) = match self.misspelt(frame, &format!("[(\n{written}\n)]")).await? {
            None => (format!("(\n{written}\n)"), BOUNDED_LINES_BEFORE),
            Some(_) if self.misspelt(frame, expression).await?.is_none() => (as_script(expression), 0),
            Some(fault) => return Err(PageError::JavaScript(describe(&fault, 1)).into()),
        };
        let source = format!("({BOUNDED})({PLAIN},{most},{argument},() => {code})");
        let answer = self.run(frame, "", &source).await?;
        match answer.exception_details {
            None => within(answer.result.value, most, lines_before),
            Some(exception) => Err(PageError::JavaScript(describe(&exception, lines_before)).into()),
        }
    }

    /// What is wrong with `source` as a script, told without running it.
    async fn misspelt(&self, frame: &str, source: &str) -> Result<Option<Exception>, CallError> {
        let world = self.world(frame, "").await?;
        let params = json!({
            "expression": source,
            "sourceURL": "",
            "persistScript": false,
            "executionContextId": world.context,
        });
        let compiled = world.cdp.call(rpc::<Compiled>("Runtime.compileScript", params)).await?;
        Ok(compiled.exception_details)
    }

    /// Calls `function` with `argument` in the isolated world `world`.
    pub async fn evaluate_isolated(
        &self,
        frame: &str,
        world: &str,
        function: &str,
        argument: &Value,
    ) -> Result<Value, CallError> {
        let expression = format!("({FREE})({PLAIN},(\n{function}\n),{})", literal(argument));
        let answer = self.run(frame, world, &expression).await?;
        match answer.exception_details {
            None => Ok(answer.result.value),
            Some(exception) => Err(PageError::JavaScript(describe(&exception, LINES_BEFORE)).into()),
        }
    }

    async fn run(&self, frame: &str, name: &str, expression: &str) -> Result<Evaluated, CallError> {
        let world = self.world(frame, name).await?;
        let params = json!({
            "expression": expression,
            "contextId": world.context,
            "awaitPromise": true,
            "returnByValue": true,
            // What runs in a world of ours, unasked, is nothing that the user did.
            "userGesture": name.is_empty(),
        });
        let sent = world.cdp.send(rpc::<Evaluated>("Runtime.evaluate", params));
        let lost = self.until(|tree| {
            let here = tree.get(frame).is_some_and(|node| node.worlds.get(name) == Some(&world.context));
            (!here).then_some(())
        });
        tokio::select! {
            biased;
            answer = sent => Ok(answer?),
            () = lost => Err(CallError::Lost),
        }
    }
}

/// What was answered under a bound. Nothing of it is taken on trust: it comes out of a page.
fn within(answer: Value, most: usize, lines_before: i64) -> Result<Value, CallError> {
    let Value::Object(mut told) = answer else {
        return Err(PageError::JavaScript("the page answered in place of what was run".to_owned()).into());
    };
    if told.get("over").is_some() {
        return Err(PageError::LargeResult { most }.into());
    }
    if let Some(Value::String(message)) = told.get("thrown") {
        let line = told.get("line").and_then(Value::as_i64).unwrap_or_default();
        return Err(PageError::JavaScript(placed(message, line - 1, lines_before)).into());
    }
    Ok(told.remove("value").unwrap_or_default())
}

/// What of it is an expression, if it is one.
fn expression_in(text: &str) -> &str {
    text.trim().trim_end_matches(';')
}

/// Statements (`let x = 1; x + 1`) are no expression: they run as a script, and the last value of it is theirs.
fn as_script(statements: &str) -> String {
    format!("(0,eval)({})", literal(&Value::from(statements)))
}

/// JSON is JavaScript once the two line separators that only JSON allows in strings are escaped.
fn literal(value: &Value) -> String {
    value.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Lines of ours before the script's first.
const LINES_BEFORE: i64 = PLAIN_LINES + 1;
const BOUNDED_LINES_BEFORE: i64 = count_lines(BOUNDED.as_bytes()) + LINES_BEFORE;
const PLAIN_LINES: i64 = count_lines(PLAIN.as_bytes());

const fn count_lines(text: &[u8]) -> i64 {
    let (mut lines, mut at) = (0, 0);
    while at < text.len() {
        if text[at] == b'\n' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

fn is_syntax_error(exception: &Exception) -> bool {
    let description = exception.exception.as_ref().and_then(|thrown| thrown.description.as_deref());
    description.is_some_and(|text| text.starts_with("SyntaxError"))
}

/// The error's message, and the line of the script where it was thrown.
pub(super) fn describe(exception: &Exception, lines_before: i64) -> String {
    let thrown = exception.exception.as_ref();
    let message = thrown.and_then(|thrown| match (&thrown.description, &thrown.value) {
        // The description of an error goes on with the stack, whose places mean nothing outside.
        (Some(text), _) => Some(text.split("\n    at ").next().unwrap_or(text).to_owned()),
        (None, Value::Null) => None,
        (None, Value::String(text)) => Some(text.clone()),
        (None, value) => Some(value.to_string()),
    });
    placed(&message.unwrap_or_else(|| exception.text.clone()), exception.line_number, lines_before)
}

/// A message of no more than is read, with its line: `line` counts from 0 and over `lines_before` of ours.
fn placed(message: &str, line: i64, lines_before: i64) -> String {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let line = line - lines_before + 1;
    if line > 0 && lines_before > 0 { format!("{message} (line {line})") } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_page_answers_is_taken_on_trust() {
        for answer in [json!("x"), json!(7), json!([1]), Value::Null, json!({"thrown": "x".repeat(10_000), "line": 3})]
        {
            let Err(CallError::Page(error)) = within(answer, 10, 1) else { panic!("no error") };
            assert_eq!(error.code(), "javascript_error");
            assert!(error.to_string().len() < 4_200);
        }
        assert_eq!(within(json!({"value": [1]}), 10, 1).ok(), Some(json!([1])));
    }
}
