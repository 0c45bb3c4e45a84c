//! Rules that change in every way files do, without a pause, while events come in and targets are down.
//!
//! `ROUNDS=10000 cargo test -p slipswitch-tests a_storm_of_reloads -- --nocapture` goes on for twenty minutes; a run of
//! all tests does half a minute of it.
//!
//! Two flows have two rules each, which write down the number of their generation for each event. A flow is put in
//! place at once: one by the swap of a link over its two files, as a ConfigMap is, the other by a rename over its only
//! file. So each event has one number from both rules of a flow, whatever else goes on.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use receiver::{Answer, Gate, Receiver};
use serde_json::Value;

use crate::harness::{Allowance, Random, Router, Scene};

const ROUNDS: usize = 250;
const EVENTS_PER_ROUND: usize = 100;
/// Files written in one round of many.
const STORM: usize = 60;
/// So many reloads may come of one such round: each reads all that is there by then.
const RELOADS_PER_STORM_MAX: usize = 30;
/// What the allocator may keep, and for each round, because its events are in indexes and backlogs.
const GROWTH_BYTES_MAX: u64 = 24 << 20;
const GROWTH_PER_ROUND: u64 = 8 << 10;
/// So many show what stays behind.
const COUNTED_FROM: usize = 40;

/// A rule that writes `<generation> <id>` for each event.
fn rule(name: &str, generation: usize) -> String {
    format!(
        "name: {name}\ndescription: '{generation}'\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    log: {{ file: {name}.txt }}\n    \
         transform: [{{ input: {{ paths: {{ id: $.id }}, template: '{generation} <id>' }} }}]\n"
    )
}

fn noise(name: &str, word: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [{word}] }}\ntargets: [{{ id: out, log: {{ file: noise.txt }} }}]\n"
    )
}

/// The folder of rules, and what is in it now.
struct Folder<'a> {
    scene: &'a Scene,
    linked: usize,
    renamed: usize,
    file: &'static str,
}

impl Folder<'_> {
    /// Both files of the first flow, in a folder of their own that one link leads to.
    fn swap_link(&mut self) {
        let (before, now) = (self.linked, self.linked + 1);
        let folder = |number: usize| format!("rules/mounted/..{number}");
        fs::create_dir_all(self.scene.path(&folder(now))).unwrap();
        for name in ["linked-1", "linked-2"] {
            self.scene.write(&format!("{}/{name}.yaml", folder(now)), rule(name, now));
        }
        let (aside, link) =
            (self.scene.path("rules/mounted/..aside"), self.scene.path("rules/mounted/..data"));
        symlink(format!("..{now}"), &aside).unwrap();
        fs::rename(aside, link).unwrap();
        if 0 < before {
            fs::remove_dir_all(self.scene.path(&folder(before))).unwrap();
        }
        self.linked = now;
    }

    /// The second flow, as an editor saves it.
    fn rename_over(&mut self) {
        self.renamed += 1;
        let text = ["renamed-1", "renamed-2"].map(|name| rule(name, self.renamed)).join("---\n");
        self.scene.replace(self.file, text);
    }

    /// The same content under another name, in another folder.
    fn move_away(&mut self) {
        let to = match self.file {
            "rules/deep/er/flow.yaml" => "rules/deep/flow.yaml",
            _ => "rules/deep/er/flow.yaml",
        };
        fs::rename(self.scene.path(self.file), self.scene.path(to)).unwrap();
        self.file = to;
    }

    fn storm(&self, word: &str) {
        fs::create_dir_all(self.scene.path("rules/noise/more")).unwrap();
        for number in 0..STORM {
            let place = if number % 2 == 0 { "noise" } else { "noise/more" };
            let name = format!("noise-{number}");
            self.scene.write(&format!("rules/{place}/{name}.yaml"), noise(&name, word));
        }
    }
}

/// Until a rule of what lies in the folder now runs, however many reloads that takes. Asking for one more would hide a
/// watcher that sleeps.
fn until_it_runs(router: &Router, is_it: impl Fn(&Value) -> bool) {
    router.wait_until("/api/v1/rules", |rules| rules.as_array().unwrap().iter().any(&is_it));
}

/// What each event became: the generation of the rule, by the event's number.
fn written(scene: &Scene, name: &str, sent: usize) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(scene.path(&format!("{name}.txt"))).unwrap().lines() {
        let (generation, id) = line.split_once(' ').unwrap();
        let twice = found.insert(id.parse().unwrap(), generation.parse().unwrap());
        assert_eq!(twice, None, "{name} had event {id} twice although nothing failed");
    }
    let lost: Vec<usize> = (0..sent).filter(|id| !found.contains_key(id)).collect();
    assert!(lost.is_empty(), "acknowledged, and never at {name}: {lost:?}");
    found
}

fn wait_for_flows(router: &Router, at_most: u64) {
    router.wait_for_status(|status| {
        let all = status["router"]["subscriptions"].as_array().unwrap();
        let flows = all.iter().filter(|one| {
            let rule = one["rule"].as_str().unwrap();
            rule.starts_with("linked") || rule.starts_with("renamed")
        });
        let mut left = flows
            .flat_map(|one| ["lag", "queued", "in_flight"].map(|key| one[key].as_u64().unwrap()));
        left.all(|count| count <= at_most)
    });
}

