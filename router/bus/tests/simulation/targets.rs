//! Targets that fail, hang, answer late or twice.
//!
//! A request arrives or does not, whatever the answer says: an answer may come too late, get lost,
//! or be that of a process which died meanwhile.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Answer, Delivery, RetryAfter, Sending, Target};
use slipswitch_bus::{Clock, Key as Subscription, delivery};

use crate::world::{Sim, State};

/// How a target behaves for a while.
#[derive(Debug, Clone)]
pub(crate) struct Mood {
    /// Which: a rule's name and a target's.
    pub(crate) target: String,
    /// Of a hundred requests so many fail, hang, and are refused for good.
    pub(crate) fails: u64,
    pub(crate) hangs: u64,
    pub(crate) refuses: u64,
    /// So many say that the target is gone.
    pub(crate) goes: u64,
    /// Up to so many milliseconds each way.
    pub(crate) slow: u64,
}

pub(crate) struct Simulated {
    sim: Arc<Sim>,
    name: String,
    timeout: Duration,
}

enum Fate {
    Taken,
    Failed(Option<RetryAfter>),
    Refused,
    Gone,
    Hangs,
}

struct Plan {
    fate: Fate,
    there: Duration,
    back: Duration,
    twice: bool,
}

impl Simulated {
    pub(crate) fn new(sim: Arc<Sim>, key: &Subscription, timeout: Duration) -> Self {
        Self { sim, name: format!("{}.{}", key.rule, key.target), timeout }
    }

    fn plan(&self) -> Plan {
        let mut state = self.sim.lock();
        let mood = state.moods.iter().find(|mood| mood.target == self.name).cloned();
        let random = &mut state.random;
        let mood = mood.unwrap_or(Mood {
            target: String::new(),
            fails: 0,
            hangs: 0,
            refuses: 0,
            goes: 0,
            slow: 10,
        });
        let fate = match random.below(100) {
            dice if dice < mood.fails => {
                let asks = random.chance(20);
                let patience = Duration::from_millis(random.below(3000));
                Fate::Failed(asks.then_some(RetryAfter::For(patience)))
            }
            dice if dice < mood.fails + mood.hangs => Fate::Hangs,
            dice if dice < mood.fails + mood.hangs + mood.refuses => Fate::Refused,
            dice if dice < mood.fails + mood.hangs + mood.refuses + mood.goes => Fate::Gone,
            _ => Fate::Taken,
        };
        let mut way = || Duration::from_millis(random.below(mood.slow + 1));
        let (there, back) = (way(), way());
        Plan { fate, there, back, twice: random.chance(3) }
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        let plan = self.plan();
        let now = self.sim.monotonic();
        {
            let model = &mut self.sim.lock().model;
            model.note_attempt(delivery);
            model.check_paused(delivery, now);
        }
        self.under_way(delivery, plan).await
    }

    async fn under_way(&self, delivery: &Delivery, plan: Plan) -> Answer {
        let mut on_its_way = OnItsWay { sim: &self.sim, delivery: Some(delivery) };
        tokio::time::sleep(plan.there).await;
        if self.sim.lock().is_dead {
            std::future::pending::<()>().await;
        }
        on_its_way.delivery = None;
        match plan.fate {
            Fate::Taken => {
                self.sim.lock().arrived(delivery);
                if plan.twice {
                    self.sim.lock().arrived(delivery);
                }
                tokio::time::sleep(plan.back).await;
                Answer::Accepted
            }
            Fate::Failed(retry_after) => {
                Answer::Unavailable { reason: "503".to_owned(), retry_after }
            }
            Fate::Refused => Answer::Refused { reason: "400".to_owned() },
            Fate::Gone => Answer::Gone { reason: "410".to_owned() },
            Fate::Hangs => std::future::pending().await,
        }
    }
}

/// A request whose sender dies before it has arrived: perhaps it arrives all the same.
struct OnItsWay<'a> {
    sim: &'a Sim,
    delivery: Option<&'a Delivery>,
}

impl State {
    /// Lets some of the requests arrive that were on their way when the process ended.
    pub(crate) fn orphans_arrive(&mut self) {
        let mut orphans = std::mem::take(&mut self.orphans);
        orphans.sort_by_key(|delivery| (delivery.id.to_string(), delivery.attempt));
        for delivery in orphans {
            if self.random.chance(50) {
                self.note(|| "a request of the dead arrives".to_owned());
                self.arrived(&delivery);
            }
        }
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            let mut state = self.sim.lock();
            if state.is_dead {
                // Tasks are dropped in no order that a seed gives.
                state.orphans.push(delivery.clone());
            } else if state.random.chance(50) {
                state.arrived(delivery);
            }
        }
    }
}

impl Target for Simulated {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a> {
        Box::pin(async move {
            let answer = tokio::time::timeout(self.timeout, self.attempt(delivery)).await;
            let answer = answer.unwrap_or_else(|_late| Answer::Unavailable {
                reason: "no answer in time".to_owned(),
                retry_after: None,
            });
            if answer != Answer::Accepted {
                let is_refused = matches!(answer, Answer::Refused { .. });
                self.sim.lock().model.note_end(delivery, is_refused);
            }
            self.sim
                .note(|| format!("attempt {} of {}: {answer:?}", delivery.attempt, delivery.id));
            answer
        })
    }

    /// One by one, until one fails; all of them count as tried then.
    fn send_together<'a>(&'a self, deliveries: &'a [Delivery]) -> Sending<'a> {
        Box::pin(async move {
            for delivery in deliveries {
                self.sim.lock().model.note_attempt(delivery);
            }
            for delivery in deliveries {
                let answer = self.send(delivery).await;
                if answer != Answer::Accepted {
                    for delivery in deliveries {
                        self.sim.lock().model.note_end(delivery, false);
                    }
                    return answer;
                }
            }
            Answer::Accepted
        })
    }
}
