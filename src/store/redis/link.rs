//! The connection: one for all operations, made when it is first needed and made again when it is lost.
//!
//! Not the crate's own manager: that keeps an attempt which the server refused (too many clients, a password that was being
//! changed) for ever, and goes on with a connection on which nothing is answered any more.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, ServerError, ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::base::Secret;

use super::super::{RedisUrl, StoreError};
use super::call::Call;
use super::failure::{of_answer, of_connection, unavailable};
use super::keys::{LAYOUT, LAYOUT_KEY};
use super::reply::Reply;

/// How long making a connection may take, TLS and the password included.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the server may take for an answer. Scripts take less than a millisecond, and a server that forks for its backup
/// stands still for some hundred.
const ANSWER: Duration = Duration::from_secs(5);
/// What the line has to carry at least, on top of that.
const BYTES_PER_SECOND: u64 = 1 << 20;

/// The way to one server.
pub(super) struct Link {
    client: Client,
    /// The server, for messages: never the password.
    place: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With its number.
    open: Option<(u64, MultiplexedConnection)>,
    /// How many there have been.
    made: u64,
    /// The last attempt that failed, and why: whoever waited for it has failed too.
    failed: Option<(Instant, String)>,
}

/// A connection in use.
struct Line {
    connection: MultiplexedConnection,
    number: u64,
    /// Whether it was open before this operation: then the server may have closed it at any time since.
    is_old: bool,
}

/// Why an operation got no answer.
enum Lost {
    /// The connection was closed; the operation may have happened.
    Dropped(RedisError),
    /// Anything else.
    Failed(StoreError),
}

impl Lost {
    fn into_store_error(self, place: &str) -> StoreError {
        match self {
            Self::Dropped(error) => of_connection(place, &error),
            Self::Failed(error) => error,
        }
    }
}

fn first_error(values: &[Value]) -> Option<&ServerError> {
    values.iter().find_map(|value| match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    })
}

impl Link {
    pub(super) fn new(url: &RedisUrl) -> Result<Self, StoreError> {
        let shown = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
        let place = format!("Redis at {shown}:{}", url.port);
        let mut own = RedisConnectionInfo::default()
            .set_db(i64::from(url.database))
            .set_protocol(ProtocolVersion::RESP2)
            .set_lib_name("rhaven", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &url.user {
            own = own.set_username(user);
        }
        if let Some(password) = url.password.as_ref().map(Secret::expose) {
            own = own.set_password(password);
        }
        let (host, port) = (url.host.clone(), url.port);
        let address = if url.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info = address.into_connection_info().map(|info| info.set_redis_settings(own));
        let client = info.and_then(Client::open).map_err(|error| of_connection(&place, &error))?;
        Ok(Self { client, place, state: Mutex::default() })
    }

    /// The server, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Connects now rather than with the first call.
    pub(super) async fn open(&self) -> Result<(), StoreError> {
        self.line().await.map(drop)
    }

    /// Sends what is to be sent in one go; the answer to its last command, which is no error. A call whose connection turns
    /// out to have been closed meanwhile is sent once more over a new one: all of them may be repeated.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, StoreError> {
        let (mut may_load, mut may_repeat) = (true, true);
        loop {
            let line = self.line().await?;
            may_repeat &= line.is_old;
            let values = match self.ask(line, call).await {
                Ok(values) => values,
                Err(Lost::Dropped(_)) if may_repeat => {
                    may_repeat = false;
                    continue;
                }
                Err(lost) => return Err(lost.into_store_error(&self.place)),
            };
            match first_error(&values) {
                None => return Ok(Reply::new(values.into_iter().last().unwrap_or_default(), &self.place)),
                // The server is new, or was started anew and has lost what it knew.
                Some(error) if error.kind() == Some(ServerErrorKind::NoScript) && may_load => {
                    may_load = false;
                    self.load().await?;
                }
                Some(error) => return Err(of_answer(&self.place, error)),
            }
        }
    }

