//! Running JavaScript that a script brought, in the page's own world or in a named isolated one.

use serde_json::{Value, json};

use super::PageError;
use super::inner::Inner;
use super::rpc::{Compiled, Evaluated, Exception, rpc};
use super::world::CallError;

/// Turns what came out into plain data: pages may have replaced `JSON` or `toJSON`, and cycles are no reason to fail.
const PLAIN: &str = include_str!("injected/plain.js");

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
        let argument = most.map_or(argument.clone(), |most| format!("{argument},{most}"));
        let wrapped =
            format!("({PLAIN})((\n{expression}\n),{argument})", expression = expression.trim().trim_end_matches(';'));
        let answer = self.run(frame, "", &wrapped).await?;
        let Some(exception) = answer.exception_details else { return within(answer.result.value, most) };
        // Only what never began to run may be run in another form: a `SyntaxError` may as well have been thrown by
        // `JSON.parse` in code that has done things by then.
        let is_statements = is_syntax_error(&exception)
            && self.compiles(frame, &wrapped).await == Some(false)
            && self.compiles(frame, expression).await == Some(true);
        if !is_statements {
            return Err(PageError::JavaScript(describe(&exception, LINES_BEFORE)).into());
        }
        // Statements (`let x = 1; x + 1`) are no expression: run them as a script and take its last value.
        let source = literal(&Value::from(expression));
        let script = format!("({PLAIN})((0,eval)({source}),{argument})");
        let answer = self.run(frame, "", &script).await?;
        match answer.exception_details {
            None => within(answer.result.value, most),
            Some(exception) => Err(PageError::JavaScript(describe(&exception, 0)).into()),
        }
    }

    /// Whether `source` is a script, told without running it. None where nobody can say any more.
    async fn compiles(&self, frame: &str, source: &str) -> Option<bool> {
        let world = self.world(frame, "").await.ok()?;
        let params = json!({
            "expression": source,
            "sourceURL": "",
            "persistScript": false,
            "executionContextId": world.context,
        });
        let compiled = world.cdp.call(rpc::<Compiled>("Runtime.compileScript", params)).await.ok()?;
        Some(compiled.exception_details.is_none())
    }

    /// Calls `function` with `argument` in the isolated world `world`.
    pub async fn evaluate_isolated(
        &self,
        frame: &str,
        world: &str,
        function: &str,
        argument: &Value,
    ) -> Result<Value, CallError> {
        let expression = format!("({PLAIN})((\n{function}\n),{})", literal(argument));
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

/// What was answered under a bound, if there was one.
fn within(answer: Value, most: Option<usize>) -> Result<Value, CallError> {
    let Some(most) = most else { return Ok(answer) };
    // The page's own world made it, so it may be anything: a page can give every object a `then`.
    let Value::Object(mut told) = answer else { return Ok(Value::Null) };
    if told.get("over") == Some(&Value::Bool(true)) {
        return Err(PageError::LargeResult { most }.into());
    }
    Ok(told.remove("value").unwrap_or_default())
}

/// JSON is JavaScript once the two line separators that only JSON allows in strings are escaped.
fn literal(value: &Value) -> String {
    value.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Lines of ours before the script's first.
const LINES_BEFORE: i64 = PLAIN_LINES + 1;
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
    let message = message.unwrap_or_else(|| exception.text.clone());
    let line = exception.line_number - lines_before + 1;
    if line > 0 && lines_before > 0 { format!("{message} (line {line})") } else { message }
}
