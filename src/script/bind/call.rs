//! One call of one of our functions: its receiver, its checked arguments, its deadline.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use super::{Answer, Verb, password};
use crate::base::{Deadline, Input, Secret, show_duration};
use crate::page::{Locator, Page, Selector};
use crate::script::cookies;
use crate::script::files;
use crate::script::kind::{self, Kind, found};
use crate::script::options::Options;
use crate::script::table::{Entry, Group, Param, Receiver};
use crate::script::{Event, Host, ScriptError, Stop, bridge, value};
use crate::session::Session;

/// How many characters of an argument a call trace shows.
const SHOWN: usize = 80;

/// A call whose arguments fit one of the function's shapes.
pub struct Call<'a> {
    /// The world of the script.
    pub host: &'a Arc<Host>,
    /// The engine's side of the call.
    pub context: &'a NativeCallContext<'a>,
    entry: &'static Entry,
    receiver: Option<Dynamic>,
    shape: &'static [Param],
    args: Vec<Dynamic>,
    options: Options,
}

impl<'a> Call<'a> {
    /// Finds the shape that the arguments fit, and checks them.
    pub fn new(
        host: &'a Arc<Host>,
        context: &'a NativeCallContext<'a>,
        entry: &'static Entry,
        mut args: Vec<Dynamic>,
    ) -> Result<Self, ScriptError> {
        let is_receiver = args.first().is_some_and(|first| {
            entry.receivers.iter().any(|receiver| match receiver {
                Receiver::Session => first.is::<Session>(),
                Receiver::Page => first.is::<Page>(),
            })
        });
        let receiver = is_receiver.then(|| args.remove(0));
        let shape = fitting_shape(entry, &args)?;
        let mut options = Options::default();
        for (param, arg) in shape.iter().zip(&args) {
            if param.kind == Kind::Options {
                let map = arg.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
                options = Options::new(map, entry.name, entry.options)?;
            } else if let Some(fault) = param.kind.fault(arg) {
                return Err(misfit(entry, param, &fault));
            }
        }
        Ok(Self { host, context, entry, receiver, shape, args, options })
    }

    /// Runs it: told before, paused after where the user wants to watch.
    pub fn run(&self, verb: Verb) -> Answer {
        if self.host.stop.reason().is_some() {
            return Err(bridge::terminated(self.host).into());
        }
        let asked = password::before(self)?;
        if self.entry.group != Group::Script {
            self.host.workspace.used();
        }
        if self.entry.group != Group::Script {
            self.host.tell(Event::Verb { call: self.shown(), line: self.context.call_position().line() });
        }
        let answer = verb(self);
        asked.after(self, answer.is_ok());
        if self.is_on_page() {
            self.host.tell_notices();
            if let (Some(pause), true) = (self.host.slow_mo, answer.is_ok()) {
                bridge::wait(self.host, tokio::time::sleep(pause))?;
            }
        }
        answer
    }

    /// The checked options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The argument by its name in the table.
    pub fn arg(&self, name: &str) -> Option<&Dynamic> {
        self.shape.iter().position(|param| param.name == name).and_then(|at| self.args.get(at))
    }

    /// A text argument; empty where it was not given.
    pub fn text(&self, name: &str) -> String {
        self.arg(name).map(kind::text).unwrap_or_default()
    }

    /// Text or a secret.
    pub fn input(&self, name: &str) -> Input {
        match self.arg(name).and_then(Dynamic::read_lock::<Secret>) {
            Some(secret) => Input::Secret(secret.clone()),
            // As a secret it is shown by its name alone, however short it is.
            None => self
                .host
                .redactor
                .secret_of(&self.text(name))
                .map_or_else(|| Input::Plain(self.text(name)), Input::Secret),
        }
    }

    /// Text that is about to be typed in clear.
    pub fn plain_input(&self) -> Option<String> {
        let typed = self.shape.iter().zip(&self.args).find(|(param, _)| param.kind == Kind::Input);
        typed.filter(|(_, arg)| arg.is_string()).map(|(_, arg)| kind::text(arg))
    }

