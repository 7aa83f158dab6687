use std::path::Path;

use super::*;
use crate::requests::{Drawn, Fill as Filling, Form};
use crate::template::Template;

const SHOP: &str = r#"
[[target]]
name = "shop-1"
protocol = "rest"
command = ["./shop", "--port", "{port}"]
ready = "/health"

[[target]]
name = "shop-2"
protocol = "rest"
url = "http://127.0.0.1:8080"

[[scenario]]
name = "browse"
headers = { Authorization = "Bearer {{env SHOP_TOKEN}}" }

[[scenario.request]]
weight = 3
path = "/items/{{integer 1 100}}"
expect = { status = 200, json = { "/id" = 7 }, within = "250ms" }

[[scenario.request]]
name = "order"
[[scenario.request.step]]
path = "/carts"
body = { customer = "{{uuid}}", number = "{{counter}}" }
expect = { status = 201 }
capture = { cart = "/id" }
[[scenario.request.step]]
method = "PUT"
path = "/carts/{{cart}}/items"
body = '{"sku": "a"}'
"#;

fn parse(text: &str) -> Result<Project, Problem> {
    Project::parse(Path::new("weir.toml"), text.to_owned())
}

/// The problem of the shop's file with one thing exchanged.
fn problem(of: &str, with: &str) -> String {
    assert!(SHOP.contains(of), "{of}");
    parse(&SHOP.replacen(of, with, 1)).unwrap_err().to_string()
}

#[test]
fn a_mix_of_requests_becomes_a_sequence() {
    let project = parse(SHOP).unwrap();
    let scenario = project.scenario("browse").unwrap();
    let now = OffsetDateTime::UNIX_EPOCH;
    let file = project.requests(scenario, Protocol::Rest, 7, now);
    assert_eq!(file.env, ["SHOP_TOKEN"]);
    let names: Vec<&str> = file.requests.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["GET /items/{{integer 1 100}}", "order"]);
    let item = &file.requests[0].steps[0];
    assert_eq!(
        item.path,
        [Part::Text("/items/".into()), Part::Drawn { v: 0 }]
    );
    assert_eq!(item.expect.status, [(200, 200)]);
    assert_eq!(item.expect.within_ms, Some(250.0));
    let order = &file.requests[1].steps;
    assert_eq!(
        (order[0].method.as_str(), order[1].method.as_str()),
        ("POST", "PUT")
    );
    assert!(
        order[0]
            .headers
            .iter()
            .any(|(name, value)| name == "content-type"
                && *value == [Part::Text("application/json".into())])
    );
    assert!(
        order[1]
            .headers
            .iter()
            .all(|(name, _)| name != "content-type")
    );
    let captured = Part::Filled {
        fill: Filling::Captured,
        name: "cart".into(),
        r#as: Form::Path,
    };
    assert_eq!(order[1].path[1], captured);
    let of = |request| {
        file.sequence
            .iter()
            .filter(|one| one.request == request)
            .count()
    };
    assert_eq!((of(0), of(1)), (750, 250));
    assert!(
        file.sequence
            .iter()
            .all(|Drawn { request, values }| values.len() == 1 - request)
    );
    // Both generators read the file back.
    let text = serde_json::to_string(&file).unwrap();
    let again: RequestFile = serde_json::from_str(&text).unwrap();
    assert_eq!(again.sequence, file.sequence);
    assert!(!text.contains("s3cret"));
}

