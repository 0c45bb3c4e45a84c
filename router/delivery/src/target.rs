//! What a target is: something that takes one delivery and answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;

use crate::id::DeliveryId;

/// One attempt to hand one payload over.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: Arc<str>,
    /// How many buses have passed the event on.
    pub hops: u8,
    /// The first attempt is 1.
    pub attempt: u32,
    pub body: Bytes,
    pub content_type: String,
    /// What plugins said of it beside: names and values that a header takes, each name once.
    pub attributes: Vec<(String, String)>,
    pub receipt: Receipt,
}

/// What a target tells of an attempt beside its answer; nothing is decided by it.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    /// The status of an HTTP answer.
    pub http_status: OnceLock<u16>,
    /// The id of the event that another bus made of it.
    pub became: OnceLock<Arc<str>>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The target has it.
    Accepted,
    /// The target will never take it; trying again is of no use.
    Refused { reason: String },
    /// Not now. `retry_after` is what the target asked for.
    Unavailable { reason: String, retry_after: Option<RetryAfter> },
    /// The target is gone, and says so: nothing is to be sent there until somebody has looked.
    Gone { reason: String },
    /// No answer in time; judged as `Unavailable`.
    TimedOut { reason: String },
}

/// How long a target asked to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    For(Duration),
    Until(Timestamp),
}

/// The future of [`Target::send`].
pub type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Where deliveries go. `http` and `log` are here; `bus` brings the target that is another bus.
pub trait Target: Send + Sync {
    /// Makes one attempt. Always ends, within a limit of its own.
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a>;

    /// Makes one attempt with several deliveries of one subscription, at least one. The answer is
    /// for all of them; what is refused is refused whole, what fails may have arrived in part.
    fn send_together<'a>(&'a self, deliveries: &'a [Delivery]) -> Sending<'a> {
        Box::pin(async move {
            for delivery in deliveries {
                let answer = self.send(delivery).await;
                if answer != Answer::Accepted {
                    return answer;
                }
            }
            Answer::Accepted
        })
    }
}
