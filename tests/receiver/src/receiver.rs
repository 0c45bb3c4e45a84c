//! The receiver itself: one thread that accepts, one thread for each connection.
//!
//! ```text
//! accept ─▶ connection thread ─▶ read ─▶ keep and choose the answer (one lock) ─▶ wait at the gate ─▶ write
//! ```

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    io::BufReader,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    thread::JoinHandle,
    time::Duration,
};

use crate::{Answer, Request, answer::Ending, http};

/// An HTTP target on a free port of the loopback interface.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// What was waited for did not come in time.
#[derive(Debug)]
pub struct TimedOut {
    /// What had arrived by then.
    pub requests: Vec<Request>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    plans: HashMap<String, Plan>,
    /// Counts starts and stops: a connection of an earlier one keeps nothing any more.
    generation: u64,
    is_up: bool,
    /// Of this generation, so that a stop can end them. The key is the connection's number.
    connections: HashMap<u64, TcpStream>,
    connections_seen: u64,
}

/// What a path answers.
#[derive(Default)]
struct Plan {
    next: VecDeque<Answer>,
    afterwards: Answer,
}

impl Receiver {
    /// Starts on a free port. Every path answers 200 until it is told otherwise.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let receiver = Self {
            address: listener.local_addr()?,
            shared: Arc::new(Shared::default()),
            accepting: Mutex::new(None),
        };
        receiver.accept(listener)?;
        Ok(receiver)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Queues answers for a path, one for each coming request; after the last, the path's usual answer.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().plans.entry(path.to_owned()).or_default().next.extend(answers);
    }

    /// Sets a path's usual answer, and forgets what was still queued for it.
    pub fn always(&self, path: &str, answer: Answer) {
        let plan = Plan { next: VecDeque::new(), afterwards: answer };
        self.shared.lock().plans.insert(path.to_owned(), plan);
    }

    /// Everything that arrived, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// What arrived on one path, in order.
    pub fn requests_to(&self, path: &str) -> Vec<Request> {
        self.shared.lock().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// Forgets what arrived so far.
    pub fn forget(&self) {
        self.shared.lock().requests.clear();
    }

    /// Waits until `is_enough` says yes to everything that arrived, and returns that. Asked anew on each arrival.
    pub fn wait_for(
        &self,
        timeout: Duration,
        mut is_enough: impl FnMut(&[Request]) -> bool,
    ) -> Result<Vec<Request>, TimedOut> {
        let state = self.shared.lock();
        let (state, waited) = self
            .shared
            .arrived
            .wait_timeout_while(state, timeout, |state| !is_enough(&state.requests))
            .unwrap_or_else(PoisonError::into_inner);
        let requests = state.requests.clone();
        if waited.timed_out() { Err(TimedOut { requests }) } else { Ok(requests) }
    }

    /// Waits until at least `count` requests have arrived on a path, and returns them.
    pub fn wait_for_count(
        &self,
        path: &str,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Request>, TimedOut> {
        let on_path =
            |requests: &[Request]| requests.iter().filter(|request| request.path == path).count();
        let mut requests = self.wait_for(timeout, |requests| on_path(requests) >= count)?;
        requests.retain(|request| request.path == path);
        Ok(requests)
    }

    /// Goes down: connections end, new ones are refused. What arrived and what was planned stays.
    pub fn stop(&self) {
        let Some(thread) = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take()
        else {
            return;
        };
        {
            let mut state = self.shared.lock();
            state.is_up = false;
            state.generation += 1;
            for (_, stream) in state.connections.drain() {
                stream.shutdown(Shutdown::Both).ok(); // it may have ended by itself
            }
        }
        // The accepting thread sits in `accept`; a connection wakes it, and it sees that it is over.
        TcpStream::connect(self.address).ok();
        thread.join().ok();
    }

    /// Comes up again on the same port.
    pub fn restart(&self) -> io::Result<()> {
        self.stop();
        self.accept(TcpListener::bind(self.address)?)
    }

    fn accept(&self, listener: TcpListener) -> io::Result<()> {
        let generation = {
            let mut state = self.shared.lock();
            state.is_up = true;
            state.generation
        };
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let Some(number) = shared.register(generation, &stream) else { return };
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A broken connection is the client's way to say that it has had enough.
                    shared.converse(generation, &stream).ok();
                    stream.shutdown(Shutdown::Both).ok();
                    shared.lock().connections.remove(&number);
                });
            }
        })?;
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when this generation is over.
    fn register(&self, generation: u64, stream: &TcpStream) -> Option<u64> {
        let mut state = self.lock();
        if !state.is_up || state.generation != generation {
            return None;
        }
        state.connections_seen += 1;
        let number = state.connections_seen;
        if let Ok(stream) = stream.try_clone() {
            state.connections.insert(number, stream);
        }
        Some(number)
    }

    fn converse(&self, generation: u64, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(request) = http::read_request(&mut reader, &mut writer)? {
            let is_last = http::wants_close(&request);
            let Some(answer) = self.keep(generation, request) else { return Ok(()) };
            if let Some(gate) = &answer.gate {
                gate.pass();
            }
            if answer.ending == Ending::Instead {
                return Ok(());
            }
            http::write_answer(&mut writer, &answer)?;
            if is_last || answer.ending == Ending::ClosedAfter {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Keeps a request and chooses its answer; `None` when the receiver has gone down meanwhile.
    fn keep(&self, generation: u64, mut request: Request) -> Option<Answer> {
        let mut state = self.lock();
        if state.generation != generation {
            return None;
        }
        let answer = match state.plans.get_mut(&request.path) {
            Some(plan) => plan.next.pop_front().unwrap_or_else(|| plan.afterwards.clone()),
            None => Answer::default(),
        };
        request.order = state.requests.last().map_or(0, |last| last.order + 1);
        request.answered = answer.status;
        state.requests.push(request);
        self.arrived.notify_all();
        Some(answer)
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "not in time; {} requests had arrived:", self.requests.len())?;
        for request in &self.requests {
            write!(
                out,
                "\n  {} {} {} -> {}",
                request.order, request.method, request.path, request.answered
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for TimedOut {}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::Gate;

    const LONG: Duration = Duration::from_secs(30);

    struct Client {
        stream: BufReader<TcpStream>,
    }

    impl Client {
        fn connect(receiver: &Receiver) -> Self {
            Self { stream: BufReader::new(TcpStream::connect(receiver.address()).unwrap()) }
        }

        fn send(&mut self, path: &str, body: &str) {
            let request =
                format!("POST {path} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        }

        /// The head of the answer; its body has to be empty.
        fn answer(&mut self) -> String {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                let mut byte = [0];
                if self.stream.read(&mut byte).unwrap_or(0) == 0 {
                    return head;
                }
                head.push(char::from(byte[0]));
            }
            head
        }

        fn post(&mut self, path: &str, body: &str) -> String {
            self.send(path, body);
            self.answer()
        }
    }

    #[test]
    fn one_connection_carries_many_requests_and_their_order_is_kept() {
        let receiver = Receiver::start().unwrap();
        let mut client = Client::connect(&receiver);
        for number in 0..3 {
            assert!(client.post("/a", &number.to_string()).starts_with("HTTP/1.1 200 OK\r\n"));
        }
        let bodies: Vec<String> = receiver.requests_to("/a").iter().map(Request::text).collect();
        assert_eq!(bodies, ["0", "1", "2"]);
        assert_eq!(
            receiver.requests().iter().map(|request| request.order).collect::<Vec<_>>(),
            [0, 1, 2]
        );
    }

    #[test]
    fn a_script_is_answered_once_and_only_on_its_path() {
        let receiver = Receiver::start().unwrap();
        receiver.script("/a", [Answer::status(503).retry_after_seconds(7), Answer::status(429)]);
        let mut client = Client::connect(&receiver);
        assert!(client.post("/b", "").contains(" 200 "));
        let refusal = client.post("/a", "");
        assert!(refusal.contains(" 503 ") && refusal.contains("retry-after: 7\r\n"), "{refusal}");
        assert!(client.post("/a", "").contains(" 429 "));
        assert!(client.post("/a", "").contains(" 200 "));
        let answered: Vec<u16> =
            receiver.requests_to("/a").iter().map(|request| request.answered).collect();
        assert_eq!(answered, [503, 429, 200]);
        receiver.always("/a", Answer::status(400));
        assert!(client.post("/a", "").contains(" 400 "));
        assert!(client.post("/a", "").contains(" 400 "));
    }

    #[test]
    fn an_answer_waits_behind_its_gate_though_the_request_is_kept() {
        let receiver = Receiver::start().unwrap();
        let gate = Gate::shut();
        receiver.script("/slow", [Answer::default().behind(&gate)]);
        let mut slow = Client::connect(&receiver);
        slow.send("/slow", "");
        receiver.wait_for_count("/slow", 1, LONG).unwrap();
        assert!(
            Client::connect(&receiver).post("/fast", "").contains(" 200 "),
            "others pass meanwhile"
        );
        gate.open();
        assert!(slow.answer().contains(" 200 "));
    }

    #[test]
    fn it_hangs_up_and_closes_when_told_to() {
        let receiver = Receiver::start().unwrap();
        receiver.script("/a", [Answer::hang_up(), Answer::status(200).then_close()]);
        assert_eq!(Client::connect(&receiver).post("/a", "x"), "");
        let mut client = Client::connect(&receiver);
        assert!(client.post("/a", "x").contains("connection: close\r\n"));
        assert_eq!(client.answer(), "", "the connection has ended");
        assert_eq!(receiver.requests().len(), 2);
    }

    #[test]
    fn after_a_stop_it_refuses_and_after_a_restart_it_serves_on_the_same_port() {
        let receiver = Receiver::start().unwrap();
        let mut client = Client::connect(&receiver);
        client.post("/a", "1");
        receiver.stop();
        assert_eq!(client.answer(), "", "the open connection has ended");
        assert!(TcpStream::connect(receiver.address()).is_err());
        receiver.restart().unwrap();
        Client::connect(&receiver).post("/a", "2");
        let bodies: Vec<String> = receiver.requests().iter().map(Request::text).collect();
        assert_eq!(bodies, ["1", "2"]);
    }

    #[test]
    fn waiting_in_vain_says_what_had_arrived() {
        let receiver = Receiver::start().unwrap();
        Client::connect(&receiver).post("/a", "");
        let error = receiver.wait_for(Duration::ZERO, |_| false).unwrap_err();
        assert_eq!(error.to_string(), "not in time; 1 requests had arrived:\n  0 POST /a -> 200");
    }

    #[test]
    fn a_stop_does_not_wait_for_a_shut_gate() {
        let receiver = Receiver::start().unwrap();
        receiver.always("/slow", Answer::default().behind(&Gate::shut()));
        let mut slow = Client::connect(&receiver);
        slow.send("/slow", "");
        receiver.wait_for_count("/slow", 1, LONG).unwrap();
        receiver.stop();
        assert_eq!(slow.answer(), "");
    }
}
