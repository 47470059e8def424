//! One case after the other, by hand.

use std::time::Duration;

use super::scene::{Scene, named, primary, server, standing};

#[track_caller]
fn holds(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is not in `{text}`");
}

/// `a` is the primary, `b` and `c` follow it with all it has.
fn at_peace(transactions: &str) -> Scene {
    let mut scene = Scene::new();
    let decision = scene.see(&[
        server("b", transactions).follows("a", Some(0)),
        server("c", transactions).follows("a", Some(0)),
        server("a", transactions).writable(),
    ]);
    assert_eq!(primary(&decision), "a");
    assert_eq!(
        (standing(&decision, "b"), standing(&decision, "c")),
        ("up".into(), "up".into())
    );
    scene
}

#[test]
fn nobody_is_chosen_before_all_were_asked() {
    let mut scene = Scene::new();
    let decision = scene.see(&[server("a", "a:1").writable()]);
    holds(&primary(&decision), "'b' has not been asked yet");
    let decision = scene.see(&[server("b", "a:1"), server("c", "a:1").writable()]);
    holds(&primary(&decision), "'a' and 'c' both take writes");
    let decision = scene.see(&[server("c", "a:1")]);
    assert_eq!(primary(&decision), "a");
}

#[test]
fn a_replica_that_may_be_written_to_is_no_primary() {
    let mut scene = Scene::new();
    let b = server("b", "a:1").writable().follows("a", Some(0));
    let decision = scene.see(&[server("a", "a:1").writable(), b.clone(), server("c", "a:1")]);
    assert_eq!(primary(&decision), "a");
    let decision = scene.silent("a");
    holds(&primary(&decision), "'b': takes writes but still replicates from");
    assert_eq!(standing(&decision, "b"), "up", "reading goes on");
    let decision = scene.see(&[server("b", "a:1").writable().stopped("a")]);
    assert_eq!(primary(&decision), "b");
}

#[test]
fn a_source_that_never_answered_may_be_a_member() {
    let mut scene = Scene::new();
    scene.silent("a");
    let decision = scene.see(&[
        server("b", "a:1").writable().follows("a", Some(0)),
        server("c", "a:1"),
    ]);
    holds(&primary(&decision), "still replicates");
}

#[test]
fn a_circle_goes_on_with_the_one_known() {
    let mut scene = at_peace("a:1-5");
    let decision = scene.see(&[
        server("b", "a:1-5").writable().follows("a", Some(0)),
        server("a", "a:1-5").writable().follows("b", Some(0)),
    ]);
    assert_eq!(primary(&decision), "a");
    // A demoted primary that nobody made read-only is no primary because it once was.
    let decision = scene.see(&[server("b", "a:1-5").follows("c", Some(0))]);
    holds(&primary(&decision), "'a': takes writes but still replicates");
}

#[test]
fn a_new_primary_has_everything_or_is_refused() {
    let mut scene = at_peace("a:1-5");
    scene.see(&[server("a", "a:1-9").writable()]);
    scene.silent("a");
    let decision = scene.see(&[server("b", "a:1-7").writable()]);
    holds(&primary(&decision), "'b' takes writes, but lacks transactions");
    assert!(
        primary(&decision).ends_with("'a' was seen to have: a:8-9"),
        "{}",
        primary(&decision)
    );
    let differing = decision.members[1].differing.as_ref().unwrap();
    assert_eq!(named(&differing.to_string()), "a:8-9");
    let decision = scene.see(&[server("b", "a:1-9").writable()]);
    assert_eq!(primary(&decision), "b");
    let decision = scene.see(&[
        server("c", "a:1-9,b:1").follows("b", Some(0)),
        server("b", "a:1-9,b:1").writable(),
    ]);
    assert_eq!(standing(&decision, "c"), "up");
}

#[test]
fn what_a_replica_has_of_the_primary_was_seen_too() {
    let mut scene = at_peace("a:1-5");
    scene.see(&[server("c", "a:1-6").follows("a", Some(0))]);
    scene.silent("a");
    let decision = scene.see(&[server("b", "a:1-5").writable()]);
    holds(&primary(&decision), "was seen to have: a:6");
}

