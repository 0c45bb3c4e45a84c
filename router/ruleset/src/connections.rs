//! What rules ask of the configuration's connections, and of where targets may be.

/// The connections that there are.
pub trait Connections {
    fn names(&self) -> Vec<&str>;

    /// Whether a target with this URL and these headers of its own, in lower case, may go over one.
    fn look(&self, name: &str, url: &str, headers: &[&str]) -> Look;

    /// Why nothing may be sent there, over whatever connection; none when it is not known before a name is looked up.
    fn refusal(&self, _url: &str) -> Option<String> {
        None
    }

    /// Whether it is for named hosts alone, so that nobody who names it can have its secret sent elsewhere.
    fn has_hosts(&self, _name: &str) -> bool {
        false
    }
}

/// How a connection suits a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Fits,
    /// The target's deliveries wait for it.
    Unknown,
    Refused {
        reason: String,
        mend: String,
    },
}

/// None at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoConnections;

impl Connections for NoConnections {
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    fn look(&self, _name: &str, _url: &str, _headers: &[&str]) -> Look {
        Look::Unknown
    }
}
