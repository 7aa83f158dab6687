//! The messages of gRPC calls, which a user's file writes as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use lab_project::proto::Described;
use lab_project::requests::RequestFile;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;

use super::reflection;
use crate::protocol::Endpoint;
use crate::stop::Stop;

/// The calls of a file, by `package.Service/Method`.
#[derive(Debug)]
pub(super) struct Calls(BTreeMap<String, MethodDescriptor>);

impl Calls {
    /// Those of the proto file that the requests name, else what the server's reflection says of them.
    pub(super) fn of(
        file: &RequestFile,
        endpoint: &Endpoint,
        timeout: Duration,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let steps = file.requests.iter().flat_map(|request| &request.steps);
        let mut names: Vec<&str> = steps.map(|step| step.call.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let described = file
            .proto
            .as_ref()
            .map(|proto| Described::read(proto).map_err(anyhow::Error::msg))
            .transpose()?;
        let described = match described {
            Some(described) => {
                let find = |name: &&str| described.call(name);
                names.iter().map(find).collect::<Vec<_>>()
            }
            None => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let asking = reflection::calls(&names, endpoint, timeout, stop);
                let pool = runtime.block_on(stop.unless_asked(asking))??;
                let find = |name: &&str| {
                    let (service, method) = name.split_once('/')?;
                    let service = pool.get_service_by_name(service)?;
                    service.methods().find(|one| one.name() == method)
                };
                names.iter().map(find).collect()
            }
        };
        let mut calls = BTreeMap::new();
        for (name, method) in names.into_iter().zip(described) {
            let method = method.with_context(|| format!("nothing describes the call {name}"))?;
            calls.insert(name.to_owned(), method);
        }
        Ok(Self(calls))
    }

    fn method(&self, call: &str) -> anyhow::Result<&MethodDescriptor> {
        let method = self.0.get(call);
        method.with_context(|| format!("nothing describes the call {call}"))
    }

    /// The bytes of a message that is given as JSON.
    ///
    /// # Errors
    /// It is not such a message.
    pub(super) fn encoded(&self, call: &str, message: &str) -> anyhow::Result<Vec<u8>> {
        let input = self.method(call)?.input();
        let mut json = serde_json::Deserializer::from_str(message);
        let wrong = || format!("the message of {call}");
        let message = DynamicMessage::deserialize(input, &mut json).with_context(wrong)?;
        json.end().with_context(wrong)?;
        Ok(message.encode_to_vec())
    }

    /// A message as JSON, fields without a value too: expectations may name them.
    ///
    /// # Errors
    /// It is not such a message.
    pub(super) fn decoded(&self, call: &str, bytes: &[u8]) -> anyhow::Result<Value> {
        let message = DynamicMessage::decode(self.method(call)?.output(), bytes)?;
        let options = SerializeOptions::new().skip_default_fields(false);
        Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use lab_project::requests::Proto;
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_json_in_both_directions() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../proto");
        let proto = Proto {
            file: "benchmark.proto".into(),
            include: vec![folder.into()],
        };
        let name = "benchmark.BalanceService/GetBalance";
        let method = Described::read(&proto).unwrap().call(name).unwrap();
        let calls = Calls(BTreeMap::from([(name.to_owned(), method)]));
        let bytes = calls.encoded(name, r#"{"accountId":"0.0.7"}"#).unwrap();
        let asked = api::benchmark::BalanceRequest::decode(&bytes[..]).unwrap();
        assert_eq!(asked.account_id, "0.0.7");
        let answer = api::benchmark::BalanceResponse {
            account_id: "0.0.7".into(),
            ..Default::default()
        };
        let json = calls.decoded(name, &answer.encode_to_vec()).unwrap();
        // As JSON of protobuf has it: 64 bits are a text.
        assert_eq!(
            json,
            json!({"accountId": "0.0.7", "balanceTinybar": "0", "timestamp": ""})
        );
        assert!(calls.encoded(name, r#"{"nobody":1}"#).is_err());
        assert!(calls.encoded("a.B/C", "{}").is_err());
    }
}
