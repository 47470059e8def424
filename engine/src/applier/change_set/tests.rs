use proptest::prelude::*;

use super::*;
use crate::key::KeyValue;

fn key(n: u64) -> Key {
    Key(vec![KeyValue::Uint(n)])
}

fn position(offset: u64) -> Position {
    Position {
        server: "s".to_owned(),
        file: "log.000001".to_owned(),
        offset,
        gtids: None,
    }
}

fn passed(set: &mut ChangeSet) -> Option<u64> {
    set.pass().applied_through.map(|fact| fact.into_position().offset)
}

#[test]
fn a_position_waits_for_the_keys_before_it() {
    let mut set = ChangeSet::default();
    set.add(key(1));
    set.end_transaction(position(10));
    set.add(key(2));
    set.end_transaction(position(20));
    let first = set.take(1).unwrap();
    let second = set.take(1).unwrap();
    set.done(second, &[]);
    assert_eq!(passed(&mut set), None);
    set.done(first, &[]);
    assert_eq!(passed(&mut set), Some(20));
    assert_eq!(set.len(), 0);
}

#[test]
fn positions_behind_a_locked_row_are_bounded() {
    let mut set = ChangeSet::default();
    set.add(key(0));
    let locked = set.take(1).unwrap();
    set.done(locked, &[key(0)]);
    let (reply, mut told) = oneshot::channel();
    set.tell(reply);
    for n in 1..50_000 {
        set.add(key(n));
        set.end_transaction(position(n));
        let batch = set.take(1).unwrap();
        set.done(batch, &[]);
        assert_eq!(passed(&mut set), None);
        assert!(set.tokens.len() <= TOKENS_MAX + 1);
    }
    let batch = set.take_locked().unwrap();
    set.done(batch, &[]);
    let through = set.pass();
    assert_eq!(
        through.applied_through.unwrap().into_position().offset,
        49_999,
        "the last one is kept"
    );
    assert_eq!(through.replies.len(), 1, "who asked is told");
    assert!(told.try_recv().is_err());
}

#[test]
fn bytes_are_counted_while_keys_wait() {
    let long = |n: u8| Key(vec![KeyValue::Bytes(vec![n; 3000])]);
    let mut set = ChangeSet::default();
    set.add(long(1));
    let one = set.waiting_bytes();
    assert!(one > 3000);
    set.add(long(1));
    set.add(long(2));
    assert_eq!(set.waiting_bytes(), 2 * one);
    let batch = set.take(2).unwrap();
    assert_eq!(set.waiting_bytes(), 0);
    set.add(long(1));
    set.done(batch, &[long(1), long(2)]);
    assert_eq!(set.waiting_bytes(), 2 * one);
    let batch = set.take_all().unwrap();
    set.undone(batch);
    assert_eq!(set.waiting_bytes(), 2 * one);
}

#[test]
fn a_key_that_comes_again_in_flight_is_reconciled_again() {
    let mut set = ChangeSet::default();
    set.add(key(1));
    let batch = set.take(10).unwrap();
    set.add(key(1));
    set.end_transaction(position(10));
    assert_eq!(set.take(10), None, "a key is in flight once at a time");
    set.done(batch, &[]);
    assert_eq!(passed(&mut set), None);
    let batch = set.take(10).unwrap();
    set.done(batch, &[]);
    assert_eq!(passed(&mut set), Some(10));
}

#[test]
fn a_locked_key_holds_back_the_positions_behind_it() {
    let mut set = ChangeSet::default();
    set.add(key(1));
    set.add(key(2));
    set.end_transaction(position(10));
    let batch = set.take(10).unwrap();
    set.add(key(1));
    set.done(batch, &[key(1)]);
    assert_eq!((passed(&mut set), set.take(10)), (None, None));
    let batch = set.take_locked().unwrap();
    assert_eq!((batch.wait, batch.keys()), (true, vec![key(1)]));
    set.done(batch, &[]);
    assert_eq!((passed(&mut set), set.len()), (Some(10), 0));
}

#[test]
fn idle_positions_take_no_room() {
    let mut set = ChangeSet::default();
    set.add(key(1));
    for offset in 0..1000 {
        set.end_transaction(position(offset));
    }
    assert_eq!(set.tokens.len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64),
    End,
    Take(usize),
    TakeLocked,
    /// Finishes one of the batches in flight: wholly, with its first key locked, or not at all.
    Land(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..8).prop_map(Step::Add),
        2 => Just(Step::End),
        2 => (1usize..4).prop_map(Step::Take),
        1 => Just(Step::TakeLocked),
        3 => (0usize..4, 0u8..3).prop_map(|(which, how)| Step::Land(which, how)),
    ]
}

proptest! {
    /// A model keeps, for every key, when it last changed and when the last read that was committed began. Whenever a
    /// position passes, every change before it must have been read.
    #[test]
    fn no_position_passes_a_change_that_was_not_read(steps in prop::collection::vec(step(), 1..200)) {
        let mut set = ChangeSet::default();
        let mut clock = 0u64;
        let mut changes: Vec<(u64, u64)> = Vec::new();
        let mut read_at: HashMap<u64, u64> = HashMap::new();
        let mut flying: Vec<(Batch, u64)> = Vec::new();
        let number = |key: &Key| match key.0.first() {
            Some(KeyValue::Uint(n)) => *n,
            _ => unreachable!("keys of this test are numbers"),
        };
        for step in steps {
            clock += 1;
            match step {
                Step::Add(n) => { changes.push((clock, n)); set.add(key(n)); }
                Step::End => set.end_transaction(position(clock)),
                Step::Take(max) => flying.extend(set.take(max).map(|batch| (batch, clock))),
                Step::TakeLocked => flying.extend(set.take_locked().map(|batch| (batch, clock))),
                Step::Land(which, how) if which < flying.len() => {
                    let (batch, began) = flying.remove(which);
                    let keys = batch.keys();
                    let locked = &keys[..usize::from(how == 1)];
                    if how == 2 {
                        set.undone(batch);
                    } else {
                        for key in &keys[locked.len()..] {
                            let read = read_at.entry(number(key)).or_default();
                            *read = began.max(*read);
                        }
                        set.done(batch, locked);
                    }
                }
                Step::Land(..) => {}
            }
            if let Some(through) = passed(&mut set) {
                for (at, n) in changes.iter().filter(|(at, _)| *at <= through) {
                    prop_assert!(read_at.get(n).is_some_and(|read| read > at), "{n} changed at {at}");
                }
            }
        }
    }
}