#[test]
fn a_problem_names_file_line_key_and_remedy() {
    for (of, with, said) in [
        (
            "protocol = \"rest\"",
            "protocol = \"soap\"",
            "weir.toml:4: target shop-1: protocol: is 'soap'; write \"rest\" or \"grpc\"",
        ),
        (
            "ready = \"/health\"",
            "reddy = \"/health\"",
            "weir.toml:6: reddy: unknown field `reddy`",
        ),
        (
            ", \"--port\", \"{port}\"",
            "",
            "weir.toml:5: target shop-1: command: is not told on which port",
        ),
        (
            "http://127.0.0.1:8080",
            "127.0.0.1:8080",
            "weir.toml:11: target shop-2: url: '127.0.0.1:8080' has no scheme; write http://host:port",
        ),
        ("http://127", "http://a:b@127", "holds a login"),
        (
            "name = \"shop-2\"",
            "name = \"shop-1\"",
            "weir.toml:9: target shop-1: name: is used twice",
        ),
        (
            "weight = 3",
            "weight = 0",
            "weir.toml:18: scenario browse: request 1: weight: is 0; write a number from 1 to 1000",
        ),
        (
            "path = \"/items",
            "path = \"items",
            "weir.toml:19: scenario browse: request 1: path: is 'items/",
        ),
        (
            "{{integer 1 100}}",
            "{{integer 1}}",
            "weir.toml:19: scenario browse: request 1: path: '{{integer 1}}' is not known",
        ),
        (
            "{{integer 1 100}}",
            "{{users.id}}",
            "add [[rows]] with name = \"users\"",
        ),
        (
            "status = 200",
            "status = 2000",
            "weir.toml:20: scenario browse: request 1: expect.status: is 2000; write a status such as 200",
        ),
        (
            "status = 200",
            "code = \"OK\"",
            "expect.code: does not belong to rest; write status",
        ),
        ("\"250ms\"", "\"fast\"", "expect.within: is 'fast'"),
        (
            "{{cart}}",
            "{{basket}}",
            "weir.toml:31: scenario browse: request order: step 2: path: uses {{basket}}, which nothing has captured; captured before this are cart",
        ),
        (
            "cart = \"/id\"",
            "cart = \"id\"",
            "takes cart from 'id'; write a JSON pointer",
        ),
        (
            "method = \"PUT\"",
            "method = \"FETCH\"",
            "weir.toml:30: scenario browse: request order: step 2: method: is 'FETCH'",
        ),
        (
            "command = [\"./shop\", \"--port\", \"{port}\"]\n",
            "",
            "weir.toml:2: target shop-1: says nowhere how it is reached",
        ),
        (
            "method = \"PUT\"",
            "message = {}",
            "message: does not belong to rest; write body",
        ),
    ] {
        let problem = problem(of, with);
        assert!(problem.contains(said), "{with}: {problem}");
    }
    let grpc = SHOP
        .replacen("protocol = \"rest\"", "protocol = \"grpc\"", 1)
        .replace("ready = \"/health\"\n", "");
    let problem = parse(&grpc).unwrap_err().to_string();
    assert!(problem.contains("has no gRPC request, and the target shop-1 speaks gRPC; add a [[scenario.request]] with a call"), "{problem}");
    assert!(
        parse("")
            .unwrap_err()
            .to_string()
            .contains("there is no [[target]]")
    );
}

#[test]
fn values_come_out_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.csv"), "id,name\n1,Anna\n2,Bo\n").unwrap();
    let text = SHOP.replace("{{integer 1 100}}", "{{users.id}}?n={{users.name}}");
    let text = format!("{text}\n[[rows]]\nname = \"users\"\nfile = \"users.csv\"\n");
    let project = Project::parse(&folder.path().join("weir.toml"), text.clone()).unwrap();
    let file = project.requests(
        &project.scenarios[0],
        Protocol::Rest,
        1,
        OffsetDateTime::UNIX_EPOCH,
    );
    for drawn in file.sequence.iter().filter(|one| one.request == 0) {
        let pair = (drawn.values[0].as_str(), drawn.values[1].as_str());
        assert!([("1", "Anna"), ("2", "Bo")].contains(&pair), "{pair:?}");
    }
    let wrong = text.replace("users.name", "users.nick");
    let problem = Project::parse(&folder.path().join("weir.toml"), wrong).unwrap_err();
    assert!(
        problem.to_string().contains("its columns are id, name"),
        "{problem}"
    );
}

#[test]
fn the_lab_reads_the_same_targets_and_scenarios() {
    let project = parse(SHOP).unwrap();
    let targets: toml::Table = toml::from_str(&crate::lab::targets(&project)).unwrap();
    let first = &targets["target"][0];
    assert_eq!(first["native"]["args"][1].as_str(), Some("{port}"));
    assert_eq!(first["rest"]["health"].as_str(), Some("/health"));
    assert_eq!(
        targets["target"][1]["url"].as_str(),
        Some("http://127.0.0.1:8080")
    );
    let lab = r#"{"modes":{"compare":{"trials":8,"phases":[{"name":"a","vus":200,"seconds":30,"rate":1000}]}},"payloads":["default"]}"#;
    let mut project = project;
    project.load.rate = Some(50.0);
    project.load.trials = Some(6);
    let modes: serde_json::Value = serde_json::from_str(&crate::lab::modes(&project, lab)).unwrap();
    assert_eq!(modes["payloads"][0], "browse");
    assert_eq!(modes["modes"]["compare"]["phases"][0]["rate"], 50.0);
    assert_eq!(modes["modes"]["compare"]["trials"], 6);
}

