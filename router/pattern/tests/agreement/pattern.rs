//! Patterns, most of them made from the leaves of the events they will be asked of.

use slipswitch_pattern::Pattern;

use crate::entry::entry;
use crate::event::Leaf;
use crate::random::Random;
use crate::text::{Style, Text};
use crate::world::World;

/// What a pattern asks, before it is written down.
#[derive(Clone)]
enum Part {
    /// A path, and the spelled entries of its list.
    Field(Text, Vec<String>),
    /// Alternatives, whose paths all begin with this one, if there is one.
    Or(Option<Text>, Vec<Vec<Part>>),
}

/// A member of an object of a pattern, on the way to text.
enum Node {
    List(String),
    Inner(Vec<(Text, Node)>),
    Or(Vec<Vec<(Text, Node)>>),
}

/// Makes the patterns of one round.
pub(crate) struct Maker<'a> {
    pub(crate) world: &'a World,
    /// Of all events of the round.
    pub(crate) leaves: &'a [Leaf],
    made: Vec<Vec<Part>>,
}

const DOT: u32 = '.' as u32;

impl<'a> Maker<'a> {
    pub(crate) fn new(world: &'a World, leaves: &'a [Leaf]) -> Self {
        Self { world, leaves, made: Vec::new() }
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> Pattern {
        // Refused are inverted ranges, complex wildcards and reserved names inside $or.
        for _ in 0..100 {
            let parts = self.parts(random);
            let style = Style::any(random);
            let text = written(&parts, style, random);
            if let Ok(pattern) = Pattern::parse(&text) {
                self.made.push(parts);
                return pattern;
            }
        }
        panic!("a hundred patterns in a row were refused");
    }

    fn parts(&self, random: &mut Random) -> Vec<Part> {
        if !self.made.is_empty() && random.chance(30) {
            // Much in common with another one.
            let mut parts = random.pick(&self.made);
            let at = random.below(parts.len());
            match random.below(4) {
                0 => parts.push(self.field(random, None)),
                1 if 1 < parts.len() => drop(parts.remove(at)),
                2 => (),
                _ => parts[at] = self.field(random, None),
            }
            return parts;
        }
        let count = random.pick(&[1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 6]);
        let mut parts = self.fields(count, random);
        if random.chance(18) {
            let or = self.or(random, 0);
            parts.insert(random.below(parts.len() + 1), or);
        }
        parts
    }

    /// Fields of leaves that stand near each other, often in one element of an array.
    fn fields(&self, count: usize, random: &mut Random) -> Vec<Part> {
        let near = random.below(self.leaves.len().max(1));
        let place = |random: &mut Random| {
            random.chance(80).then(|| (near + random.below(8)).saturating_sub(3))
        };
        (0..count)
            .map(|_| {
                let place = place(random);
                self.field(random, place)
            })
            .collect()
    }

    fn field(&self, random: &mut Random, place: Option<usize>) -> Part {
        let place = place.unwrap_or_else(|| random.below(self.leaves.len().max(1)));
        let leaf = self.leaves.get(place).filter(|_| random.chance(90));
        let mut path = leaf.map_or_else(|| self.world.key(random), |leaf| leaf.path.clone());
        if random.chance(5) {
            // Below a leaf, or above it.
            if random.chance(50) {
                path.push(DOT);
                path.extend(self.world.key(random));
            } else if let Some(at) = path.iter().rposition(|code| *code == DOT) {
                path.truncate(at);
            }
        }
        let count = random.pick(&[1, 1, 2, 2, 3, 5]);
        let entries = (0..count)
            .map(|_| {
                let value = match leaf {
                    Some(leaf) if random.chance(70) => leaf.value.clone(),
                    _ => self.world.value(random),
                };
                entry(&value, self.world, random)
            })
            .collect();
        Part::Field(path, entries)
    }

    fn or(&self, random: &mut Random, depth: usize) -> Part {
        let under = self.leaves.get(random.below(self.leaves.len().max(1)));
        let under = under.filter(|_| random.chance(35)).and_then(|leaf| {
            let at = leaf.path.iter().position(|code| *code == DOT)?;
            Some(leaf.path[..at].to_vec())
        });
        let alternatives = (0..2 + random.below(3))
            .map(|_| {
                let count = 1 + random.below(2);
                let mut parts = self.fields(count, random);
                if depth < 2 && random.chance(20) {
                    parts.push(self.or(random, depth + 1));
                }
                parts
            })
            .collect();
        Part::Or(under, alternatives)
    }
}

fn written(parts: &[Part], style: Style, random: &mut Random) -> String {
    let mut members = Vec::new();
    for part in parts {
        insert_part(&mut members, part, None, random);
    }
    let mut out = style.space(random);
    write(&members, style, random, &mut out);
    out.push_str(&style.space(random));
    out
}

/// Adds a part to an object at the path `under`.
fn insert_part(
    members: &mut Vec<(Text, Node)>,
    part: &Part,
    under: Option<&Text>,
    random: &mut Random,
) {
    match part {
        Part::Field(path, entries) => {
            let path = relative(path, under);
            insert(members, path, Node::List(entries.join(",")), random);
        }
        Part::Or(deeper, alternatives) => {
            // Only at the root is it known where a path continues.
            let deeper = deeper.as_ref().filter(|_| under.is_none());
            let mut objects = Vec::new();
            for parts in alternatives {
                let mut members = Vec::new();
                for part in parts {
                    insert_part(&mut members, part, deeper.or(under), random);
                }
                objects.push(members);
            }
            let or = (crate::text::text("$or"), Node::Or(objects));
            match deeper {
                Some(path) => insert(members, path, Node::Inner(vec![or]), random),
                None => members.push(or),
            }
        }
    }
}

/// The path as it goes on from `under`, or all of it if it lies elsewhere.
fn relative<'p>(path: &'p [u32], under: Option<&Text>) -> &'p [u32] {
    let rest = under.and_then(|under| path.strip_prefix(under.as_slice()));
    rest.and_then(|rest| rest.strip_prefix(&[DOT])).unwrap_or(path)
}

