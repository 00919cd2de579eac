//! The way to the endpoint and back: one question, and one more where the answer is no JSON.

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{Llm, LlmError};
use crate::base::{Deadline, Redactor};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;

impl Llm {
    /// The JSON object that the model answers.
    pub(super) async fn ask(
        &self,
        messages: Vec<Value>,
        redactor: &Redactor,
        deadline: Deadline,
    ) -> Result<Map<String, Value>, LlmError> {
        let work = Box::pin(self.twice(messages, redactor));
        deadline.race(work).await.unwrap_or(Err(LlmError::Timeout(deadline.span())))
    }

    async fn twice(&self, mut messages: Vec<Value>, redactor: &Redactor) -> Result<Map<String, Value>, LlmError> {
        let mut as_json = true;
        let mut answers = 0;
        loop {
            let text = match self.once(&messages, as_json, redactor).await {
                // Not every endpoint knows `response_format`.
                Err(Refused { status: Some(400 | 422), .. }) if as_json => {
                    as_json = false;
                    continue;
                }
                Err(refused) => return Err(LlmError::Unavailable(refused.reason)),
                Ok(text) => text,
            };
            if let Some(map) = object(&text) {
                return Ok(map);
            }
            answers += 1;
            if answers == 2 {
                return Err(LlmError::Answer("the language model answered twice, but with no JSON object".into()));
            }
            messages.push(json!({"role": "assistant", "content": text}));
            messages.push(json!({"role": "user", "content": "That is not one JSON object. Answer again, with the JSON object alone."}));
        }
    }

    async fn once(&self, messages: &[Value], as_json: bool, redactor: &Redactor) -> Result<String, Refused> {
        let mut body = json!({"model": self.config.model, "messages": messages, "temperature": 0, "stream": false});
        if as_json {
            body["response_format"] = json!({"type": "json_object"});
        }
        let mut request = self.client.post(self.config.endpoint.clone()).json(&body);
        if let Some(key) = &self.config.key {
            request = request.bearer_auth(key.expose());
        }
        let host = self.config.endpoint.host_str().unwrap_or_default().to_owned();
        let unreachable = |error: reqwest::Error| Refused {
            status: None,
            // Addresses may have credentials in them.
            reason: redactor.redact(&format!(
                "the language model at {host} cannot be reached: {}",
                crate::base::with_causes(&error.without_url())
            )),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut read: Vec<u8> = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            read.extend_from_slice(&piece.map_err(unreachable)?);
            if read.len() > MAX_ANSWER {
                let reason = format!("the language model at {host} answered more than {} MiB", MAX_ANSWER >> 20);
                return Err(Refused { status: None, reason });
            }
        }
        let answer: Value = serde_json::from_slice(&read).unwrap_or(Value::Null);
        if !status.is_success() {
            return Err(refusal(&host, status, &answer, redactor));
        }
        match &answer["choices"][0]["message"]["content"] {
            Value::String(text) => Ok(text.clone()),
            _ => Err(Refused { status: None, reason: format!("{host} does not answer as chat completions do") }),
        }
    }
}

/// Why there is no answer, and the status that said so.
struct Refused {
    status: Option<u16>,
    reason: String,
}

fn refusal(host: &str, status: StatusCode, answer: &Value, redactor: &Redactor) -> Refused {
    let said = answer["error"]["message"].as_str().or(answer["message"].as_str()).unwrap_or_default();
    let said: String = redactor.redact(said).chars().filter(|c| !c.is_control()).take(200).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Refused {
        status: Some(status.as_u16()),
        reason: format!("the language model at {host} answered {}{said}", status.as_u16()),
    }
}

/// The JSON object in a text, which may stand in a fence or between words.
fn object(text: &str) -> Option<Map<String, Value>> {
    let whole = || serde_json::from_str(text.trim()).ok();
    let within = || {
        let (from, to) = (text.find('{')?, text.rfind('}')?);
        serde_json::from_str(text.get(from..=to)?).ok()
    };
    whole().or_else(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_in_what_is_around_it() {
        for text in ["{\"a\":1}", "```json\n{\"a\":1}\n```", "Here it is: {\"a\":1}. Bye."] {
            assert_eq!(object(text), Some(Map::from_iter([("a".to_owned(), 1.into())])), "{text}");
        }
        assert_eq!(object("[1]"), None);
        assert_eq!(object("} {"), None);
    }
}
