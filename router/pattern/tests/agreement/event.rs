//! Events as trees whose scalars are spelled already, so that a part can be left out and the rest
//! stays as it was.

use crate::random::Random;
use crate::text::{Style, Text, text};
use crate::world::{Value, World, structural};

/// A JSON value, with the white space around it.
#[derive(Clone)]
pub(crate) enum Tree {
    Scalar(String, Value),
    Array(Vec<Tree>),
    Object(Vec<Member>),
}

#[derive(Clone)]
pub(crate) struct Member {
    spelled: String,
    key: Text,
    value: Tree,
}

/// A scalar and its path, in the order of the event.
pub(crate) struct Leaf {
    pub(crate) path: Text,
    pub(crate) value: Value,
}

impl Tree {
    pub(crate) fn any(random: &mut Random, world: &World) -> Self {
        let budget = random.pick(&[3, 8, 8, 15, 25, 60]);
        let mut maker = Maker { world, style: Style::any(random), budget };
        let mut event = maker.object(random, 0);
        if random.chance(35) {
            maker.add_noise(random, &mut event);
        }
        Self::Object(event)
    }

    /// Much the same event: values changed here and there, parts left out.
    pub(crate) fn varied(&self, random: &mut Random, world: &World) -> Self {
        let maker = Maker { world, style: Style::any(random), budget: 0 };
        let mut varied = self.clone();
        maker.vary(&mut varied, random);
        varied
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(spelled, _) => out.push_str(spelled),
            Self::Array(entries) => {
                out.push('[');
                for (at, entry) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    entry.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, member) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(&member.spelled);
                    out.push(':');
                    member.value.write(out);
                }
                out.push('}');
            }
        }
    }

    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.collect(&mut Vec::new(), true, &mut leaves);
        leaves
    }

    fn collect(&self, path: &mut Text, is_root: bool, leaves: &mut Vec<Leaf>) {
        match self {
            Self::Scalar(_, value) => {
                leaves.push(Leaf { path: path.clone(), value: value.clone() });
            }
            Self::Array(entries) => {
                entries.iter().for_each(|entry| entry.collect(path, false, leaves));
            }
            Self::Object(members) => {
                for member in members {
                    let len = path.len();
                    if !is_root {
                        path.push(u32::from('.'));
                    }
                    path.extend_from_slice(&member.key);
                    member.value.collect(path, false, leaves);
                    path.truncate(len);
                }
            }
        }
    }

    /// Leaves out every part that `is_needed` does not miss.
    pub(crate) fn minimised(mut self, is_needed: &dyn Fn(&Tree) -> bool) -> Self {
        let mut at = 0;
        while at < self.parts() {
            let mut without = self.clone();
            let mut place = at;
            without.remove(&mut place);
            if is_needed(&without) {
                self = without;
            } else {
                at += 1;
            }
        }
        self
    }

    /// Entries and members, at all depths.
    fn parts(&self) -> usize {
        match self {
            Self::Scalar(..) => 0,
            Self::Array(entries) => entries.iter().map(|entry| 1 + entry.parts()).sum(),
            Self::Object(members) => members.iter().map(|member| 1 + member.value.parts()).sum(),
        }
    }

    /// Removes part number `at`, counting down to it.
    fn remove(&mut self, at: &mut usize) {
        match self {
            Self::Scalar(..) => (),
            Self::Array(entries) => remove(entries, at, |entry| entry),
            Self::Object(members) => remove(members, at, |member| &mut member.value),
        }
    }
}

fn remove<T>(parts: &mut Vec<T>, at: &mut usize, inner: fn(&mut T) -> &mut Tree) {
    for index in 0..parts.len() {
        if *at == 0 {
            parts.remove(index);
            *at = usize::MAX;
            return;
        }
        *at -= 1;
        inner(&mut parts[index]).remove(at);
        if *at == usize::MAX {
            return;
        }
    }
}

struct Maker<'a> {
    world: &'a World,
    style: Style,
    /// Values that may still be made.
    budget: usize,
}

