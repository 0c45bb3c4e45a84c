//! The networks, from the narrowest to the widest of each family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub struct Place {
    first: IpAddr,
    bits: u8,
    pub country: &'static str,
}

impl Place {
    /// `203.0.113.0/28`
    pub fn network(&self) -> String {
        format!("{}/{}", self.first, self.bits)
    }

    fn holds(&self, address: IpAddr) -> bool {
        let common = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(it)) => (first.to_bits() ^ it.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(it)) => (first.to_bits() ^ it.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.bits)
    }
}

/// The narrowest network that holds the address.
pub fn find(address: IpAddr) -> Option<&'static Place> {
    let address = address.to_canonical();
    TABLE.iter().find(|place| place.holds(address))
}

const fn v4([a, b, c, d]: [u8; 4], bits: u8, country: &'static str) -> Place {
    Place { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits, country }
}

const fn v6(third: u16, bits: u8, country: &'static str) -> Place {
    let first = Ipv6Addr::new(0x2001, 0xdb8, third, 0, 0, 0, 0, 0);
    Place { first: IpAddr::V6(first), bits, country }
}

/// `ZZ` is nowhere in particular.
static TABLE: [Place; 30] = [
    v4([203, 0, 113, 0], 28, "VN"),
    v4([203, 0, 113, 16], 28, "TH"),
    v4([203, 0, 113, 32], 28, "SG"),
    v4([203, 0, 113, 48], 28, "JP"),
    v4([203, 0, 113, 64], 27, "KR"),
    v4([203, 0, 113, 96], 27, "IN"),
    v4([203, 0, 113, 128], 25, "AU"),
    v4([198, 51, 100, 0], 28, "FR"),
    v4([198, 51, 100, 16], 28, "DE"),
    v4([198, 51, 100, 32], 27, "IT"),
    v4([198, 51, 100, 64], 26, "SE"),
    v4([198, 51, 100, 128], 25, "GB"),
    v4([192, 0, 2, 0], 26, "US"),
    v4([192, 0, 2, 64], 26, "CA"),
    v4([192, 0, 2, 128], 26, "BR"),
    v4([192, 0, 2, 192], 26, "AR"),
    v4([192, 168, 0, 0], 16, "ZZ"),
    v4([169, 254, 0, 0], 16, "ZZ"),
    v4([198, 18, 0, 0], 15, "ZZ"),
    v4([172, 16, 0, 0], 12, "ZZ"),
    v4([100, 64, 0, 0], 10, "ZZ"),
    v4([10, 0, 0, 0], 8, "ZZ"),
    v4([127, 0, 0, 0], 8, "ZZ"),
    v6(0x0001, 48, "VN"),
    v6(0x0002, 48, "JP"),
    v6(0x0003, 48, "FR"),
    v6(0x0004, 48, "DE"),
    v6(0x0005, 48, "US"),
    v6(0x0006, 48, "BR"),
    v6(0x0000, 32, "ZZ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_network_is_found() {
        for (address, expected) in [
            ("203.0.113.0", Some("VN 203.0.113.0/28")),
            ("203.0.113.31", Some("TH 203.0.113.16/28")),
            ("203.0.113.255", Some("AU 203.0.113.128/25")),
            ("::ffff:10.1.2.3", Some("ZZ 10.0.0.0/8")),
            ("2001:db8:3::7", Some("FR 2001:db8:3::/48")),
            ("2001:db8:ffff::", Some("ZZ 2001:db8::/32")),
            ("8.8.8.8", None),
            ("2001:4860::8888", None),
        ] {
            let place = find(address.parse().unwrap());
            let found = place.map(|place| format!("{} {}", place.country, place.network()));
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }
}
