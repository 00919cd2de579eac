//! Who comes to a slot when.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// A request of a tenant, maybe in a session.
fn ask(slots: &Slots, of: &str, session: Option<&str>) -> Waiting {
    slots.request(&tenant(of), session).unwrap()
}

/// The slot, where it is there now.
fn now(waiting: &mut Waiting) -> Option<Slot> {
    waiting.now_or_never().map(Result::unwrap)
}

/// Those of `waiting` who have come to a slot, by name; they leave the list.
fn served(waiting: &mut Vec<(&'static str, Waiting)>) -> Vec<(&'static str, Slot)> {
    let mut served = Vec::new();
    waiting.retain_mut(|(name, waiting)| now(waiting).map(|slot| served.push((*name, slot))).is_none());
    served
}

/// In which order they come to the only slot that there is.
fn order(mut waiting: Vec<(&'static str, Waiting)>) -> Vec<&'static str> {
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let mut served = served(&mut waiting);
        assert_eq!(served.len(), 1, "one slot");
        order.extend(served.pop().map(|(name, _)| name));
    }
    order
}

#[test]
fn tenants_take_turns_and_each_is_served_in_order() {
    let slots = Slots::new(1, 64);
    let held = now(&mut ask(&slots, "a", None)).unwrap();
    let waiting = ["a0", "a1", "a2", "b0", "b1", "c0"].map(|name| (name, ask(&slots, &name[..1], None)));
    drop(held);
    assert_eq!(order(waiting.into()), ["a0", "b0", "c0", "a1", "b1", "a2"]);
    assert_eq!(slots.load(), Load { running: 0, waiting: 0 });
}

#[test]
fn a_session_has_one_at_a_time_in_order_and_holds_no_slot_for_those_behind() {
    let slots = Slots::new(3, 64);
    let mut waiting = vec![
        ("x0", ask(&slots, "a", Some("x"))),
        ("x1", ask(&slots, "a", Some("x"))),
        ("x2", ask(&slots, "a", Some("x"))),
        ("y", ask(&slots, "a", Some("y"))),
        ("of another", ask(&slots, "b", Some("x"))),
    ];
    let mut first = served(&mut waiting);
    assert_eq!(first.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["x0", "y", "of another"]);
    drop(first.split_off(1));
    assert!(served(&mut waiting).is_empty(), "two slots are free, and the session is not");
    drop(first);
    let second = served(&mut waiting);
    assert_eq!(second.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["x1"]);
    // The place goes to others, the session to nobody until it is over.
    let turn = second.into_iter().next().unwrap().1.keep_session();
    assert!(served(&mut waiting).is_empty());
    assert_eq!(slots.load(), Load { running: 0, waiting: 1 });
    drop(turn);
    assert_eq!(served(&mut waiting)[0].0, "x2");
}

#[test]
fn requests_and_jobs_take_turns_but_never_out_of_order_in_a_session() {
    let slots = Slots::new(1, 64);
    let held = now(&mut ask(&slots, "a", None)).unwrap();
    let job = |session: Option<&str>| slots.job(&tenant("a"), session).unwrap();
    let waiting = vec![
        ("job 0", job(Some("x"))),
        ("job 1", job(None)),
        ("job 2", job(None)),
        ("request in x", ask(&slots, "a", Some("x"))),
        ("request", ask(&slots, "a", None)),
    ];
    drop(held);
    assert_eq!(order(waiting), ["request", "job 0", "request in x", "job 1", "job 2"]);
}

#[test]
fn the_queue_is_bounded_and_a_tenant_with_many_makes_room_for_one_with_few() {
    let slots = Slots::new(1, 3);
    let held = now(&mut ask(&slots, "a", None)).unwrap();
    let mut waiting = ["a0", "a1", "a2"].map(|name| (name, ask(&slots, "a", None)));
    let full = slots.request(&tenant("a"), None).err();
    assert!(full.is_some_and(|full| (1..=LONGEST_AWAY).contains(&full.retry_after)), "{full:?}");
    assert!(slots.job(&tenant("a"), None).is_ok(), "jobs are kept elsewhere");
    let of_b = ask(&slots, "b", None);
    let told = (&mut waiting[2].1).now_or_never();
    assert!(matches!(told, Some(Err(Full { .. }))), "the newest place of the tenant with most is given up");
    assert!(slots.request(&tenant("b"), None).is_err(), "two and one: nobody has clearly fewer");
    let [first, second, _] = waiting;
    drop(held);
    assert_eq!(order(vec![first, second, ("b", of_b)]), ["a0", "b", "a1"]);
}

#[test]
fn where_slots_are_held_for_long_there_is_always_one_for_who_has_none() {
    let slots = Slots::leaving_room(4, 64);
    let mut waiting: Vec<_> = ["a0", "a1", "a2", "a3"].map(|name| (name, ask(&slots, "a", None))).into();
    let names = |served: &[(&'static str, Slot)]| served.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let mut of_a = served(&mut waiting);
    assert_eq!((names(&of_a), slots.load()), (vec!["a0", "a1"], Load { running: 2, waiting: 2 }));
    for name in ["b0", "b1", "c0", "d0"] {
        waiting.push((name, ask(&slots, &name[..1], None)));
    }
    let others = served(&mut waiting);
    assert_eq!(names(&others), ["b0", "c0"]);
    // The next slot is for who has none, though others have waited for longer.
    drop(of_a.pop());
    let last = served(&mut waiting);
    assert_eq!(names(&last), ["d0"]);
    drop((of_a, others, last));
    assert_eq!(names(&served(&mut waiting)), ["a2", "a3", "b1"]);
}

#[test]
fn whoever_goes_leaves_nothing_behind() {
    let slots = Slots::new(1, 2);
    let held = now(&mut ask(&slots, "a", Some("x"))).unwrap();
    let (gone, stays) = (ask(&slots, "a", Some("x")), ask(&slots, "a", None));
    drop(gone);
    assert!(slots.request(&tenant("a"), None).is_ok(), "its place is free");
    // Granted, and dropped before it was taken.
    drop(held);
    assert_eq!(slots.load(), Load { running: 1, waiting: 0 });
    drop(stays);
    assert_eq!(slots.load(), Load { running: 0, waiting: 0 });
    assert!(now(&mut ask(&slots, "a", Some("x"))).is_some());
}

proptest! {
    /// Whatever comes and goes: never more at work than slots, never two in a session, and all who wait are served.
    #[test]
    fn nobody_is_forgotten(steps in proptest::collection::vec((0..3_u8, 0..3_usize, 0..4_usize), 1..80)) {
        let slots = Slots::new(2, 1_000);
        let mut waiting: Vec<(Option<usize>, Waiting)> = Vec::new();
        let mut working: Vec<(Option<usize>, Slot)> = Vec::new();
        for (what, of, session) in steps {
            match what {
                0 | 1 => {
                    let (tenant, name) = (tenant(["a", "b", "c"][of]), ["x", "y", "z"].get(session));
                    let joined = if what == 0 { slots.request(&tenant, name.copied()) } else { slots.job(&tenant, name.copied()) };
                    waiting.push((name.map(|_| of * 3 + session), joined.unwrap()));
                }
                _ if session % 2 == 0 && !waiting.is_empty() => drop(waiting.remove(of % waiting.len())),
                _ if !working.is_empty() => drop(working.remove(of % working.len())),
                _ => {}
            }
            waiting.retain_mut(|(key, waiter)| now(waiter).map(|slot| working.push((*key, slot))).is_none());
            prop_assert!(working.len() <= 2);
            let busy: Vec<usize> = working.iter().filter_map(|(key, _)| *key).collect();
            prop_assert!(busy.len() < 2 || busy[0] != busy[1]);
            prop_assert_eq!(slots.load(), Load { running: working.len(), waiting: waiting.len() });
        }
        while !waiting.is_empty() {
            working.clear();
            let before = waiting.len();
            waiting.retain_mut(|(key, waiter)| now(waiter).map(|slot| working.push((*key, slot))).is_none());
            prop_assert!(waiting.len() < before, "slots are free, and nobody is served");
        }
    }
}
