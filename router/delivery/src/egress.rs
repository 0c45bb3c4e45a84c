//! Where requests to HTTP targets may go.
//!
//! Who writes a rule names a URL, and the router connects to it from inside a network. Without a guard a rule could
//! have it ask the cloud's metadata service for credentials, or reach what only this machine can reach.
//!
//! # Invariants
//!
//! - It is the address that is about to be connected to that is asked about, after its name was looked up: a name that
//!   means another address the second time is asked about again.
//! - An IPv6 address that carries an IPv4 one is asked about as both.
//! - Link-local and metadata addresses are refused, whatever the settings say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Which addresses requests may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// This machine and private networks.
    pub is_private_allowed: bool,
    /// Whatever the other two say.
    pub allowed: Vec<IpNet>,
    pub refused: Vec<IpNet>,
}

/// Everything but what is always refused.
impl Default for Egress {
    fn default() -> Self {
        Self { is_private_allowed: true, allowed: Vec::new(), refused: Vec::new() }
    }
}

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressError {
    address: IpAddr,
    because: Because,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Because {
    Metadata,
    LinkLocal,
    Nobody,
    Private,
    Listed(IpNet),
}

/// Where clouds tell machines who they are, outside of the link-local ranges: Alibaba, Azure, Oracle, AWS, Google,
/// Scaleway.
const METADATA: [&str; 6] = [
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fd00:42::42/128",
];
/// RFC 3927 and RFC 4291, 2.5.6.
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];
/// Multicast, and what is reserved: no machine has such an address.
const NOBODY: [&str; 3] = ["224.0.0.0/4", "240.0.0.0/4", "ff00::/8"];
/// This machine and private networks, carriers' and benchmarks' included (RFC 6890 lists them).
const PRIVATE: [&str; 12] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "198.18.0.0/15",
    "::/127", // nobody and this machine
    "fc00::/7",
    "fec0::/10",
    "64:ff9b:1::/48", // translated, to a private network's own
];

impl Egress {
    /// # Errors
    ///
    /// Why requests do not go there.
    pub fn check(&self, address: IpAddr) -> Result<(), EgressError> {
        forms(address).into_iter().flatten().try_for_each(|form| self.check_one(form))
    }

    /// The same for the host of a URL, when it is an address and no name.
    ///
    /// # Errors
    ///
    /// As for [`Self::check`].
    pub fn check_host(&self, host: &str) -> Result<(), EgressError> {
        literal(host).map_or(Ok(()), |address| self.check(address))
    }

    fn check_one(&self, address: IpAddr) -> Result<(), EgressError> {
        let refused = |because| Err(EgressError { address, because });
        let is_in = |nets: &[IpNet]| nets.iter().find(|net| net.contains(&address)).copied();
        if is_among(address, &METADATA) {
            return refused(Because::Metadata);
        }
        if is_among(address, &LINK_LOCAL) {
            return refused(Because::LinkLocal);
        }
        if is_among(address, &NOBODY) {
            return refused(Because::Nobody);
        }
        if is_in(&self.allowed).is_some() {
            return Ok(());
        }
        if let Some(net) = is_in(&self.refused) {
            return refused(Because::Listed(net));
        }
        if !self.is_private_allowed && is_among(address, &PRIVATE) {
            return refused(Because::Private);
        }
        Ok(())
    }
}

/// A range of addresses, or one address; none when it is neither.
pub fn egress_range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The address that the host of a URL is, if it is one.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host).parse().ok()
}

fn is_among(address: IpAddr, nets: &[&str]) -> bool {
    let net = |text: &&str| text.parse::<IpNet>().expect("written here, and tested");
    nets.iter().map(net).any(|net| net.contains(&address))
}