#[test]
fn what_was_received_must_be_applied() {
    let mut scene = at_peace("a:1-5");
    scene.silent("a");
    let b = |has| server("b", has).writable().received("a:4-6").stopped("a");
    // Received before it was promoted; the writes of its own are beside the point.
    scene.see(&[server("b", "a:1-5").received("a:4-6").follows("a", Some(0))]);
    let decision = scene.see(&[b("a:1-5,b:1")]);
    holds(&primary(&decision), "was seen to have: a:6");
    let decision = scene.see(&[b("a:1-6,b:1")]);
    assert_eq!(primary(&decision), "b");
}

#[test]
fn a_primary_is_not_held_to_what_came_after_it_was_asked() {
    let mut scene = at_peace("a:1-5");
    let decision = scene.see(&[server("b", "a:1-8").follows("a", Some(0))]);
    assert_eq!(primary(&decision), "a");
    assert_eq!(
        standing(&decision, "b"),
        "up",
        "it is looked at later than its primary"
    );
    // But to what came before: it has lost it.
    let decision = scene.see(&[server("a", "a:1-5").writable()]);
    holds(&primary(&decision), "'a' takes writes, but lacks transactions");
    let decision = scene.see(&[server("a", "a:1-8").writable()]);
    assert_eq!(primary(&decision), "a");
}

#[test]
fn another_is_held_to_what_was_told_lately() {
    let mut scene = at_peace("a:1-5");
    // A switchover: the replica looked at last shows a write that came after the last look at the old primary.
    scene.see(&[server("a", "a:1-5"), server("c", "a:1-6").follows("a", Some(0))]);
    let decision = scene.see(&[server("b", "a:1-5").writable()]);
    holds(&primary(&decision), "was seen to have: a:6");
    let decision = scene.see(&[server("b", "a:1-6").writable()]);
    assert_eq!(primary(&decision), "b");
}

#[test]
fn an_operator_may_give_up_what_is_lost() {
    let mut scene = at_peace("a:1-9");
    scene.silent("a");
    scene.see(&[
        server("b", "a:1-7").writable(),
        server("c", "a:1-9").follows("a", None),
    ]);
    holds(&scene.accept("a", "a:8-9").unwrap_err(), "does not answer");
    holds(&scene.accept("c", "a:8-9").unwrap_err(), "takes no writes");
    holds(&scene.accept("x", "a:8-9").unwrap_err(), "no server 'x'");
    holds(&scene.accept("b", "a:9").unwrap_err(), "WITHOUT 'a:8-9'");
    holds(&scene.accept("b", "UNKNOWN").unwrap_err(), "WITHOUT 'a:8-9'");
    assert_eq!(scene.accept("b", "a:8-9"), Ok("a:8-9".to_owned()));
    let decision = scene.decide();
    assert_eq!(primary(&decision), "b");
    let looks = [
        server("c", "a:1-9").follows("a", None),
        server("b", "a:1-7,b:1").writable(),
    ];
    let decision = scene.see(&looks);
    assert_eq!(
        primary(&decision),
        "b",
        "what a replica still has is not demanded again"
    );
    holds(
        &standing(&decision, "c"),
        "withheld: it has transactions that the primary lacks: a:8-9",
    );
    holds(&scene.accept("b", "").unwrap_err(), "is the primary already");
}

#[test]
fn an_old_primary_comes_back_with_more() {
    let mut scene = at_peace("a:1-5");
    scene.silent("a");
    assert_eq!(primary(&scene.see(&[server("b", "a:1-5,b:1").writable()])), "b");
    // Its last two writes were never seen. It still takes writes.
    let decision = scene.see(&[server("a", "a:1-7").writable()]);
    assert_eq!(primary(&decision), "b");
    holds(
        &standing(&decision, "a"),
        "withheld: it takes writes, too, while 'b' is the primary",
    );
    let decision = scene.see(&[server("a", "a:1-7")]);
    holds(&standing(&decision, "a"), "have not been compared");
    let decision = scene.see(&[server("b", "a:1-5,b:1-2").writable()]);
    holds(&standing(&decision, "a"), "lacks: a:6-7");
    assert_eq!(
        decision.members[0]
            .differing
            .as_ref()
            .map(|it| named(&it.to_string())),
        Some("a:6-7".into())
    );
    // The new primary goes away, too: the old one is still not used.
    let decision = scene.silent("b");
    holds(&standing(&decision, "a"), "lacks: a:6-7");
    let decision = scene.see(&[server("a", "a:1-7").writable()]);
    holds(
        &primary(&decision),
        "'a' takes writes, but lacks transactions that the primary 'b' was seen to have: b:1-2",
    );
    // Cloned anew from `b`.
    scene.see(&[
        server("b", "a:1-5,b:1-2").writable(),
        server("a", "a:1-5,b:1-2").follows("b", Some(0)),
    ]);
    let decision = scene.decide();
    assert_eq!(
        (primary(&decision).as_str(), standing(&decision, "a").as_str()),
        ("b", "up")
    );
}

