//! The descriptors that server reflection serves.

use prost::Message;
use prost_types::FileDescriptorSet;

#[test]
fn all_services_and_their_methods_are_described() {
    let set = FileDescriptorSet::decode(api::FILE_DESCRIPTOR_SET).unwrap();
    let mut services: Vec<(String, usize)> = set
        .file
        .iter()
        .flat_map(|file| {
            let name = |service: &str| format!("{}.{service}", file.package());
            file.service
                .iter()
                .map(move |s| (name(s.name()), s.method.len()))
        })
        .collect();
    services.sort();
    let expected = [
        ("benchmark.BalanceService", 2),
        ("benchmark.Health", 1),
        ("benchmark.TransactionService", 1),
        ("com.example.grpc.EventService", 3),
        ("immutablelog.ImmutableLogService", 6),
        ("takhin.v1.TakhinService", 14),
    ];
    assert_eq!(
        services,
        expected.map(|(name, methods)| (name.to_owned(), methods))
    );
}

#[test]
fn generated_names_are_those_of_the_contract() {
    use api::{benchmark, event, immutable_log, takhin};
    assert_eq!(
        event::event_service_server::SERVICE_NAME,
        "com.example.grpc.EventService"
    );
    assert_eq!(benchmark::health_server::SERVICE_NAME, "benchmark.Health");
    assert_eq!(
        takhin::takhin_service_server::SERVICE_NAME,
        "takhin.v1.TakhinService"
    );
    assert_eq!(
        immutable_log::immutable_log_service_server::SERVICE_NAME,
        "immutablelog.ImmutableLogService"
    );
}