#[test]
fn an_image_and_a_compose_service_are_commands_of_docker() {
    let reach = |keys: &str| {
        let text = SHOP.replace("command = [\"./shop\", \"--port\", \"{port}\"]", keys);
        parse(&text)
            .map(|project| project.targets[0].reach.clone())
            .map_err(|problem| problem.to_string())
    };
    let image = "image = \"shop:1\"\nargs = [\"serve\"]\ncontainer_port = 80\nenv = { KEY = \"{{env SHOP_KEY}}\" }\nlimits = { cpus = 1.5, memory = \"512m\" }";
    let Reach::Command {
        words,
        env,
        container,
        ..
    } = reach(image).unwrap()
    else {
        panic!("a URL")
    };
    assert_eq!(container.as_deref(), Some("weir-shop-1"));
    let line = words[4..].join(" ");
    assert_eq!(
        line,
        "--rm --init --name weir-shop-1 --publish 127.0.0.1:{port}:80 --cpus 1.5 --memory 512m --env KEY shop:1 serve"
    );
    assert_eq!(env["KEY"], "{{env SHOP_KEY}}");
    assert!(
        reach("image = \"shop:1\"")
            .unwrap_err()
            .contains("container_port = 8080")
    );
    let Reach::Command {
        words, container, ..
    } = reach("compose = { service = \"web\" }\nport = 8080").unwrap()
    else {
        panic!("a URL")
    };
    assert!(
        words
            .join(" ")
            .starts_with("docker compose --project-name weir-shop-1 up"),
        "{words:?}"
    );
    assert_eq!(container.as_deref(), Some("weir-shop-1-web-1"));
    assert!(
        reach("compose = { service = \"web\" }")
            .unwrap_err()
            .contains("port = 8080")
    );
    assert!(
        reach("image = \"a\"\nurl = \"http://a:1\"")
            .unwrap_err()
            .contains("says twice how it is reached")
    );
}

#[test]
fn steps_and_an_audit_are_checked_and_filled_in() {
    let around = "\n[[setup]]\nsql = \"delete from orders where run = '{{run}}'\"\ndatabase = \"{{env SHOP_DB}}\"\n[[teardown]]\ncommand = \"echo done\"\n[audit]\npath = \"/stats\"\njson = \"/orders\"\nof = [\"order\"]\n";
    let project = parse(&format!("{SHOP}{around}")).unwrap();
    let Action::Sql { text, database } = &project.setup[0] else {
        panic!("{:?}", project.setup)
    };
    let env = |name: &str| (name == "SHOP_DB").then(|| "postgresql://x".to_owned());
    let fill = Fill {
        run: "r-1",
        env: &env,
    };
    assert_eq!(
        fill.text(text).unwrap(),
        "delete from orders where run = 'r-1'"
    );
    assert_eq!(fill.text(database).unwrap(), "postgresql://x");
    let gone = Template::parse("{{env GONE}}").unwrap();
    assert!(fill.text(&gone).unwrap_err().contains("GONE is not set"));
    assert_eq!(project.audit.unwrap().of, ["order"]);
    for (of, with, said) in [
        (
            "database = \"{{env SHOP_DB}}\"\n",
            "",
            "setup: sql: has no database",
        ),
        (
            "{{run}}",
            "{{uuid}}",
            "setup: sql: holds a value that only requests have",
        ),
        (
            "of = [\"order\"]",
            "of = [\"orders\"]",
            "audit: of: names 'orders', and no request is called so",
        ),
        (
            "path = \"/stats\"",
            "path = \"stats\"",
            "audit: path: is 'stats'",
        ),
        ("command = \"echo done\"", "", "teardown: does nothing"),
    ] {
        let problem = parse(&format!("{SHOP}{}", around.replace(of, with)))
            .unwrap_err()
            .to_string();
        assert!(problem.contains(said), "{problem}");
    }
}
