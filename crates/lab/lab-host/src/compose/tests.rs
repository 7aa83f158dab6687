//! How compose is called, and what is read from its file.

use super::engine::socket_of;
use super::*;

fn compose(text: &str) -> Compose {
    let config = serde_json::json!({ "name": "weir", "volumes": { "log": { "name": "weir_log" } }, "services": {
        "db": { "image": "postgres:18", "cpu_quota": "400000", "cpu_period": "100000",
                "ports": [{ "published": "5432", "target": 5432 }] },
        "api": { "build": {}, "volumes": [
            { "type": "volume", "source": "log", "target": "/log" },
            { "type": "bind", "source": "/etc", "target": "/etc" } ] } } });
    Compose {
        root: "/".into(),
        words: vec!["docker".into()],
        env: Variables::new(),
        service_env: Variables::new(),
        dotenv: Variables::new(),
        config,
        text: text.into(),
        engine: Ok("/var/run/docker.sock".into()),
    }
}

#[test]
fn names_limits_and_images_come_from_the_file() {
    let compose = compose("ports: [\"${BIND:-127.0.0.1}:${POSTGRES_PORT:-5432}:5432\"]");
    assert_eq!(
        compose.port_variable(5432).as_deref(),
        Some("POSTGRES_PORT")
    );
    assert_eq!(compose.port_variable(9999), None);
    assert_eq!(compose.image("db").as_deref(), Some("postgres:18"));
    assert_eq!(compose.image("api").as_deref(), Some("weir-api"));
    assert_eq!(compose.cpus("db"), Some(4.0));
    assert_eq!(compose.cpus("api"), None);
    assert_eq!(compose.volumes("api"), ["weir_log"]);
    assert!(compose.volumes("db").is_empty());
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let owned = pairs.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    owned.collect()
}

#[test]
fn a_target_does_not_inherit_what_was_set_for_the_one_before() {
    let mut compose = compose("");
    compose.set("POSTGRES_PORT", "5555");
    let told = |compose: &Compose| {
        let command = compose.command(&["up"]).into_std();
        let envs = command.get_envs().map(|(name, value)| {
            let value = value.unwrap_or_default();
            format!("{}={}", name.display(), value.display())
        });
        envs.collect::<Vec<_>>()
    };
    compose.set_service_environment(variables(&[
        ("WEIR_TEST_MODE", "group"),
        ("ADMIN_PORT", "0"),
        ("DATABASE_POOL_SIZE", "20"),
    ]));
    assert_eq!(
        told(&compose),
        [
            "DATABASE_POOL_SIZE=20",
            "POSTGRES_PORT=5555",
            "WEIR_TEST_MODE=group"
        ]
    );
    compose.set_service_environment(variables(&[("WEIR_TEST_OTHER", "1")]));
    assert_eq!(told(&compose), ["POSTGRES_PORT=5555", "WEIR_TEST_OTHER=1"]);
}

#[test]
fn a_dotenv_counts_as_what_the_caller_has_set() {
    let dotenv = assignments(
        "WEIR_TEST_MODE=group\nWEIR_TEST_PORT=5999\nPATH a=b\n\nnoise\nWEIR_TEST_LIST=a=1,b\n",
    );
    let all: Vec<(&str, &str)> = dotenv
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("WEIR_TEST_LIST", "a=1,b"),
            ("WEIR_TEST_MODE", "group"),
            ("WEIR_TEST_PORT", "5999")
        ]
    );
    let mut compose = compose("ports: [\"${BIND:-127.0.0.1}:${WEIR_TEST_PORT:-5432}:5432\"]");
    assert_eq!(compose.port_variable(5999), None);
    compose.dotenv = dotenv;
    assert_eq!(
        compose.port_variable(5999).as_deref(),
        Some("WEIR_TEST_PORT")
    );
    assert_eq!(compose.given("WEIR_TEST_MODE").as_deref(), Some("group"));
    assert_eq!(compose.given("WEIR_TEST_OTHER"), None);
}

#[tokio::test]
async fn the_variables_are_those_that_compose_answers_else_those_of_the_file() {
    let root = tempfile::tempdir().unwrap();
    let file = "# ours\nWEIR_TEST_MODE=\"group\"\n";
    std::fs::write(root.path().join(".env"), file).unwrap();
    let mut compose = compose("");
    compose.root = root.path().into();
    for (script, mode) in [
        (
            r#"test "$*" = "config --environment" && echo WEIR_TEST_MODE=single"#,
            "single",
        ),
        ("echo unknown flag >&2; exit 1", "group"),
    ] {
        compose.words = ["sh", "-c", script, "compose"].map(Into::into).into();
        assert_eq!(compose.variables().await["WEIR_TEST_MODE"], mode);
    }
}

