//! The address to listen on: free, ours, or somebody else's.

use std::io;
use std::net::{IpAddr, TcpListener};

use super::check::Check;
use super::process::Process;
use super::router::Heard;

const ABOUT: &str = "address";

pub(super) struct Port {
    address: String,
    bound: Bound,
}

enum Bound {
    Free,
    InUse(Option<Process>),
    Impossible(String),
}

/// What to ask a router at that listens there.
pub(super) fn url(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let host = match host {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    (port != "0").then(|| format!("http://{host}:{port}"))
}

pub(super) fn look(address: &str) -> Port {
    let bound = match TcpListener::bind(address) {
        Ok(_socket) => Bound::Free,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            Bound::InUse(port.and_then(Process::on_port))
        }
        Err(error) => Bound::Impossible(error.to_string()),
    };
    Port { address: address.to_owned(), bound }
}

pub(super) fn judge(port: &Port, heard: &Heard) -> Vec<Check> {
    let Port { address, bound } = port;
    let first = match (bound, heard) {
        (Bound::Free, _) => Check::ok(ABOUT, format!("{address} is free")),
        (Bound::InUse(_), heard) if url(address).is_some_and(|url| heard.is_router_at(&url)) => {
            Check::ok(ABOUT, format!("a router listens on {address}"))
        }
        (Bound::InUse(Some(holder)), _) if holder.is_ours() => {
            Check::ok(ABOUT, format!("{holder} listens on {address}"))
        }
        (Bound::InUse(holder), _) => {
            let who =
                holder.as_ref().map_or_else(|| "another process".to_owned(), Process::to_string);
            Check::problem(
                ABOUT,
                format!("{who} has {address}, and is no router"),
                "stop it, or start with another address: `slipswitch serve --listen 127.0.0.1:PORT`",
            )
        }
        (Bound::Impossible(reason), _) => Check::problem(
            ABOUT,
            format!("nobody can listen on {address}: {reason}"),
            "name an address of this machine, with a port from 1024: `slipswitch serve --listen 127.0.0.1:4587`",
        ),
    };
    let open = (!is_loopback(address)).then(|| {
        Check::warning(
            "reachable",
            format!(
                "{address} can be reached from other machines, and a router has no authentication"
            ),
            "listen on 127.0.0.1 behind a proxy that asks who it is, or let a firewall do so",
        )
    });
    [Some(first), open].into_iter().flatten().collect()
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn an_address_is_free_ours_or_a_problem() {
        let ours = |url: &str| Heard::Router {
            url: url.to_owned(),
            version: "0.1.0".to_owned(),
            not_ready: None,
            behind_ms: None,
            last_error: None,
        };
        let nobody = Heard::Nobody { url: "http://127.0.0.1:80".to_owned(), is_named: false };
        let process = |name: &str| Some(Process { pid: 7, name: name.to_owned() });
        let cases = [
            (Bound::Free, &nobody, State::Ok, "is free"),
            (Bound::InUse(None), &ours("http://127.0.0.1:80"), State::Ok, "a router listens"),
            (Bound::InUse(process("slipswitch")), &nobody, State::Ok, "slipswitch (process 7)"),
            (Bound::InUse(process("nginx")), &nobody, State::Problem, "nginx (process 7) has"),
            (Bound::InUse(None), &ours("http://10.0.0.1:80"), State::Problem, "another process"),
            (Bound::Impossible("no".to_owned()), &nobody, State::Problem, "nobody can listen"),
        ];
        for (bound, heard, state, says) in cases {
            let port = Port { address: "127.0.0.1:80".to_owned(), bound };
            let [check] = judge(&port, heard).try_into().unwrap();
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(says), "{check:?}");
            assert_eq!(check.mend.is_none(), state == State::Ok, "{check:?}");
        }
    }

    #[test]
    fn who_listens_for_everybody_is_warned() {
        for (address, is_warned) in [
            ("127.0.0.1:1", false),
            ("localhost:1", false),
            ("[::1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("router.example:1", true),
        ] {
            let nobody = Heard::Nobody { url: String::new(), is_named: false };
            let port = Port { address: address.to_owned(), bound: Bound::Free };
            assert_eq!(judge(&port, &nobody).len() == 2, is_warned, "{address}");
        }
        assert_eq!(url("0.0.0.0:4587").as_deref(), Some("http://127.0.0.1:4587"));
        assert_eq!(url("127.0.0.1:0"), None);
    }

    #[test]
    fn a_port_in_use_is_told_from_a_free_one() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        assert!(matches!(look(&address).bound, Bound::InUse(_)));
        drop(socket);
        assert!(matches!(look(&address).bound, Bound::Free));
        assert!(matches!(look("192.0.2.1:4587").bound, Bound::Impossible(_)));
    }
}