/// Puts a node at a path, with the dots of the path as dots or as nested objects.
fn insert(members: &mut Vec<(Text, Node)>, path: &[u32], node: Node, random: &mut Random) {
    let dots: Vec<usize> = (0..path.len()).filter(|at| path[*at] == DOT).collect();
    if dots.is_empty() || random.chance(25) {
        members.push((path.to_vec(), node));
        return;
    }
    let dot = random.pick(&dots);
    let (key, rest) = (&path[..dot], &path[dot + 1..]);
    let known = members.iter_mut().rev().find_map(|(known, node)| match node {
        Node::Inner(members) if known == key => Some(members),
        _ => None,
    });
    if let Some(inner) = known
        && random.chance(80)
    {
        insert(inner, rest, node, random);
        return;
    }
    let mut inner = Vec::new();
    insert(&mut inner, rest, node, random);
    members.push((key.to_vec(), Node::Inner(inner)));
}

fn write(members: &[(Text, Node)], style: Style, random: &mut Random, out: &mut String) {
    out.push('{');
    for (at, (key, node)) in members.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        out.push_str(&style.space(random));
        // The one name that has to be as it is.
        out.push_str(&style.quoted(key, random));
        out.push_str(&style.space(random));
        out.push(':');
        match node {
            Node::List(entries) => {
                out.push('[');
                out.push_str(&style.space(random));
                out.push_str(entries);
                out.push_str(&style.space(random));
                out.push(']');
            }
            Node::Inner(members) => write(members, style, random, out),
            Node::Or(objects) => {
                out.push('[');
                for (at, members) in objects.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    write(members, style, random, out);
                }
                out.push(']');
            }
        }
        out.push_str(&style.space(random));
    }
    out.push('}');
}
