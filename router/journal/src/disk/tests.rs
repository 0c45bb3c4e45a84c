//! What both disks do alike.

use std::io::ErrorKind;

use tempfile::TempDir;

use super::{Disk, PosixDisk, simulated::SimulatedDisk};

fn check(root: &dyn Disk) {
    let below = root.folder("sealed").folder("shop");
    assert_eq!(below.list().map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(below.create("a", 0).is_err(), "there is no folder");
    below.make().unwrap();
    below.make().unwrap();
    assert_eq!(root.folders().unwrap(), ["sealed"]);
    assert_eq!(root.folder("sealed").folders().unwrap(), ["shop"]);

    let file = below.create("a", 0).unwrap();
    file.write_at(b"hello", 0).unwrap();
    file.write_at(b"world", 5).unwrap();
    assert_eq!(file.len().unwrap(), 10);
    file.set_len(7).unwrap();
    let mut read = [0; 7];
    file.read_at(&mut read, 0).unwrap();
    assert_eq!(&read, b"hellowo");
    assert!(file.read_at(&mut read, 1).is_err(), "it ends before");

    assert_eq!((below.list().unwrap(), root.list().unwrap()), (vec!["a".to_owned()], vec![]));
    below.folder("damaged").make().unwrap();
    below.rename("a", "damaged/b").unwrap();
    assert_eq!(below.list().unwrap(), [""; 0]);
    assert_eq!(below.folder("damaged").list().unwrap(), ["b"]);
    assert!(below.unmake().is_err(), "something is in it");
    below.remove("damaged/b").unwrap();
    below.folder("damaged").unmake().unwrap();
    below.unmake().unwrap();
    below.unmake().unwrap();
    assert_eq!(root.folder("sealed").folders().unwrap(), [""; 0]);
}

#[test]
fn both_disks_have_folders_and_files_that_grow() {
    check(&SimulatedDisk::new(1));
    let dir = TempDir::new().unwrap();
    check(&PosixDisk::new(dir.path().to_owned()));
}

#[test]
fn what_is_written_behind_the_end_and_synced_survives_the_power() {
    for seed in 1..50 {
        let disk = SimulatedDisk::new(seed);
        let below = disk.below("attempts");
        below.make().unwrap();
        let file = below.create("a", 0).unwrap();
        below.sync_names().unwrap();
        file.write_at(&[1; 700], 0).unwrap();
        file.sync().unwrap();
        file.write_at(&[2; 2000], 700).unwrap();
        disk.crash();
        let file = below.open("a").unwrap();
        let length = file.len().unwrap();
        assert!((700..=2700).contains(&length));
        let mut read = vec![0; usize::try_from(length).unwrap()];
        file.read_at(&mut read, 0).unwrap();
        assert!(read[..700].iter().all(|byte| *byte == 1), "seed {seed}");
    }
}
