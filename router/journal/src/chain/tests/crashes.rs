//! A crash at every operation of sealing and expiring, compared with a list.

use super::*;

/// What a chain must hold: everything sealed and not expired, and of the last span all or nothing.
struct Model {
    sealed: u64,
    from: u64,
}

/// One life of the process: it opens the chain and works until the disk fails.
fn live(disk: &SimulatedDisk, model: &mut Model) -> Result<(), String> {
    let opened = Chain::open_on(disk, options());
    let chain = match opened {
        Ok((chain, report)) => {
            if !report.faults.is_empty() || !report.strays.is_empty() {
                return Err(format!("{report:?}"));
            }
            chain
        }
        Err(OpenError::Io { .. }) => return Ok(()), // The disk failed while it was opened.
        Err(error) => return Err(error.to_string()),
    };
    check(&chain, model)?;
    for _ in 0..3 {
        let next = model.sealed + 330;
        if seal(&chain, model.sealed..next).is_err() {
            return Ok(());
        }
        model.sealed = next;
        check(&chain, model)?;
        let before_time = i64::try_from(model.sealed / 10).ok().map(|time| time - 40);
        let keep =
            Retention { before_time, bytes_max: None, needed_from: Offset::new(model.sealed) };
        if chain.expire(&keep).is_err() {
            return Ok(());
        }
        check(&chain, model)?;
    }
    Ok(())
}

fn check(chain: &Chain, model: &mut Model) -> Result<(), String> {
    let covered = chain.covered();
    let (from, to) = (covered.start.get(), covered.end.get());
    if to < model.sealed || from < model.from || (from != to && from != from.min(model.sealed)) {
        return Err(format!("{} of {} are covered: {covered:?}", model.sealed, model.from));
    }
    let found = drain(&mut chain.read(Offset::ZERO)).map_err(|error| error.to_string())?;
    if found != records(from..to) {
        return Err(format!("{} records in {covered:?}", found.len()));
    }
    // A span that was not acknowledged may be there, whole or up to the end of a file.
    (model.sealed, model.from) = (to, from);
    Ok(())
}

#[test]
fn a_crash_at_any_operation_leaves_what_was_sealed() {
    for after in 0..70 {
        for seed in 1..5_u64 {
            let disk = disk(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut model = Model { sealed: 0, from: 0 };
            for power in [after, 37 * seed % 50, after / 2] {
                disk.faults(|faults| faults.power_after = Some(power));
                let lived = live(&disk, &mut model);
                lived.unwrap_or_else(|error| panic!("seed {seed}, after {after}: {error}"));
                disk.crash();
            }
            live(&disk, &mut model).unwrap_or_else(|error| panic!("{seed}/{after}: {error}"));
            let names = disk.names();
            assert!(!names.iter().any(|name| name.ends_with(".new")), "{names:?}");
        }
    }
}

#[test]
fn a_failed_sync_or_write_loses_nothing() {
    for after in 0..30 {
        for writes in [false, true] {
            let disk = disk(after + 1);
            let mut model = Model { sealed: 0, from: 0 };
            live(&disk, &mut model).unwrap();
            disk.faults(|faults| match writes {
                true => faults.write_fails_after = Some(after),
                false => faults.sync_fails_after = Some(after),
            });
            live(&disk, &mut model).unwrap_or_else(|error| panic!("after {after}: {error}"));
            disk.crash();
            live(&disk, &mut model).unwrap_or_else(|error| panic!("after {after}: {error}"));
        }
    }
}

#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    let found_out = (1..=40).filter(|seed| {
        let disk = disk(*seed);
        disk.faults(|faults| faults.sync_lies = true);
        let mut model = Model { sealed: 0, from: 0 };
        (0..4).any(|_| {
            let lost = live(&disk, &mut model).is_err();
            disk.crash();
            lost
        })
    });
    assert!(30 < found_out.count(), "the tests above would not notice a loss");
}

#[test]
fn a_crash_while_a_chain_is_removed_leaves_it_whole_or_empty() {
    for after in 0..30 {
        for seed in 1..12 {
            let disk = disk(seed);
            let (chain, _) = open(&disk);
            seal(&chain, 0..900).unwrap();
            disk.faults(|faults| faults.power_after = Some(after));
            let removed = chain.remove().is_ok();
            disk.crash();
            let (chain, report) = open(&disk);
            assert_eq!((report.faults, report.strays), (vec![], vec![]));
            let found = read_all(&chain);
            assert!(found.is_empty() || (!removed && found == records(0..900)));
        }
    }
}