#[test]
fn an_old_primary_is_up_again_when_its_writes_are_brought_over() {
    let mut scene = at_peace("a:1-5");
    scene.silent("a");
    scene.see(&[server("b", "a:1-5,b:1").writable()]);
    scene.see(&[server("a", "a:1-7"), server("b", "a:1-5,b:1").writable()]);
    let decision = scene.see(&[
        server("b", "a:1-7,b:1").writable(),
        server("a", "a:1-7,b:1").follows("b", Some(0)),
    ]);
    assert_eq!(standing(&decision, "a"), "up");
}

#[test]
fn memory_survives_a_restart() {
    let mut scene = at_peace("a:1-9");
    scene.silent("a");
    scene.restart();
    scene.silent("a");
    let decision = scene.see(&[server("b", "a:1-7").writable(), server("c", "a:1-7")]);
    holds(&primary(&decision), "the primary 'a' was seen to have: a:8-9");
    scene.accept("b", "a:8-9").unwrap();
    scene.restart();
    let decision = scene.see(&[server("a", "a:1-9").writable(), server("b", "a:1-7").writable()]);
    assert_eq!(primary(&decision), "b", "the operator's word is remembered");
}

#[test]
fn two_that_take_writes() {
    let mut scene = at_peace("a:1-5");
    let decision = scene.see(&[server("b", "a:1-5").writable().stopped("a")]);
    assert_eq!(primary(&decision), "a");
    holds(
        &standing(&decision, "b"),
        "it takes writes, too, while 'a' is the primary",
    );
    // The operator prefers the other one, at the price of what it lacks.
    scene.see(&[server("a", "a:1-6").writable()]);
    holds(&scene.accept("b", "").unwrap_err(), "WITHOUT 'a:6'");
    scene.accept("b", "a:6").unwrap();
    let decision = scene.decide();
    assert_eq!(primary(&decision), "b");
    holds(
        &standing(&decision, "a"),
        "it takes writes, too, while 'b' is the primary",
    );
}

#[test]
fn a_server_may_be_told_apart_from_its_address() {
    // Another server answers where the primary was, with all it had: fine. Without it: refused.
    let mut scene = at_peace("a:1-5");
    let asked = scene.now();
    scene.answers(0, server("b", "a:1-4").writable(), asked);
    holds(&primary(&scene.decide()), "was seen to have: a:5");
    scene.answers(
        0,
        server("b", "a:1-5,b:1").writable(),
        asked + Duration::from_millis(1),
    );
    assert_eq!(primary(&scene.decide()), "a");
}

#[test]
fn without_gtids_a_failover_needs_an_operator() {
    let mut scene = Scene::new();
    let b = server("b", "").without_gtids().follows("a", Some(3));
    let decision = scene.see(&[
        server("a", "").without_gtids().writable(),
        b.clone(),
        server("c", "").without_gtids(),
    ]);
    assert_eq!(primary(&decision), "a");
    assert_eq!(standing(&decision, "b"), "up");
    holds(&standing(&decision, "c"), "have not been compared");
    scene.silent("a");
    let promoted = server("b", "").without_gtids().writable().stopped("a");
    let decision = scene.see(&[promoted]);
    holds(&primary(&decision), "without GTIDs");
    holds(&scene.accept("b", "").unwrap_err(), "WITHOUT 'UNKNOWN'");
    scene.accept("b", "unknown").unwrap();
    assert_eq!(primary(&scene.decide()), "b");
}

