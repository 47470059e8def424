//! The choice of one server of a group. Pure: the view is given, and so is the roll of the dice.

use std::time::Duration;

use super::{Access, GroupView, MemberView, Role, State};

/// Why no server of a group can be given; the text is for the client and the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPlace(pub String);

/// The place in `view.members` of the server for a connection. Replicas get connections in proportion to their weights,
/// by `roll`, any number; those in `tried` were tried in vain.
///
/// # Errors
/// There is none.
pub fn place(view: &GroupView, access: Access, tried: &[usize], roll: u64) -> Result<usize, NoPlace> {
    match access {
        Access::Primary => primary(view, tried),
        Access::ReadOnly => replica(view, tried, roll),
    }
}

fn primary(view: &GroupView, tried: &[usize]) -> Result<usize, NoPlace> {
    let name = &view.name;
    match &view.primary {
        Ok(at) if tried.contains(at) => {
            Err(NoPlace(format!("the primary of group '{name}' does not answer")))
        }
        Ok(at) => Ok(*at),
        Err(reason) => Err(NoPlace(format!("group '{name}' has no primary: {reason}"))),
    }
}

fn replica(view: &GroupView, tried: &[usize], roll: u64) -> Result<usize, NoPlace> {
    let obstacles: Vec<Option<String>> = view
        .members
        .iter()
        .enumerate()
        .map(|(at, member)| obstacle(member, view.lag_limit, tried.contains(&at)))
        .collect();
    let fit = || {
        let members = view.members.iter().zip(&obstacles).enumerate();
        members.filter(|(_, (_, obstacle))| obstacle.is_none())
    };
    let weights: u64 = fit().map(|(_, (member, _))| u64::from(member.weight)).sum();
    if weights > 0 {
        let mut left = roll % weights;
        for (at, (member, _)) in fit() {
            let weight = u64::from(member.weight);
            if left < weight {
                return Ok(at);
            }
            left -= weight;
        }
    }
    let members = view.members.iter().zip(obstacles);
    let reasons: Vec<String> = members
        .filter_map(|(member, obstacle)| Some(format!("'{}' {}", member.name, obstacle?)))
        .collect();
    Err(NoPlace(format!(
        "group '{}' has no replica to read from: {}",
        view.name,
        reasons.join(", ")
    )))
}

/// Why no reading connection goes to a server.
fn obstacle(member: &MemberView, lag_limit: Option<Duration>, was_tried: bool) -> Option<String> {
    match (&member.state, member.role) {
        (State::Down(reason), _) => return Some(format!("is down ({reason})")),
        (State::Withheld(reason), _) => return Some(format!("is withheld ({reason})")),
        (State::Up, Role::Primary) => return Some("is the primary".to_owned()),
        (State::Up, Role::Unknown) => return Some("is not known to be a replica".to_owned()),
        (State::Up, Role::Replica) => {}
    }
    if member.weight == 0 {
        return Some("has the weight 0".to_owned());
    }
    if let Some((lag, limit)) = member.lag.zip(lag_limit)
        && lag > limit
    {
        let (lag, limit) = (lag.as_secs_f64(), limit.as_secs_f64());
        return Some(format!("is {lag} s behind, more than {limit} s"));
    }
    was_tried.then(|| "does not answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Upstream;
    use crate::routing::NoPrimary;

    fn member(name: &str, role: Role, weight: u32) -> MemberView {
        MemberView {
            name: name.to_owned(),
            upstream: Upstream {
                host: name.to_owned(),
                port: 3306,
            },
            weight,
            role,
            state: State::Up,
            lag: None,
            transactions: String::new(),
            differing: None,
        }
    }

    fn view() -> GroupView {
        GroupView {
            name: "main".to_owned(),
            lag_limit: Some(Duration::from_secs(10)),
            primary: Ok(0),
            members: vec![
                member("p", Role::Primary, 5),
                member("a", Role::Replica, 1),
                member("b", Role::Replica, 3),
            ],
        }
    }

    fn counts(view: &GroupView) -> Vec<usize> {
        let mut counts = vec![0; view.members.len()];
        for roll in 0..400 {
            counts[place(view, Access::ReadOnly, &[], roll).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn writers_go_to_the_primary() {
        assert_eq!(place(&view(), Access::Primary, &[], 7), Ok(0));
        let tried = place(&view(), Access::Primary, &[0], 7).unwrap_err();
        assert!(tried.0.contains("does not answer"), "{tried}");
        let without = GroupView {
            primary: Err(NoPrimary("a lacks 3 transactions".to_owned())),
            ..view()
        };
        let refused = place(&without, Access::Primary, &[], 7).unwrap_err();
        assert_eq!(refused.0, "group 'main' has no primary: a lacks 3 transactions");
    }

    #[test]
    fn replicas_get_their_shares() {
        assert_eq!(counts(&view()), [0, 100, 300]);
        let mut changed = view();
        changed.members[1].weight = 0;
        assert_eq!(counts(&changed), [0, 0, 400]);
        changed.members[1].weight = u32::MAX;
        changed.members[2].weight = u32::MAX;
        assert!(place(&changed, Access::ReadOnly, &[], u64::MAX).is_ok());
    }

    #[test]
    fn only_fit_replicas_are_read_from() {
        type Spoil = fn(&mut MemberView);
        let spoil: [(Spoil, &str); 5] = [
            (
                |b| b.state = State::Down("refused".to_owned()),
                "'b' is down (refused)",
            ),
            (
                |b| b.state = State::Withheld("odd".to_owned()),
                "'b' is withheld (odd)",
            ),
            (|b| b.role = Role::Unknown, "'b' is not known to be a replica"),
            (|b| b.weight = 0, "'b' has the weight 0"),
            (
                |b| b.lag = Some(Duration::from_millis(10_500)),
                "'b' is 10.5 s behind, more than 10 s",
            ),
        ];
        for (spoil, reason) in spoil {
            let mut view = view();
            view.members[1].lag = Some(Duration::from_secs(10));
            spoil(&mut view.members[2]);
            for roll in 0..4 {
                assert_eq!(place(&view, Access::ReadOnly, &[], roll), Ok(1), "{reason}");
            }
            let refused = place(&view, Access::ReadOnly, &[1], 0).unwrap_err();
            for part in [
                "group 'main' has no replica",
                "'p' is the primary",
                "'a' does not answer",
                reason,
            ] {
                assert!(refused.0.contains(part), "{refused} lacks {part}");
            }
        }
    }
}