    /// The deadline of this call: its `timeout`, or the default.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout())
    }

    /// How long this call may take.
    pub fn timeout(&self) -> Duration {
        self.options.time("timeout").unwrap_or_else(|| self.host.verb_timeout())
    }

    /// The session that the call is about.
    pub fn session(&self) -> Result<Session, Box<EvalAltResult>> {
        if let Some(session) = self.receiver.as_ref().and_then(Dynamic::read_lock::<Session>) {
            return Ok(session.latest());
        }
        self.wait(self.host.workspace.current())
    }

    /// The page that the call is about.
    pub fn page(&self) -> Result<Page, Box<EvalAltResult>> {
        if let Some(page) = self.receiver.as_ref().and_then(Dynamic::read_lock::<Page>) {
            return Ok(page.clone());
        }
        let session = self.session()?;
        self.wait(session.page())
    }

    /// The elements that the call is about.
    pub fn locator(&self) -> Result<Locator, Box<EvalAltResult>> {
        let selector = self.selector()?;
        Ok(self.page()?.locator(&selector))
    }

    /// The selector that the call names.
    pub fn selector(&self) -> Result<Selector, ScriptError> {
        let selector = Selector::parse(&self.text("selector"));
        selector.map_err(|error| ScriptError::new("invalid_selector", error.to_string()))
    }

    /// Waits for `work`, whose failure becomes an error of the script.
    pub fn wait<T, E: Into<ScriptError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Box<EvalAltResult>> {
        Ok(bridge::wait(self.host, work)?.map_err(Into::into)?)
    }

    /// As [`Self::wait`], for work that knows no deadline of its own.
    pub fn wait_until<T, E: Into<ScriptError>>(
        &self,
        deadline: Deadline,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Box<EvalAltResult>> {
        let late = || {
            let message = format!("timeout of {} in {}", show_duration(deadline.span()), self.entry.name);
            ScriptError::new("timeout", message)
        };
        let done = bridge::wait(self.host, deadline.race(work))?;
        Ok(done.ok_or_else(late)?.map_err(Into::into)?)
    }

    /// Ends the script in a way that it cannot catch.
    pub fn stop(&self, reason: Stop) -> EvalAltResult {
        self.host.stop.stop(reason);
        bridge::terminated(self.host)
    }

    fn known_secret(&self, value: &Dynamic) -> Option<Secret> {
        value.is_string().then(|| self.host.redactor.secret_of(&kind::text(value))).flatten()
    }

    fn is_on_page(&self) -> bool {
        self.entry.receivers.contains(&Receiver::Page) || self.entry.name == "session"
    }

    /// `click("#go")`, for `-v`. Secrets by name.
    fn shown(&self) -> String {
        let known = |value: &Dynamic| value.read_lock::<Secret>().map(|secret| secret.clone());
        let show = |value: &Dynamic| match known(value).or_else(|| self.known_secret(value)) {
            Some(secret) => format!("{secret:?}"),
            None if value.is_string() => format!("{:?}", kind::text(value)),
            None => value::to_json(value).map_or_else(|_| "..".to_owned(), |value| value.to_string()),
        };
        let cut = |text: String| match text.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{}..", text.get(..at).unwrap_or_default()),
            None => text,
        };
        let args = self.shape.iter().zip(&self.args).map(|(param, arg)| match param.kind {
            Kind::Cookies => cookies::shown(arg),
            Kind::Files => files::shown(arg),
            // Values of cookies and storages are in it.
            Kind::State => "..".to_owned(),
            _ => show(arg),
        });
        let args: Vec<String> = args.map(|arg| cut(self.host.redactor.redact(&arg))).collect();
        format!("{}({})", self.entry.name, args.join(", "))
    }
}

/// The first shape with this many parameters whose types fit; the error names the argument that does not.
fn fitting_shape(entry: &'static Entry, args: &[Dynamic]) -> Result<&'static [Param], ScriptError> {
    let of_length: Vec<&'static [Param]> =
        entry.shapes.iter().copied().filter(|shape| shape.len() == args.len()).collect();
    let fits = |shape: &[Param]| shape.iter().zip(args).all(|(param, arg)| param.kind.takes(arg));
    if let Some(shape) = of_length.iter().find(|shape| fits(shape)) {
        return Ok(shape);
    }
    match of_length.as_slice() {
        [only] => {
            let wrong = only.iter().zip(args).find(|(param, arg)| !param.kind.takes(arg));
            let fault = wrong.and_then(|(param, arg)| Some(misfit(entry, param, &param.kind.fault(arg)?)));
            Err(fault.unwrap_or_else(|| wrong_arguments(entry, args)))
        }
        _ => Err(wrong_arguments(entry, args)),
    }
}

fn misfit(entry: &Entry, param: &Param, fault: &ScriptError) -> ScriptError {
    let hint = fault.parts().hint.clone();
    ScriptError::new(fault.parts().code.clone(), format!("{}, {}: {}", entry.name, param.name, fault.parts().message))
        .with_hint(hint.unwrap_or_else(|| format!("the ways to call it: {}", entry.signatures().join("  "))))
}

fn wrong_arguments(entry: &Entry, args: &[Dynamic]) -> ScriptError {
    let given = args.iter().map(found).collect::<Vec<_>>().join(", ");
    ScriptError::new("invalid_argument", format!("{} does not take ({given})", entry.name))
        .with_hint(format!("the ways to call it: {}", entry.signatures().join("  ")))
}
