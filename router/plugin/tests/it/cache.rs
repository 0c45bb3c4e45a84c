use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use slipswitch_plugin::{CodeFrom, Host, Options, Output, Plugin};

use crate::parts::{Parts, call, options, setup};

/// What the plugin answers on a host of its own with this cache.
fn answer(cache: &Path, parts: &Parts) -> Vec<Output> {
    let host = Host::new(Options { cache_dir: Some(cache.to_owned()), ..options() }).unwrap();
    call(&host.load("test", &parts.build()).unwrap().configure("{}", setup()).unwrap()).unwrap()
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn compiled_code_is_kept_in_a_private_folder_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a/b");
    let one = Parts::default();
    let none = Parts::transform("(call $ok (i32.const 0))");
    assert_eq!(answer(&cache, &one).len(), 1);
    let of_one = entries(&cache);
    assert_eq!(answer(&cache, &none).len(), 0);
    assert_eq!((of_one.len(), entries(&cache).len()), (1, 2));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&of_one[0]).unwrap().permissions().mode() & 0o777, 0o600);

    // The code of the one under the name of the other: if it answers, it was read and not compiled.
    let of_none = entries(&cache).into_iter().find(|path| *path != of_one[0]).unwrap();
    fs::copy(&of_one[0], &of_none).unwrap();
    assert_eq!(answer(&cache, &none).len(), 1);
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::default();
    answer(folder.path(), &parts);
    let path = &entries(folder.path())[0];
    let good = fs::read(path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [&good[..good.len() / 2], &good[..10], b"", &flipped] {
        fs::write(path, bad).unwrap();
        assert_eq!(answer(folder.path(), &parts).len(), 1);
        assert_eq!(fs::read(path).unwrap(), good);
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = Host::new(Options { cache_dir: Some(folder.path().to_owned()), ..options() })
        .map(drop)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("others may write to the folder: `chmod 700` it, or name another"),
        "{error}"
    );
}

#[test]
fn loading_says_how_long_it_took_and_where_the_code_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let load = |host: &Host| host.load("test", &Parts::default().build()).unwrap();
    let origin = |plugin: &Plugin| plugin.loading().code;
    let host =
        || Host::new(Options { cache_dir: Some(folder.path().to_owned()), ..options() }).unwrap();
    let first = host();
    let plugin = load(&first);
    assert_eq!(origin(&plugin), CodeFrom::Compiler);
    assert!(!plugin.loading().took.is_zero());
    assert_eq!(origin(&load(&first)), CodeFrom::Memory);
    assert_eq!(origin(&load(&host())), CodeFrom::Cache);
}

#[test]
fn several_files_are_loaded_in_their_order() {
    let host = Host::new(options()).unwrap();
    let none = Parts::transform("(call $ok (i32.const 0))").build();
    let files = [("one", Parts::default().build()), ("two", b"#!".to_vec()), ("three", none)];
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, file)| (*name, file.as_slice())).collect();
    let loaded = host.load_all(&files);
    let names: Vec<_> =
        loaded.iter().map(|plugin| plugin.as_ref().map(Plugin::name).ok()).collect();
    assert_eq!(names, [Some("one"), None, Some("three")]);
    assert!(host.load_all(&[]).is_empty());
}