#[test]
fn group_replication_is_believed_only_with_a_majority() {
    let mut scene = Scene::new();
    let secondary = |name| server(name, "a:1").in_group("ONLINE", false, true);
    let a = server("a", "a:1").writable();
    let decision = scene.see(&[
        a.clone().in_group("ONLINE", true, true),
        secondary("b"),
        secondary("c"),
    ]);
    assert_eq!(primary(&decision), "a");
    let decision = scene.see(&[a.in_group("ONLINE", true, false)]);
    holds(&primary(&decision), "has lost the majority");
    let recovering = server("b", "a:1").writable().in_group("RECOVERING", true, true);
    let decision = scene.see(&[recovering]);
    holds(&standing(&decision, "b"), "RECOVERING");
    holds(&primary(&decision), "has no primary");
}

#[test]
fn a_closed_server_serves_nobody() {
    let mut scene = at_peace("a:1");
    let decision = scene.see(&[
        server("a", "a:1").writable().closed(),
        server("b", "a:1").closed(),
    ]);
    holds(&primary(&decision), "'a': it is in offline_mode");
    holds(&standing(&decision, "b"), "offline_mode");
}

#[test]
fn a_replica_is_as_far_behind_as_what_it_has_is_old() {
    let mut scene = at_peace("a:1-5");
    // It calls itself punctual, because nothing arrives any more.
    let b = || server("b", "a:1-5").follows("a", Some(0));
    for second in 1..=8 {
        scene.later(1);
        let decision = scene.see(&[server("a", &format!("a:1-{}", 5 + second)).writable(), b()]);
        assert_eq!(standing(&decision, "b"), "up");
        let lag = decision.members[1].lag.unwrap().as_secs();
        assert!((second..=second + 2).contains(&lag), "{lag} s after {second} s");
    }
    scene.later(5);
    let decision = scene.see(&[server("a", "a:1-99").writable(), b()]);
    holds(&standing(&decision, "b"), "s behind");
    let differing = decision.members[1].differing.as_ref().unwrap();
    assert_eq!(named(&differing.to_string()), "a:6-99");
    scene.later(500);
    for second in 0..200 {
        scene.later(1);
        let decision = scene.see(&[server("a", &format!("a:1-{}", 100 + second)).writable(), b()]);
        holds(&standing(&decision, "b"), "s behind");
    }
    let decision = scene.see(&[server("b", "a:1-299").follows("a", Some(0))]);
    assert_eq!(standing(&decision, "b"), "up");
    assert_eq!(decision.members[1].lag, Some(Duration::ZERO));
}

#[test]
fn a_stopped_replica_is_not_read_from() {
    let mut scene = at_peace("a:1-5");
    let stopped = || server("b", "a:1-5").follows("a", None);
    let decision = scene.see(&[stopped()]);
    assert_eq!(standing(&decision, "b"), "up", "it has everything");
    scene.see(&[server("a", "a:1-6").writable()]);
    scene.later(11);
    let decision = scene.see(&[server("a", "a:1-6").writable(), stopped()]);
    holds(&standing(&decision, "b"), "behind");
    // A proxy that has just started does not know since when.
    scene.restart();
    let decision = scene.see(&[server("a", "a:1-6").writable(), stopped(), server("c", "a:1-6")]);
    holds(&standing(&decision, "b"), "its replication does not run");
    assert_eq!(standing(&decision, "c"), "up");
}

#[test]
fn a_proxy_hears_what_another_saw() {
    let mut scene = at_peace("a:1-5");
    let mut other = at_peace("a:1-8");
    let now = scene.now();
    scene.known.join(&other.known.memory(), now);
    assert_eq!(primary(&scene.decide()), "a", "it was asked before");
    scene.silent("a");
    let decision = scene.see(&[server("b", "a:1-5").writable()]);
    holds(&primary(&decision), "was seen to have: a:6-8");
    other.silent("a");
    other.see(&[server("b", "a:1-5").writable()]);
    other.accept("b", "a:6-8").unwrap();
    let now = scene.now();
    scene.known.join(&other.known.memory(), now);
    assert_eq!(primary(&scene.decide()), "b", "an operator's word is heard, too");
}
