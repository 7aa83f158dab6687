//! What an event carries: its type, and attributes of a given size.

use serde_json::{Map, Value, json};

/// The types of event in scenario `ingest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A new car.
    CarCreated,
    /// A service of a car.
    ServiceDone,
    /// A new loan.
    LoanCreated,
    /// A payment for a loan.
    LoanPaymentSubmitted,
}

impl EventType {
    /// All types, in the order in which templates are kept.
    pub const ALL: [Self; 4] = [
        Self::CarCreated,
        Self::ServiceDone,
        Self::LoanCreated,
        Self::LoanPaymentSubmitted,
    ];

    /// `eventName` and `eventType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CarCreated => "CarCreated",
            Self::ServiceDone => "ServiceDone",
            Self::LoanCreated => "LoanCreated",
            Self::LoanPaymentSubmitted => "LoanPaymentSubmitted",
        }
    }

    /// `entityType` of what it changes.
    pub fn entity_type(self) -> &'static str {
        match self {
            Self::CarCreated | Self::ServiceDone => "Car",
            Self::LoanCreated | Self::LoanPaymentSubmitted => "Loan",
        }
    }

    /// First part of the entity's id; types that share it address the same entities.
    pub fn family(self) -> &'static str {
        match self {
            Self::CarCreated | Self::ServiceDone => "car",
            Self::LoanCreated | Self::LoanPaymentSubmitted => "loan",
        }
    }

    /// The top-level attribute that holds the run id; an audit counts rows by it.
    pub fn marker(self) -> &'static str {
        match self {
            Self::CarCreated => "carCreatedRun",
            Self::ServiceDone => "serviceDoneRun",
            Self::LoanCreated => "loanCreatedRun",
            Self::LoanPaymentSubmitted => "loanPaymentRun",
        }
    }
}

/// Size of an event: of its JSON body over REST, which a gRPC message follows closely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Payload {
    /// 390 to 475 bytes, depending on the type
    #[default]
    Default,
    /// 4,096 bytes
    #[value(name = "4k")]
    K4,
    /// 8,192 bytes
    #[value(name = "8k")]
    K8,
    /// 32,768 bytes
    #[value(name = "32k")]
    K32,
    /// 65,536 bytes
    #[value(name = "64k")]
    K64,
}

impl Payload {
    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::K4 => "4k",
            Self::K8 => "8k",
            Self::K32 => "32k",
            Self::K64 => "64k",
        }
    }

    /// Bytes of an event's JSON body.
    pub fn bytes(self, kind: EventType) -> usize {
        match (self, kind) {
            (Self::Default, EventType::CarCreated | EventType::ServiceDone) => 390,
            (Self::Default, EventType::LoanCreated) => 425,
            (Self::Default, EventType::LoanPaymentSubmitted) => 475,
            (Self::K4, _) => 4 << 10,
            (Self::K8, _) => 8 << 10,
            (Self::K32, _) => 32 << 10,
            (Self::K64, _) => 64 << 10,
        }
    }
}

/// The date in all events: constant, since bodies are prepared once.
pub const DATE: &str = "2024-01-15T10:30:00.000Z";

/// Below this size an event has its type's own attributes and a text; from it on, nested structures too.
const NESTED_FROM: usize = 2048;

/// The attributes of an event of type `kind`, as JSON text of exactly `bytes` bytes, or as many as the
/// type's own attributes need.
pub fn attributes(kind: EventType, run_id: &str, bytes: usize) -> String {
    let mut attributes = own_attributes(kind);
    attributes.insert(kind.marker().into(), run_id.into());
    if bytes >= NESTED_FROM {
        expand(kind, &mut attributes, bytes);
    }
    fill(&mut attributes, bytes);
    Value::Object(attributes).to_string()
}

