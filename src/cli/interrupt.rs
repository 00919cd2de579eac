//! Ctrl-C and SIGTERM: the first asks a run to end well, the second does not wait. For what talks to a person also the end of
//! the terminal.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::repl;

/// The exit code of what such a signal ended.
pub(super) const INTERRUPTED: u8 = 130;

/// The signals, caught from the moment this is made.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    /// Whether the end of the terminal is known.
    hung_up: bool,
}

impl Interrupts {
    /// Begins to catch Ctrl-C and SIGTERM. Fails where the system refuses to.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: None,
            hung_up: false,
        })
    }

    /// As [`Self::catch`], and SIGHUP too. Not for what may have been started with `nohup`.
    pub fn catch_all() -> io::Result<Self> {
        let mut interrupts = Self::catch()?;
        interrupts.catch_hangup()?;
        Ok(interrupts)
    }

    /// Catches SIGHUP, too, from here on: somebody sits at the terminal.
    pub fn catch_hangup(&mut self) -> io::Result<()> {
        if self.hangup.is_none() {
            self.hangup = Some(signal(SignalKind::hangup())?);
        }
        Ok(())
    }

    /// The terminal is gone, or soon will be: its end, which a shell and the system both tell of, is told no more. It must not
    /// pass for somebody who asks a second time.
    pub fn know_hangup(&mut self) {
        self.hung_up = true;
    }

    /// Waits for the next of any.
    pub async fn next(&mut self) {
        self.which().await;
    }

    /// Waits for the next of any, and says what it means to a conversation.
    pub async fn which(&mut self) -> repl::Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) if !self.hung_up => hangup.recv().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = self.interrupt.recv() => repl::Signal::Interrupt,
            Some(()) = self.terminate.recv() => repl::Signal::Terminate,
            Some(()) = hangup => {
                self.know_hangup();
                repl::Signal::Terminate
            }
            else => std::future::pending().await,
        }
    }
}
