//! Servers that other people run on this machine.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::checkout::Checkout;

#[test]
fn what_answers_at_the_usual_port_is_not_read_in_place_of_the_checkouts_own() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let asked = Arc::new(AtomicUsize::new(0));
    // Where the port is taken, a stranger is there already.
    if let Ok(stranger) = TcpListener::bind("127.0.0.1:5433") {
        let asked = Arc::clone(&asked);
        // Ends with the test process.
        std::thread::spawn(move || {
            for connection in stranger.incoming() {
                drop(connection);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (status, said) = checkout.run(&["runs", "list", "--json"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(said.trim(), "[]");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "the stranger was asked");
    assert!(checkout.databases_stopped());
}