/// The attributes of an event for repeating keys: about 400 bytes with the slot that is patched.
pub fn keyed_attributes(run_id: &str, slot: &str, number: &str) -> String {
    let mut attributes = own_attributes(EventType::CarCreated);
    attributes.insert(EventType::CarCreated.marker().into(), run_id.into());
    attributes.insert(
        "owner".into(),
        json!({"name": "Jane Doe", "city": "Springfield", "since": DATE}),
    );
    attributes.insert(slot.into(), number.into());
    fill(&mut attributes, 400);
    Value::Object(attributes).to_string()
}

fn own_attributes(kind: EventType) -> Map<String, Value> {
    let attributes = match kind {
        EventType::CarCreated => json!({ "model": "Model S", "year": 2024 }),
        EventType::ServiceDone => json!({ "serviceCost": 249.5 }),
        EventType::LoanCreated => json!({ "balance": 24439.75, "lastPaidDate": DATE }),
        EventType::LoanPaymentSubmitted => {
            json!({ "balance": 23989.75, "paymentAmount": 450.0, "lastPaidDate": DATE })
        }
    };
    match attributes {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    }
}

/// Adds the nested structures of a large event as long as it stays below `bytes` bytes.
fn expand(kind: EventType, attributes: &mut Map<String, Value>, bytes: usize) {
    attributes.insert(
        "owner".into(),
        json!({
            "name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+1-555-0100",
            "address": {"street": "742 Evergreen Terrace", "city": "Springfield", "zip": "49007"},
        }),
    );
    attributes.insert(
        "insurance".into(),
        json!({
            "provider": "Example Mutual", "policyNumber": "POL-0012345678", "validFrom": DATE,
            "coverage": {"liability": 100_000, "collision": 50_000, "deductible": 500},
        }),
    );
    let list = match kind.family() {
        "car" => ["maintenanceHistory", "serviceRecords"],
        _ => ["paymentHistory", "statements"],
    };
    let mut entries: [Vec<Value>; 2] = Default::default();
    let mut used = Value::Object(attributes.clone()).to_string().len();
    // Keeps room for the lists' own names and for the filler that hits the size exactly.
    for number in 0.. {
        let entry = entry(kind, number);
        used += entry.to_string().len() + 1;
        if used + 200 > bytes {
            break;
        }
        entries[number % 2].push(entry);
    }
    for (name, entries) in list.into_iter().zip(entries) {
        attributes.insert(name.into(), entries.into());
    }
}

fn entry(kind: EventType, number: usize) -> Value {
    match kind.family() {
        "car" => json!({
            "id": format!("SRV-{number:05}"), "date": DATE, "mileage": 10_000 + number * 750,
            "description": "Oil change, tyre rotation and inspection of the brakes",
            "cost": 189.95, "parts": [{"name": "oil filter", "quantity": 1, "price": 12.5}],
        }),
        _ => json!({
            "id": format!("PAY-{number:05}"), "date": DATE, "amount": 450.0,
            "principal": 371.25, "interest": 78.75, "method": "direct debit", "status": "settled",
        }),
    }
}

/// Adds a text that brings the object to exactly `bytes` bytes, if it is shorter.
fn fill(attributes: &mut Map<String, Value>, bytes: usize) {
    const EMPTY: usize = r#","notes":"""#.len();
    let used = Value::Object(attributes.clone()).to_string().len();
    if let Some(missing) = bytes.checked_sub(used + EMPTY) {
        let text = "The quick brown fox jumps over the lazy dog. ";
        attributes.insert(
            "notes".into(),
            text.chars()
                .cycle()
                .take(missing)
                .collect::<String>()
                .into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_size_asked_for() {
        for kind in EventType::ALL {
            for bytes in [200, 3_000, 8_000, 65_000] {
                let text = attributes(kind, "run-1", bytes);
                assert_eq!(text.len(), bytes, "{kind:?}");
                let value: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value[kind.marker()], "run-1");
            }
        }
    }

    #[test]
    fn keyed_attributes_are_400_bytes() {
        assert_eq!(keyed_attributes("run-1", "e00", "000000").len(), 400);
    }
}
