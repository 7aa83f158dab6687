//! A request prepared once, in its protocol's encoding, with fixed places that each event patches.

use anyhow::Context;
use bytes::BytesMut;
use memchr::memmem;

use super::attributes::{EventType, attributes, keyed_attributes};
use super::encoding::{Encoding, UUID, encode, json_event};
use super::ledger::{KeyWrite, SLOTS};
use super::plan::{EventPlan, ID_DIGITS, WORKER_DIGITS};

/// Digits of the number that an event writes into its key's slot.
const NUMBER_DIGITS: usize = 6;

const SLOT_PLACEHOLDER: &str = "e00";
const NUMBER_PLACEHOLDER: &str = "000000";

/// A prepared request.
#[derive(Debug)]
pub struct Template {
    bytes: Vec<u8>,
    /// Where the UUID's last twelve digits are.
    uuid_at: usize,
    /// Where the id's digits begin: worker and number, or the key.
    id_at: usize,
    /// Where slot and number of a repeating key are; 0 otherwise.
    slot_at: usize,
    number_at: usize,
}

impl Template {
    /// The template of one type with ids that never repeat.
    ///
    /// # Errors
    /// When a place to patch is not found exactly once, e.g. for a run id that contains one.
    pub fn unique(kind: EventType, plan: &EventPlan, encoding: &Encoding) -> anyhow::Result<Self> {
        let digits = format!("{:0WORKER_DIGITS$}-{:0ID_DIGITS$}", 0, 0);
        let id = format!("{}-{}-{digits}", kind.family(), plan.run_id);
        let envelope = json_event(kind, &id, "{}")?.len() - "{}".len();
        let room = plan.payload.bytes(kind).saturating_sub(envelope);
        let attributes = attributes(kind, &plan.run_id, room);
        let bytes = encode(kind, &id, &attributes, encoding)?;
        let id_at = find_once(&bytes, &id)? + id.len() - digits.len();
        let uuid_at = find_once(&bytes, UUID)? + UUID.len() - 12;
        Ok(Self {
            bytes,
            uuid_at,
            id_at,
            slot_at: 0,
            number_at: 0,
        })
    }

    /// The template for a fixed set of keys.
    ///
    /// # Errors
    /// As [`Self::unique`].
    pub fn keyed(plan: &EventPlan, encoding: &Encoding) -> anyhow::Result<Self> {
        let kind = EventType::CarCreated;
        let id = key_id(&plan.run_id, 0);
        let attributes = keyed_attributes(&plan.run_id, SLOT_PLACEHOLDER, NUMBER_PLACEHOLDER);
        let bytes = encode(kind, &id, &attributes, encoding)?;
        let slot = format!("\"{SLOT_PLACEHOLDER}\":\"{NUMBER_PLACEHOLDER}\"");
        let slot_at = find_once(&bytes, &slot)? + "\"e".len();
        Ok(Self {
            uuid_at: find_once(&bytes, UUID)? + UUID.len() - 12,
            id_at: find_once(&bytes, &id)? + id.len() - ID_DIGITS,
            slot_at,
            number_at: slot_at + "00\":\"".len(),
            bytes,
        })
    }

    /// Appends the request of event `number` of `worker`.
    pub fn write(&self, buffer: &mut BytesMut, worker: usize, number: u32, sequence: u32) {
        let request = self.append(buffer);
        self.patch_uuid(request, worker, sequence);
        digits(&mut request[self.id_at..][..WORKER_DIGITS], worker as u64);
        digits(
            &mut request[self.id_at + WORKER_DIGITS + 1..][..ID_DIGITS],
            u64::from(number),
        );
    }

    /// Appends the request that makes `write`.
    pub fn write_keyed(
        &self,
        buffer: &mut BytesMut,
        worker: usize,
        sequence: u32,
        write: KeyWrite,
    ) {
        let request = self.append(buffer);
        self.patch_uuid(request, worker, sequence);
        digits(
            &mut request[self.id_at..][..ID_DIGITS],
            u64::from(write.key),
        );
        digits(&mut request[self.slot_at..][..2], u64::from(write.slot()));
        digits(
            &mut request[self.number_at..][..NUMBER_DIGITS],
            u64::from(write.number),
        );
    }

    /// Bytes of the request, patched or not.
    #[expect(clippy::len_without_is_empty, reason = "a request is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn append<'a>(&self, buffer: &'a mut BytesMut) -> &'a mut [u8] {
        let from = buffer.len();
        buffer.extend_from_slice(&self.bytes);
        &mut buffer[from..]
    }

    fn patch_uuid(&self, request: &mut [u8], worker: usize, sequence: u32) {
        digits(&mut request[self.uuid_at..][..5], worker as u64);
        digits(&mut request[self.uuid_at + 5..][..7], u64::from(sequence));
    }
}

/// The entity id of a repeating key.
pub fn key_id(run_id: &str, key: u32) -> String {
    format!("car-{run_id}-{key:0ID_DIGITS$}")
}

/// The attribute that a repeating key's slot is stored under.
pub fn slot_name(slot: u32) -> String {
    debug_assert!(slot < SLOTS);
    format!("e{slot:02}")
}

/// The attributes of an event for repeating keys, for a writer that does not patch them.
pub fn keyed_attribute_text(run_id: &str, slot: &str) -> String {
    keyed_attributes(run_id, slot, NUMBER_PLACEHOLDER)
}

