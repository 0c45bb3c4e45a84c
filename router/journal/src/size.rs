//! Numbers of bytes, for people.

use std::fmt;

/// Shown as `12.3 MiB`.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut whole, mut below) = (self.0, 0);
        for unit in ["B", "KiB", "MiB", "GiB"] {
            match whole {
                0..1024 if unit == "B" => return write!(f, "{whole} B"),
                0..1024 => return write!(f, "{whole}.{} {unit}", below * 10 / 1024),
                _ => (below, whole) = (whole % 1024, whole / 1024),
            }
        }
        write!(f, "{whole}.{} TiB", below * 10 / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_the_unit_that_fits() {
        let said = |bytes| Size(bytes).to_string();
        assert_eq!([0, 1023, 1024].map(said), ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!(said((16 << 20) + (700 << 10)), "16.6 MiB");
        assert_eq!([3 << 30, 5 << 40].map(said), ["3.0 GiB", "5.0 TiB"]);
        assert_eq!(said(u64::MAX), "16777215.9 TiB");
    }
}