impl Maker<'_> {
    fn object(&mut self, random: &mut Random, depth: usize) -> Vec<Member> {
        let mut members = Vec::new();
        let most = if depth == 0 { self.budget } else { 1 + random.below(4) };
        while members.len() < most && 0 < self.budget {
            let key = self.world.key(random);
            let value = self.value(random, depth + 1);
            members.push(self.member(key, value, random));
        }
        members
    }

    fn member(&self, key: Text, value: Tree, random: &mut Random) -> Member {
        let quoted = self.style.quoted(&key, random);
        let (before, after) = (self.style.space(random), self.style.space(random));
        Member { spelled: format!("{before}{quoted}{after}"), key, value }
    }

    fn value(&mut self, random: &mut Random, depth: usize) -> Tree {
        self.budget = self.budget.saturating_sub(1);
        let kind = if depth < 6 { random.below(100) } else { 0 };
        match kind {
            0..55 => self.scalar(random),
            55..75 => Tree::Object(self.object(random, depth)),
            75..97 => self.array(random, depth),
            97 => Tree::Array(Vec::new()),
            98 => Tree::Object(Vec::new()),
            _ => Tree::Array(vec![Tree::Object(Vec::new()), Tree::Array(Vec::new())]),
        }
    }

    fn scalar(&self, random: &mut Random) -> Tree {
        let value = self.world.value(random);
        self.spelled(value, random)
    }

    fn spelled(&self, value: Value, random: &mut Random) -> Tree {
        let (before, after) = (self.style.space(random), self.style.space(random));
        Tree::Scalar(format!("{before}{}{after}", value.spelled(self.style, random)), value)
    }

    fn array(&mut self, random: &mut Random, depth: usize) -> Tree {
        let kind = random.below(10);
        let len = 1 + random.below(4);
        let keys: Vec<Text> = (0..1 + random.below(3)).map(|_| self.world.key(random)).collect();
        let mut entries = Vec::new();
        while entries.len() < len && 0 < self.budget {
            entries.push(match kind {
                0..3 => {
                    self.budget = self.budget.saturating_sub(1);
                    self.scalar(random)
                }
                // Elements of one shape, which several fields of a pattern can ask for.
                3..7 => self.element(&keys, random, depth),
                7 => self.array(random, depth + 1),
                _ => self.value(random, depth + 1),
            });
        }
        Tree::Array(entries)
    }

    fn element(&mut self, keys: &[Text], random: &mut Random, depth: usize) -> Tree {
        let mut members = Vec::new();
        for key in keys {
            if random.chance(85) {
                let value = self.value(random, depth + 2);
                members.push(self.member(key.clone(), value, random));
            }
        }
        Tree::Object(members)
    }

    fn vary(&self, tree: &mut Tree, random: &mut Random) {
        match tree {
            Tree::Scalar(..) if random.chance(12) => *tree = self.scalar(random),
            // The same value in another spelling.
            Tree::Scalar(_, value) if random.chance(30) => {
                *tree = self.spelled(value.clone(), random);
            }
            Tree::Scalar(..) => (),
            Tree::Array(entries) => {
                entries.retain(|_| !random.chance(8));
                entries.iter_mut().for_each(|entry| self.vary(entry, random));
            }
            Tree::Object(members) => {
                members.retain(|_| !random.chance(4));
                members.iter_mut().for_each(|member| self.vary(&mut member.value, random));
            }
        }
    }

    /// Members that no pattern names: what a reader passes over, in lengths that move the rest to
    /// any position in its blocks.
    fn add_noise(&mut self, random: &mut Random, event: &mut Vec<Member>) {
        for _ in 0..1 + random.below(3) {
            let key = text(random.pick(&["passed over", "a.passed", "p", "b.", "a.b.c.d.e"]));
            let noise = self.noise(random);
            let member = self.member(key, noise, random);
            event.insert(random.below(event.len() + 1), member);
        }
    }

    fn noise(&self, random: &mut Random) -> Tree {
        match random.below(8) {
            0..3 => self.spelled(Value::Text(structural(random)), random),
            3 => {
                let len = random.below(200);
                self.spelled(Value::Text(vec![u32::from('x'); len]), random)
            }
            4 => {
                let len = random.pick(&[4_000, 4_090, 4_200, 9_000]) + random.below(70);
                self.spelled(Value::Text(vec![u32::from('y'); len]), random)
            }
            5 => {
                let deep = 1 + random.below(150);
                (0..deep).fold(self.spelled(Value::Text(structural(random)), random), |inner, _| {
                    if random.chance(50) {
                        Tree::Array(vec![inner])
                    } else {
                        Tree::Object(vec![self.member(text("a"), inner, random)])
                    }
                })
            }
            _ => {
                let entries = (0..random.below(30)).map(|_| {
                    let value = self.spelled(Value::Text(structural(random)), random);
                    if random.chance(50) {
                        return value;
                    }
                    let key = structural(random);
                    Tree::Object(vec![self.member(key, value, random)])
                });
                Tree::Array(entries.collect())
            }
        }
    }
}
