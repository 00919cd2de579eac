//! A TCP relay in front of a server, which counts round trips and can swallow what goes either way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A relay; it ends with the test's process.
pub struct Relay {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    swallows: AtomicBool,
    /// Whether the last bytes came from the server.
    answered: AtomicBool,
    round_trips: AtomicUsize,
    connections: AtomicUsize,
}

impl Relay {
    /// In front of a port of this machine.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { answered: AtomicBool::new(true), ..State::default() });
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                own.connections.fetch_add(1, Ordering::SeqCst);
                pass(&client, &server, &own, true);
                pass(&server, &client, &own, false);
            }
        });
        Self { port, state }
    }

    /// From now on nothing arrives any more, on connections that stay open; or it does again.
    pub fn swallow(&self, swallows: bool) {
        self.state.swallows.store(swallows, Ordering::SeqCst);
    }

    /// How often something was said after an answer.
    pub fn round_trips(&self) -> usize {
        self.state.round_trips.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

fn pass(from: &TcpStream, to: &TcpStream, state: &Arc<State>, is_client: bool) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if state.swallows.load(Ordering::SeqCst) {
                continue;
            }
            if state.answered.swap(!is_client, Ordering::SeqCst) && is_client {
                state.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}
