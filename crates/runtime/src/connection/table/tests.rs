//! How many connections there may be, and who makes room.

use super::*;

#[test]
fn files_for_other_than_connections_are_left() {
    for (asked, files, connections) in [
        (None, 1 << 20, MOST),
        (None, 128, 32),
        (None, 1024, 736),
        (None, 20, FOR_HEALTH),
        (Some(5), 1024, 5),
        (Some(20_000), 1 << 20, 20_000),
        (Some(2000), 1024, 736),
    ] {
        assert_eq!(most(asked, files), connections, "{asked:?} {files}");
    }
}

fn of(most: usize) -> (Connections, Port) {
    let connections = Connections::new(ConnectionPolicy {
        max_connections: Some(most),
        ..ConnectionPolicy::default()
    });
    let port = connections.port(PortKind::Http);
    (connections, port)
}

#[test]
fn the_longest_idle_connection_makes_room() {
    let (connections, port) = of(2);
    let enter = |now_ms| port.try_enter(true, now_ms).expect("a place");
    let (first, second) = (enter(0), enter(1));
    let busy = first.requests().begin();
    // Nobody is idle for long enough yet: a place for health.
    let third = enter(IDLE_BEFORE_CLOSED_MS);
    assert!(third.seat().is_for_health() && !second.seat().is_over());
    let fourth = enter(IDLE_BEFORE_CLOSED_MS + 1);
    assert!(!fourth.seat().is_for_health());
    assert!(second.seat().is_over() && !first.seat().is_over());
    drop((first, second, third, fourth, busy));
    assert_eq!(connections.open(), 0);
}

#[test]
fn places_for_health_are_bounded() {
    let (connections, port) = of(1);
    let busy: Vec<_> = (0..connections.0.most + FOR_HEALTH)
        .map(|_| {
            let seated = port.try_enter(true, 0).expect("a place");
            (seated.requests().begin(), seated)
        })
        .collect();
    assert!(port.try_enter(true, 0).is_none());
    drop(busy);
    assert!(
        !port
            .try_enter(true, 0)
            .expect("a place")
            .seat()
            .is_for_health()
    );
}