#[test]
fn a_storm_of_reloads_mixes_no_generations_loses_no_event_and_leaves_no_memory() {
    let rounds = env::var("ROUNDS").map_or(ROUNDS, |count| count.parse().unwrap());
    let (gate, silent) = (Gate::shut(), Receiver::start().unwrap());
    silent.always("/", Answer::status(200).behind(&gate));
    let down = Receiver::start().unwrap();
    down.stop();
    // Small lanes, so that they fall behind: the backlog, too, meets the rules of its time.
    let scene = Scene::new().configured("delivery: { lane_events: 64 }\n");
    fs::create_dir_all(scene.path("rules/deep/er")).unwrap();
    fs::create_dir_all(scene.path("rules/mounted")).unwrap();
    for name in ["linked-1", "linked-2"] {
        let link = scene.path(&format!("rules/mounted/{name}.yaml"));
        symlink(format!("..data/{name}.yaml"), link).unwrap();
    }
    for (name, url) in [("silent", silent.url("/")), ("down", down.url("/"))] {
        let rule = format!(
            "name: {name}\npattern: {{ source: [load] }}\ntargets: [{{ id: out, http: '{url}' }}]\n"
        );
        scene.write(&format!("rules/{name}.yaml"), rule);
    }
    let mut folder =
        Folder { scene: &scene, linked: 0, renamed: 0, file: "rules/deep/er/flow.yaml" };
    folder.swap_link();
    folder.rename_over();
    folder.storm("quiet");
    // Another name of a file outside: what is written there is no event of this folder, as with a mounted file.
    scene.write("outside.yaml", noise("outside-0", "quiet"));
    fs::hard_link(scene.path("outside.yaml"), scene.path("rules/outside.yaml")).unwrap();

    let router = scene.serve();
    let allowance = Arc::new(Allowance::default());
    let producer = allowance.produce(router.address());
    let mut random = Random::seeded(6);
    let (mut warm, warm_at) = (None, rounds.div_ceil(4));
    for round in 1..=rounds {
        allowance.give(EVENTS_PER_ROUND);
        disturb(&mut folder, &router, random.below(8), round);
        // Some are always on their way, and never so many that a lane forgets which version they met.
        wait_for_flows(&router, EVENTS_PER_ROUND as u64);
        if round == warm_at {
            warm = Some(router.resident_bytes());
        }
    }
    allowance.end();
    let sent = producer.join().unwrap();
    wait_for_flows(&router, 0);
    let (warm, resident) = (warm.unwrap(), router.resident_bytes());
    let status = router.status();
    assert_eq!(status["last_error"], Value::Null);
    let swaps = status["generation"]["number"].as_u64().unwrap();
    gate.open();
    router.stop().expect(0);

    for (one, two) in [("linked-1", "linked-2"), ("renamed-1", "renamed-2")] {
        let (one, two) = (written(&scene, one, sent), written(&scene, two, sent));
        let mixed: Vec<_> = one.iter().filter(|(id, of)| two[*id] != **of).collect();
        assert!(mixed.is_empty(), "events of two generations: {mixed:?}");
    }
    eprintln!(
        "{rounds} rounds, {swaps} generations, {sent} events: {warm} bytes after {warm_at}, {resident} at the end"
    );
    if rounds < COUNTED_FROM {
        return; // The router is still warming up.
    }
    let since = u64::try_from(rounds - warm_at).unwrap();
    let (grown, may) = (resident.saturating_sub(warm), GROWTH_BYTES_MAX + since * GROWTH_PER_ROUND);
    assert!(grown <= may, "memory grew by {grown} bytes from {warm}, and may by {may}");
}

/// One way in which rules change; returns when the change runs.
fn disturb(folder: &mut Folder<'_>, router: &Router, way: u64, round: usize) {
    let scene = folder.scene;
    let is_named = |name: String| move |rule: &Value| rule["name"] == *name;
    let is_version = |name: &'static str, version: usize| {
        let version = version.to_string();
        move |rule: &Value| rule["name"] == name && rule["description"] == *version
    };
    match way {
        0 | 1 => {
            folder.swap_link();
            until_it_runs(router, is_version("linked-2", folder.linked));
        }
        2 => {
            folder.rename_over();
            until_it_runs(router, is_version("renamed-2", folder.renamed));
        }
        3 => {
            folder.move_away();
            let file = folder.file;
            until_it_runs(router, |rule| rule["name"] == "renamed-1" && rule["path"] == file);
        }
        4 => {
            let generation = || router.status()["generation"]["number"].as_u64().unwrap();
            let before = generation();
            folder.storm(&format!("storm-{round}"));
            let last = format!("last-{round}");
            scene.replace("rules/noise/last.yaml", noise(&last, "quiet"));
            until_it_runs(router, is_named(last));
            let reloads = usize::try_from(generation() - before).unwrap();
            assert!(reloads <= RELOADS_PER_STORM_MAX, "{reloads} reloads for {STORM} files");
        }
        5 => {
            scene.replace("rules/noise/last.yaml", "name: last\npatern: {}\n");
            folder.swap_link();
            router.wait_for_status(|status| {
                let told = status["last_error"]["rendered"].as_str();
                told.is_some_and(|told| told.contains("did you mean `pattern`?"))
            });
            let mended = format!("mended-{round}");
            scene.replace("rules/noise/last.yaml", noise(&mended, "quiet"));
            until_it_runs(router, is_named(mended));
        }
        6 => {
            folder.rename_over();
            router.process.signal("HUP");
            let reloaded = router.run(&["reload"]).expect(0);
            assert!(reloaded.out.starts_with("generation "), "{}", reloaded.out);
            until_it_runs(router, is_version("renamed-1", folder.renamed));
        }
        _ => {
            let outside = format!("outside-{round}");
            scene.write("outside.yaml", noise(&outside, "quiet"));
            until_it_runs(router, is_named(outside));
        }
    }
}