/// Writes `number` in decimal over all of `place`, with leading zeros; digits that do not fit are cut off.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn find_once(bytes: &[u8], text: &str) -> anyhow::Result<usize> {
    let mut places = memmem::find_iter(bytes, text.as_bytes());
    let place = places
        .next()
        .with_context(|| format!("the template does not contain {text}"))?;
    anyhow::ensure!(
        places.next().is_none(),
        "the template contains {text} more than once"
    );
    Ok(place)
}

#[cfg(test)]
mod tests {
    use api::event::EventRequest;
    use lab_model::targets::AttributeForm;
    use prost::Message;
    use serde_json::Value;

    use super::super::attributes::Payload;
    use super::*;

    fn plan(payload: Payload) -> EventPlan {
        EventPlan {
            payload,
            run_id: "run-7".into(),
            seed: 1,
            keys: None,
            batch: None,
            attributes: Default::default(),
        }
    }

    fn rest() -> Encoding {
        Encoding::Rest {
            lines: "host: localhost:8081\r\n".into(),
            path: "/api/v1/events".into(),
        }
    }

    /// Splits a request into its head and its body, and checks that the length is right.
    fn body(request: &[u8]) -> Value {
        let text = std::str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn a_map_of_strings_carries_the_same_attributes_as_texts() {
        let plan = plan(Payload::Default);
        let encoding = Encoding::Grpc(AttributeForm::Map);
        let template = Template::unique(EventType::LoanCreated, &plan, &encoding).unwrap();
        let mut buffer = BytesMut::new();
        template.write(&mut buffer, 7, 8, 9);
        let event = EventRequest::decode(&buffer[5..]).unwrap();
        let entity = &event.event_body.unwrap().entities[0];
        assert!(entity.attributes_json.is_empty());
        assert_eq!(entity.updated_attributes["loanCreatedRun"], "run-7");
        assert_eq!(entity.entity_id, "loan-run-7-00007-00000008");
        let numbers = entity
            .updated_attributes
            .values()
            .filter(|text| text.parse::<f64>().is_ok());
        assert!(numbers.count() > 0, "{:?}", entity.updated_attributes);
    }

    #[test]
    fn a_rest_request_carries_id_uuid_and_marker() {
        let template =
            Template::unique(EventType::ServiceDone, &plan(Payload::Default), &rest()).unwrap();
        let mut buffer = BytesMut::new();
        template.write(&mut buffer, 12, 345, 678);
        let event = body(&buffer);
        assert_eq!(
            event["eventHeader"]["uuid"],
            "5eed0000-0000-4000-8000-000120000678"
        );
        let entity = &event["eventBody"]["entities"][0];
        assert_eq!(entity["entityId"], "car-run-7-00012-00000345");
        assert_eq!(entity["updatedAttributes"]["serviceDoneRun"], "run-7");
    }

    #[test]
    fn bodies_have_the_sizes_of_their_payloads() {
        for kind in EventType::ALL {
            for (payload, sizes) in [
                (Payload::Default, 390..=475),
                (Payload::K4, 4096..=4096),
                (Payload::K8, 8192..=8192),
                (Payload::K32, 32768..=32768),
                (Payload::K64, 65536..=65536),
            ] {
                let template = Template::unique(kind, &plan(payload), &rest()).unwrap();
                let body = body(&template.bytes).to_string();
                assert!(
                    sizes.contains(&body.len()),
                    "{kind:?} {payload:?}: {}",
                    body.len()
                );
            }
        }
    }

    #[test]
    fn a_grpc_message_decodes_to_the_same_event() {
        let plan = plan(Payload::K4);
        let template = Template::unique(
            EventType::LoanCreated,
            &plan,
            &Encoding::Grpc(AttributeForm::Json),
        )
        .unwrap();
        let mut buffer = BytesMut::new();
        template.write(&mut buffer, 1, 2, 3);
        assert_eq!(buffer[0], 0);
        assert_eq!(
            u32::from_be_bytes(buffer[1..5].try_into().unwrap()) as usize,
            buffer.len() - 5
        );
        let event = EventRequest::decode(&buffer[5..]).unwrap();
        assert_eq!(
            event.event_header.unwrap().uuid,
            "5eed0000-0000-4000-8000-000010000003"
        );
        let entity = event.event_body.unwrap().entities.remove(0);
        assert_eq!(entity.entity_id, "loan-run-7-00001-00000002");
        let attributes: Value = serde_json::from_slice(&entity.attributes_json).unwrap();
        assert_eq!(attributes["loanCreatedRun"], "run-7");
    }

    #[test]
    fn a_keyed_request_sets_its_slot() {
        let plan = EventPlan {
            keys: Some(10),
            ..plan(Payload::Default)
        };
        let template = Template::keyed(&plan, &rest()).unwrap();
        let mut buffer = BytesMut::new();
        template.write_keyed(
            &mut buffer,
            3,
            9,
            KeyWrite {
                key: 42,
                number: 18,
            },
        );
        let entity = &body(&buffer)["eventBody"]["entities"][0];
        assert_eq!(entity["entityId"], key_id("run-7", 42));
        assert_eq!(entity["updatedAttributes"][slot_name(2)], "000018");
    }
}
