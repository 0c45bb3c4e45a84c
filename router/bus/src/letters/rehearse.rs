//! What a redrive through the rules would send to whom, without sending anything.

use std::collections::BTreeMap;

use delivery::LetterState;

use super::redrive::Course;
use super::{Chosen, Common, Counted, Group, Redrive};
use crate::core::Core;
use crate::key::Key;
use crate::router::Router;
use crate::state::StateError;
use crate::state::letters;

/// How many are looked at in one transaction.
const PAGE: usize = 200;

/// What each target would get.
type Found = BTreeMap<Key, Group>;

impl Router {
    /// For each target that a rule of today chooses (one of `rules`, when some are named), how many
    /// of the dead letters would go there; together, how many of them would go anywhere.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn rehearse_redrive(
        &self,
        which: Redrive,
        rules: Vec<String>,
    ) -> Result<Counted, StateError> {
        let mut sum = (0, Found::new());
        let mut chosen = Chosen::new(which);
        while let Some(ids) = chosen.page(&self.core, PAGE).await? {
            sum = self.core.rehearse(ids, &rules, sum).await?;
        }
        let (letters, found) = sum;
        let mut groups: Vec<Group> = found.into_values().collect();
        groups.sort_by(|a, b| b.letters.cmp(&a.letters).then_with(|| a.of.cmp(&b.of)));
        Ok(Counted { letters, groups })
    }
}

impl Core {
    async fn rehearse(
        &self,
        ids: Vec<i64>,
        rules: &[String],
        (mut letters, mut found): (u64, Found),
    ) -> Result<(u64, Found), StateError> {
        let (mut course, rules) = (Course::new(self), rules.to_vec());
        let looked = self.state.run(move |tx| {
            for id in ids {
                let Some(letter) = letters::find(tx, id)? else { continue };
                if letter.state != LetterState::Dead {
                    continue;
                }
                // What cannot be sent has no target.
                let targets = course.targets(&letter, &rules).unwrap_or_default();
                letters += u64::from(!targets.is_empty());
                for key in targets {
                    let died_at = letter.died_at;
                    let group = found.entry(key).or_insert_with_key(|key| Group {
                        of: common(key),
                        letters: 0,
                        oldest: died_at,
                        newest: died_at,
                    });
                    group.letters += 1;
                    group.oldest = group.oldest.min(died_at);
                    group.newest = group.newest.max(died_at);
                }
            }
            Ok((letters, found))
        });
        looked.await
    }
}

fn common(key: &Key) -> Common {
    let owned = |name: &str| Some(name.to_owned());
    Common {
        bus: owned(&key.bus),
        rule: owned(&key.rule),
        target: owned(&key.target),
        ..Common::default()
    }
}
