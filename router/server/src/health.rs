//! Saying once that the router cannot store events, and once that it can again.
//!
//! # Not here
//!
//! - The answer to who asks: `/readyz` and `/metrics` read the router themselves.

use tracing::{error, info};

/// What was said last: why the router is not ready, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Health {
    trouble: Option<String>,
}

/// What is worth a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    Trouble(String),
    Recovery,
}

impl Health {
    /// Takes in how the router is. A trouble whose words change, such as the bytes left on a disk, is no news.
    pub(crate) fn look(&mut self, ready: Result<(), String>) -> News {
        let trouble = ready.err();
        let news = match (&self.trouble, &trouble) {
            (None, Some(reason)) => News::Trouble(reason.clone()),
            (Some(_), None) => News::Recovery,
            (None, None) | (Some(_), Some(_)) => News::Nothing,
        };
        self.trouble = trouble;
        news
    }
}

impl News {
    pub(crate) fn tell(&self) {
        match self {
            Self::Nothing => (),
            Self::Trouble(reason) => error!(%reason, "not ready"),
            Self::Recovery => info!("ready again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_when_it_begins_and_when_it_ends() {
        let mut health = Health::default();
        let full = |left: u8| Err(format!("the disk is nearly full: {left} left"));
        assert_eq!(health.look(Ok(())), News::Nothing);
        assert_eq!(
            health.look(full(2)),
            News::Trouble("the disk is nearly full: 2 left".to_owned())
        );
        assert_eq!(health.look(full(1)), News::Nothing);
        assert_eq!(health.look(Ok(())), News::Recovery);
        assert_eq!(health.look(Ok(())), News::Nothing);
        assert!(matches!(health.look(full(1)), News::Trouble(_)));
    }
}