#[tokio::test]
async fn the_lab_leaves_to_a_dotenv_what_it_sets() {
    let mut compose = compose("");
    let root = Path::new("/");
    let set = compose.lab_environment(root).await;
    let by_the_caller = variables::inherited("LAB_USER").is_some();
    assert!(by_the_caller || set.contains_key("LAB_USER"));
    compose.dotenv = assignments("LAB_USER=1:1\nSERVICE_HEALTH_INTERVAL=5s\n");
    let set = compose.lab_environment(root).await;
    assert!(
        !set.contains_key("LAB_USER") && !set.contains_key("SERVICE_HEALTH_INTERVAL"),
        "{set:?}"
    );
}

#[test]
fn the_password_is_the_one_that_compose_resolves() {
    let mut compose = compose("");
    assert_eq!(compose.password("db"), "password");
    compose.config["services"]["db"]["environment"] =
        serde_json::json!({ "POSTGRES_PASSWORD": "a$$b", "POSTGRES_DB": null });
    assert_eq!(compose.password("db"), "a$b");
}

#[tokio::test]
async fn a_container_is_described_by_what_it_is_told() {
    // Stands for compose: passes on what it is told, and nothing where it is not.
    let script = r#"printf '{"services":{"api":{"environment":{"SERVER_PORT":"8081","WRITERS":null,"DATABASE_POOL_SIZE":"%s"}}}}' "$DATABASE_POOL_SIZE""#;
    let mut compose = compose("");
    compose.words = ["sh", "-c", script, "compose"].map(Into::into).into();
    let wanted = variables(&[("DATABASE_POOL_SIZE", "20")]);
    let told = compose.settings(wanted, "api").await;
    let told = serde_json::to_value(told.unwrap()).unwrap();
    let expected = serde_json::json!({ "SERVER_PORT": "8081", "DATABASE_POOL_SIZE": "20" });
    assert_eq!(told, expected);
    assert!(compose.service_env.is_empty());
}

#[test]
fn settings_limits_and_images_of_the_caller_are_repeated() {
    let mut compose = compose(
        "${WEIR_TEST_CPUS:-2} ${WEIR_TEST_IMAGE:-postgres:18} ${WEIR_TEST_PORT:-1} ${WEIR_TEST_MEMORY:-1g}",
    );
    compose.config["services"]["api"]["environment"] = serde_json::json!({
        "WEIR_TEST_MODE": "group", "WEIR_TEST_PORT": "8081", "WEIR_TEST_NONE": null });
    compose.dotenv = assignments(
        "WEIR_TEST_MODE=group\nWEIR_TEST_CPUS=4\nWEIR_TEST_IMAGE=postgres:17\nWEIR_TEST_PORT=9\nWEIR_TEST_ELSE=1\n",
    );
    let given = compose.given_settings(&["api".into()]);
    assert_eq!(
        crate::variables::to_shell(&given),
        "WEIR_TEST_CPUS=4 WEIR_TEST_IMAGE=postgres:17 WEIR_TEST_MODE=group "
    );
    assert!(!compose.given_settings(&[]).contains_key("WEIR_TEST_MODE"));
}

#[test]
fn the_sampler_reads_the_engine_that_compose_uses() {
    for (endpoint, socket) in [
        ("unix:///var/run/docker.sock", "/var/run/docker.sock"),
        (
            "unix:///run/user/1000/docker.sock",
            "/run/user/1000/docker.sock",
        ),
        (
            "unix:///home/me/.docker/desktop/docker.sock",
            "/var/run/docker.sock",
        ),
    ] {
        assert_eq!(socket_of(endpoint).as_deref(), Ok(socket));
    }
    let elsewhere = socket_of("tcp://10.0.0.5:2376").unwrap_err();
    assert!(
        elsewhere.contains("tcp://10.0.0.5:2376") && elsewhere.contains("DOCKER_SOCKET"),
        "{elsewhere}"
    );
    let mut compose = compose("");
    assert!(compose.check_sampled_engine().is_ok());
    compose.engine = Err(elsewhere);
    let error = compose.check_sampled_engine().unwrap_err().to_string();
    assert!(error.contains("tcp://10.0.0.5:2376"), "{error}");
    compose.dotenv = assignments("DOCKER_SOCKET=/mnt/docker.sock\n");
    assert!(compose.check_sampled_engine().is_ok());
}

#[tokio::test]
async fn the_socket_of_a_rootless_engine_is_mounted() {
    let mut compose = compose("");
    compose.engine = Ok("/run/user/1000/docker.sock".into());
    let set = compose.lab_environment(Path::new("/")).await;
    assert_eq!(set["DOCKER_SOCKET"], "/run/user/1000/docker.sock");
}