    async fn load(&self) -> Result<(), StoreError> {
        let line = self.line().await?;
        let values = self.ask(line, &Call::load()).await.map_err(|lost| lost.into_store_error(&self.place))?;
        first_error(&values).map_or(Ok(()), |error| Err(of_answer(&self.place, error)))
    }

    /// The open connection, or a new one. Many that wait for the same attempt share its failure.
    async fn line(&self) -> Result<Line, StoreError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some((number, connection)) = &state.open {
            return Ok(Line { connection: connection.clone(), number: *number, is_old: true });
        }
        if let Some((_, told)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(unavailable(&self.place, told));
        }
        let late = |_| unavailable(&self.place, format!("no connection within {} s", CONNECT.as_secs()));
        let made = timeout(CONNECT, self.connect()).await.map_err(late).flatten();
        let connection = made.inspect_err(|error| {
            if let StoreError::Unavailable { source, .. } = error {
                state.failed = Some((Instant::now(), source.to_string()));
            }
        })?;
        state.made += 1;
        state.open = Some((state.made, connection.clone()));
        Ok(Line { connection, number: state.made, is_old: false })
    }

    async fn connect(&self) -> Result<MultiplexedConnection, StoreError> {
        // Limits of time are ours: an answer has more of it where much was sent.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = made.map_err(|error| of_connection(&self.place, &error))?;
        self.check_layout(&mut connection).await?;
        Ok(connection)
    }

    /// Whether this build knows the layout of what is there. Where nothing is, ours is entered.
    async fn check_layout(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let get = || Call::command("GET").arg(LAYOUT_KEY);
        let mut found = self.plain(connection, &get()).await?;
        if found == Value::Nil {
            let set = Call::command("SET").arg(LAYOUT_KEY).arg(LAYOUT.to_string()).arg("NX");
            self.plain(connection, &set).await?;
            found = self.plain(connection, &get()).await?;
        }
        let text = match &found {
            Value::BulkString(text) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        match text.and_then(|text| text.parse().ok()) {
            Some(LAYOUT) => Ok(()),
            Some(found) if found > LAYOUT => Err(StoreError::Layout { what: self.place.clone(), found, known: LAYOUT }),
            _ => {
                let reason = format!("{LAYOUT_KEY} holds no layout of Rhaven's");
                Err(StoreError::Corrupt { what: self.place.clone(), reason })
            }
        }
    }

    /// The answer to one command on a connection that nobody else uses yet.
    async fn plain(&self, connection: &mut MultiplexedConnection, call: &Call) -> Result<Value, StoreError> {
        let answers = connection.req_packed_commands(&call.pipeline, 0, call.count).await;
        let answers = answers.map_err(|error| of_connection(&self.place, &error))?;
        match first_error(&answers) {
            None => Ok(answers.into_iter().last().unwrap_or_default()),
            Some(error) => Err(of_answer(&self.place, error)),
        }
    }

    async fn ask(&self, mut line: Line, call: &Call) -> Result<Vec<Value>, Lost> {
        let size = u64::try_from(call.size).unwrap_or(u64::MAX);
        let patience = ANSWER + Duration::from_secs(size / BYTES_PER_SECOND);
        match timeout(patience, line.connection.req_packed_commands(&call.pipeline, 0, call.count)).await {
            Ok(Ok(values)) => Ok(values),
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.forget(line.number).await;
                Err(Lost::Dropped(error))
            }
            Ok(Err(error)) => Err(Lost::Failed(of_connection(&self.place, &error))),
            // Whether or not the server comes back, this connection may not.
            Err(_) => {
                self.forget(line.number).await;
                Err(Lost::Failed(unavailable(&self.place, format!("no answer within {} s", patience.as_secs()))))
            }
        }
    }

    /// Does not use a connection any more, unless another has taken its place.
    async fn forget(&self, number: u64) {
        let mut state = self.state.lock().await;
        state.open.take_if(|(open, _)| *open == number);
    }
}
