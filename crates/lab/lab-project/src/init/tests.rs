use std::path::Path;

use super::*;
use crate::project::Project;
use crate::requests::Proto;

const SHOP: &str = r##"
openapi: 3.0.3
servers: [{ url: "https://api.example.com/v1" }]
paths:
  /items/{itemId}:
    parameters:
      - { name: itemId, in: path, required: true, schema: { type: integer, minimum: 5, maximum: 9 } }
    get:
      summary: One item
      parameters:
        - { name: lang, in: query, required: true, schema: { enum: [de, en] } }
        - { name: page, in: query, schema: { type: integer } }
      responses: { "200": { description: ok } }
    delete:
      responses: { "204": { description: gone } }
  /orders:
    post:
      requestBody:
        content:
          application/json: { schema: { $ref: "#/components/schemas/Order" } }
      responses: { "201": { description: made } }
components:
  securitySchemes: { key: { type: http, scheme: bearer } }
  schemas:
    Order:
      type: object
      required: [id, lines]
      properties:
        id: { type: string, format: uuid }
        note: { type: string }
        lines: { type: array, items: { type: object, properties: { count: { type: integer }, of: { $ref: "#/components/schemas/Order" } } } }
"##;

#[test]
fn an_openapi_file_becomes_a_file_that_is_valid() {
    let draft = openapi::draft(SHOP).unwrap();
    let text = draft.text();
    for said in [
        "url = \"https://api.example.com\"",
        "headers = { Authorization = \"Bearer {{env API_TOKEN}}\" }",
        "# One item\n[[scenario.request]]\npath = \"/v1/items/{{integer 5 9}}?lang={{choice 'de' 'en'}}\"\nexpect = { status = 200 }",
        "# [[scenario.request]]\n# method = \"DELETE\"",
        "id = \"{{uuid}}\"",
    ] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    Project::parse(Path::new("weir.toml"), text.clone()).unwrap();
    // What is a comment is valid too.
    let all = text
        .replace("\n# [[", "\n[[")
        .replace("\n# method", "\nmethod")
        .replace("\n# path", "\npath");
    let all = all
        .replace("\n# body", "\nbody")
        .replace("\n# expect", "\nexpect");
    let project = Project::parse(Path::new("weir.toml"), all).unwrap();
    assert_eq!(project.scenarios[0].entries.len(), 3);
    // The same as JSON.
    let json: serde_json::Value = serde_saphyr::from_str(SHOP).unwrap();
    assert_eq!(
        openapi::draft(&json.to_string()).unwrap().text().len(),
        text.len()
    );
    assert!(openapi::draft("{").unwrap_err().contains("no JSON"));
    assert!(openapi::draft("a: 1").unwrap_err().contains("no operation"));
}

#[test]
fn a_proto_file_becomes_a_file_that_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let proto = "syntax = \"proto3\";\npackage shop.v1;\nimport \"google/protobuf/timestamp.proto\";\n\
        message Item { int32 id = 1; string name = 2; oneof o { bool a = 3; bool b = 4; } google.protobuf.Timestamp at = 5; Item inner = 6; repeated Kind kinds = 7; }\n\
        enum Kind { NONE = 0; GOOD = 1; }\nmessage None {}\n\
        service Shop { rpc GetItem(Item) returns (Item); rpc Watch(Item) returns (stream Item); rpc DeleteItem(Item) returns (None); rpc Send(stream Item) returns (None); }\n";
    std::fs::write(folder.path().join("shop.proto"), proto).unwrap();
    let at = Proto {
        file: "shop.proto".into(),
        include: vec![folder.path().to_string_lossy().into_owned()],
    };
    let text = grpc::draft(&at, "shop.proto", &[]).unwrap().text();
    for said in [
        "call = \"shop.v1.Shop/GetItem\"",
        "stream = true",
        "# [[scenario.request]]\n# call = \"shop.v1.Shop/DeleteItem\"",
        "at = \"{{now}}\"",
        "kinds = [\"GOOD\"]",
    ] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    assert!(
        !text.contains("Shop/Send") && !text.contains(" b = true"),
        "{text}"
    );
    let file = folder.path().join("weir.toml");
    Project::parse(&file, text.clone()).unwrap();
    // A call that the file does not have, and one whose answer streams, are told before anything is sent.
    let wrong = text.replacen("Shop/GetItem", "Shop/GetItems", 1);
    let problem = Project::parse(&file, wrong).unwrap_err().to_string();
    assert!(
        problem.contains("is not in shop.proto; its calls are shop.v1.Shop/GetItem"),
        "{problem}"
    );
    let wrong = text.replacen("stream = true\n", "", 1);
    let problem = Project::parse(&file, wrong).unwrap_err().to_string();
    assert!(
        problem.contains("stream: is false, and the answer is a stream; write stream = true"),
        "{problem}"
    );
    std::fs::write(folder.path().join("shop.proto"), "syntax = ").unwrap();
    let problem = Project::parse(&file, text).unwrap_err().to_string();
    assert!(problem.contains("proto: does not compile"), "{problem}");
}
