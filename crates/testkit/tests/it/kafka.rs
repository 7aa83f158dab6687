use std::net::{SocketAddr, TcpStream};

use testkit::kafka::Kafka;

fn is_listening(address: &str) -> bool {
    let address: SocketAddr = address.parse().unwrap();
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_broker_crashes_starts_again_and_leaves_nothing_behind() {
    let Some(kafka) = Kafka::start(1) else { return };
    let address = kafka.brokers().to_owned();
    assert!(is_listening(&address));
    kafka.kill(1);
    assert!(!is_listening(&address));
    kafka.start_again(1);
    assert!(is_listening(&address));
    drop(kafka);
    assert!(!is_listening(&address));
}
