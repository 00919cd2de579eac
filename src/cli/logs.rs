//! What a server tells while it serves: lines on stderr, as text or JSON. Only what this program itself says: libraries below would
//! tell addresses.

use std::fmt::{self, Write as _};

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::terminal::{Loudness, Terminal};

/// How a line is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Names and values, for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The field that names a request or job.
const ID: &str = "id";

/// From now on events are written. Called once.
pub(super) fn begin(format: LogFormat, terminal: &Terminal) {
    let level = match terminal.loudness {
        Loudness::Quiet => "warn",
        Loudness::Normal => "info",
        Loudness::Verbose => "debug",
    };
    // Where there is one already, it goes on.
    let _ = tracing::subscriber::set_global_default(subscriber(format, level, std::io::stderr));
}

fn subscriber<W>(format: LogFormat, level: &str, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("rhaven={level}")))
        .with_writer(writer)
        .fmt_fields(debug_fn(|writer, field, value| match field.name() {
            ID => write!(writer, "{value:?}"),
            _ => Ok(()),
        }))
        .event_format(Lines(format))
        .finish()
}

/// Writes an event as a line.
struct Lines(LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // What says so itself is named by that.
        if !fields.others.contains_key(ID)
            && let Some(id) = id_around(context)
        {
            fields.others.insert(ID.to_owned(), id.into());
        }
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let level = event.metadata().level().as_str().to_lowercase();
        writeln!(writer, "{}", line(self.0, &time, &level, fields))
    }
}

/// The id of the request or job in whose course something is told.
fn id_around<S, N>(context: &FmtContext<'_, S, N>) -> Option<String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let of = |span: SpanRef<'_, S>| {
        let extensions = span.extensions();
        let id = extensions.get::<FormattedFields<N>>()?.fields.trim_matches('"').to_owned();
        (!id.is_empty()).then_some(id)
    };
    context.event_scope()?.find_map(of)
}

fn line(format: LogFormat, time: &str, level: &str, fields: Fields) -> String {
    match format {
        LogFormat::Json => {
            let mut line = Map::new();
            line.insert("time".to_owned(), time.into());
            line.insert("level".to_owned(), level.into());
            line.insert("message".to_owned(), fields.message.into());
            line.extend(fields.others);
            Value::Object(line).to_string()
        }
        LogFormat::Text => {
            let mut line = format!("{time} {level:5} {}", crate::diagnose::visible_line(&fields.message));
            for (name, value) in fields.others {
                let text = value.as_str().map_or_else(|| value.to_string(), plain);
                // Writing to a String cannot fail.
                let _ = write!(line, " {name}={text}");
            }
            line
        }
    }
}

/// A text as it is where nobody could take it for more than one.
fn plain(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|char| char.is_ascii_graphic() && !"\"=".contains(char));
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", value) => self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            // What is not known is left out.
            (_, Value::String(text)) if text.is_empty() => {}
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_the_course_of_a_request_has_its_id() {
        let written = tempfile::NamedTempFile::new().unwrap();
        let file = written.reopen().unwrap();
        let told = subscriber(LogFormat::Json, "warn", std::sync::Mutex::new(file));
        tracing::subscriber::with_default(told, || {
            let _in_it = tracing::error_span!("work", id = "req_1").entered();
            tracing::warn!(code = "store_unavailable", "told to a client in short");
            tracing::warn!(id = "job_2", "of another");
        });
        let lines = std::fs::read_to_string(written.path()).unwrap();
        let ids = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone());
        assert_eq!(ids.collect::<Vec<_>>(), ["req_1", "job_2"], "{lines}");
    }

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        let fields = || Fields {
            message: "request".to_owned(),
            others: [
                ("route".to_owned(), "/v1/run".into()),
                ("status".to_owned(), 200.into()),
                ("who".to_owned(), "a b\n".into()),
            ]
            .into_iter()
            .collect(),
        };
        let text = line(LogFormat::Text, "T", "info", fields());
        assert_eq!(text, r#"T info  request route=/v1/run status=200 who="a b\n""#);
        let json = line(LogFormat::Json, "T", "info", fields());
        let wanted = r#"{"time":"T","level":"info","message":"request","route":"/v1/run","status":200,"who":"a b\n"}"#;
        assert_eq!(json, wanted);
    }
}