/// The address, and the IPv4 address that packets to it end up at.
fn forms(address: IpAddr) -> [Option<IpAddr>; 2] {
    let IpAddr::V6(six) = address else { return [Some(address), None] };
    if let Some(mapped) = six.to_ipv4_mapped() {
        return [Some(mapped.into()), None]; // the same socket, written otherwise
    }
    let octets = six.octets();
    let four = |at: usize| {
        let [a, b, c, d] = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        Ipv4Addr::new(a, b, c, d)
    };
    let inner = match six.segments() {
        // RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo, inverted), RFC 4291 (compatible, given up).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(four(12)),
        [0x2002, ..] => Some(four(2)),
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!four(12).to_bits())),
        [0, 0, 0, 0, 0, 0, ..] if six != Ipv6Addr::UNSPECIFIED && six != Ipv6Addr::LOCALHOST => {
            Some(four(12))
        }
        _ => None,
    };
    [Some(address), inner.map(IpAddr::V4)]
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, because } = self;
        match because {
            Because::Metadata => write!(
                f,
                "{address} is where a cloud tells a machine its credentials: no target may be there"
            ),
            Because::LinkLocal => write!(
                f,
                "{address} is link-local, where clouds have their metadata: no target may be there"
            ),
            Because::Nobody => write!(f, "{address} is no machine's address"),
            Because::Private => write!(
                f,
                "{address} is private and the configuration refuses such targets: add it to `egress.allow` in \
                 slipswitch.yaml if it is meant"
            ),
            Because::Listed(net) => {
                write!(f, "{address} is in {net}, which `egress.refuse` in slipswitch.yaml lists")
            }
        }
    }
}

impl std::error::Error for EgressError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(egress: &Egress, addresses: &[&str]) -> Vec<String> {
        let one = |text: &&str| match egress.check(text.parse().unwrap()) {
            Ok(()) => format!("{text} goes"),
            Err(error) => format!("{text}: {error}"),
        };
        addresses.iter().map(one).collect()
    }

    fn refused(egress: &Egress, addresses: &[&str], word: &str) {
        for line in check(egress, addresses) {
            assert!(line.contains(word), "{line}");
        }
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_form() {
        let wide = Egress {
            allowed: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            ..Egress::default()
        };
        for egress in [Egress::default(), wide] {
            refused(&egress, &["169.254.169.254", "169.254.0.1", "169.254.170.2"], "link-local");
            refused(&egress, &["fe80::1", "febf::1", "::ffff:169.254.169.254"], "link-local");
            refused(&egress, &["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"], "link-local");
            refused(&egress, &["2001:0:1:2:3:4:5601:5601", "::169.254.169.254"], "link-local");
            refused(&egress, &["100.100.100.200", "168.63.129.16", "192.0.0.192"], "credentials");
            refused(&egress, &["fd00:ec2::254", "fd20:ce::254", "fd00:42::42"], "credentials");
            refused(&egress, &["::ffff:100.100.100.200"], "credentials");
            refused(&egress, &["224.0.0.1", "255.255.255.255", "ff02::1"], "no machine");
        }
    }

    const INSIDE: [&str; 16] = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fd12::1",
        "fec0::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:c0a8:101::1",
    ];
    const OUTSIDE: [&str; 7] = [
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "169.253.0.1",
        "2606:4700::1111",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ];

    #[test]
    fn private_addresses_go_by_the_setting_and_others_go() {
        refused(&Egress::default(), &INSIDE, "goes");
        let strict = Egress { is_private_allowed: false, ..Egress::default() };
        refused(&strict, &INSIDE, "private");
        refused(&strict, &OUTSIDE, "goes");
        refused(&Egress::default(), &OUTSIDE, "goes");
    }

    #[test]
    fn what_is_listed_as_allowed_wins_over_what_is_refused() {
        let egress = Egress {
            is_private_allowed: false,
            allowed: vec!["10.1.0.0/16".parse().unwrap(), "fd12::/16".parse().unwrap()],
            refused: vec!["8.8.0.0/16".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
        };
        refused(&egress, &["10.1.2.3", "fd12::7", "::ffff:10.1.2.3", "9.9.9.9"], "goes");
        refused(&egress, &["10.2.0.1"], "is in 10.0.0.0/8, which `egress.refuse`");
        refused(&egress, &["8.8.8.8", "64:ff9b::808:808"], "is in 8.8.0.0/16");
        refused(&egress, &["192.168.0.1"], "add it to `egress.allow`");
    }

    #[test]
    fn a_range_is_written_with_a_prefix_or_is_one_address() {
        assert_eq!(egress_range("10.0.0.0/8"), "10.0.0.0/8".parse().ok());
        assert_eq!(egress_range("10.1.2.3"), "10.1.2.3/32".parse().ok());
        assert_eq!(egress_range("fd12::1"), "fd12::1/128".parse().ok());
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "example.org", "fd12::/200", "1-2"] {
            assert_eq!(egress_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        let egress = Egress::default();
        egress.check_host("metadata.internal").unwrap();
        egress.check_host("[::1]").unwrap();
        for host in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"] {
            egress.check_host(host).unwrap_err();
        }
    }
}
