use super::*;

#[derive(Debug, clap::Parser)]
struct Settings {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    telemetry: TelemetryConfig,
    #[command(flatten)]
    listen: ListenConfig,
    #[command(flatten)]
    shutdown: ShutdownConfig,
    #[command(flatten)]
    threads: crate::threads::ThreadsConfig,
    #[command(subcommand)]
    command: Option<ServiceCommand>,
}

fn parse_arguments(arguments: &[&str]) -> Result<Settings, clap::Error> {
    parse_from(std::iter::once(&"service").chain(arguments))
}

#[test]
fn the_argument_groups_are_consistent() {
    Settings::command().debug_assert();
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = parse_arguments(&[]).expect("defaults");
    assert_eq!(
        settings.database.database_url.expose(),
        "postgresql://postgres:password@localhost:5432/car_entities"
    );
    assert_eq!(settings.database.database_pool_size.get(), 10);
    assert_eq!(
        settings.database.database_acquire_timeout,
        Duration::from_secs(2)
    );
    assert_eq!(settings.listen.host, "0.0.0.0");
    assert_eq!(settings.shutdown.shutdown_grace, Duration::from_secs(10));
    assert!(settings.threads.count() >= 1);
    assert!(settings.command.is_none());
    assert_eq!(
        parse_arguments(&["health"]).expect("subcommand").command,
        Some(ServiceCommand::Health)
    );
}

#[test]
fn flags_may_stand_behind_the_subcommand() {
    for arguments in [
        ["--host", "127.0.0.9", "health"],
        ["health", "--host", "127.0.0.9"],
    ] {
        let settings = parse_arguments(&arguments).expect("settings");
        assert_eq!(settings.listen.host, "127.0.0.9");
        assert_eq!(settings.command, Some(ServiceCommand::Health));
        assert_eq!(settings.database.database_pool_size.get(), 10);
    }
}

#[test]
fn wrong_settings_are_named() {
    for (arguments, name) in [
        (["--database-pool-size", "0"], "--database-pool-size"),
        (
            ["--database-acquire-timeout", "5"],
            "--database-acquire-timeout",
        ),
        (["--shutdown-grace", "soon"], "(SHUTDOWN_GRACE)"),
        (["--log-level", "loud"], "--log-level <LEVEL> (LOG_LEVEL)"),
        (["--log-format", "xml"], "(LOG_FORMAT)"),
        (["--worker-threads", "0"], "--worker-threads"),
        (["health", "--host"], "--host <ADDRESS> (HOST)"),
        (
            ["--database-url", "nonsense"],
            "--database-url (DATABASE_URL)",
        ),
    ] {
        let error = parse_arguments(&arguments).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(usage_error::status(&error), usage_error::EXIT_USAGE);
    }
}

#[test]
fn a_password_never_shows() {
    for url in [
        "postgresql://me:hidden%21@db.example:5433/cars?application_name=x",
        "host=db.example port=5433 user=me password=hidden! dbname=cars",
        "postgresql://me@db.example:5433/cars?password=hidden!",
    ] {
        let url: DatabaseUrl = url.parse().expect("valid");
        assert_eq!(url.to_string(), "postgresql://me:***@db.example:5433/cars");
        assert_eq!(format!("{url:?}"), url.to_string());
    }
    for url in [
        "postgresql://me:hidden@db:port/cars",
        "postgres//me:hidden@db/cars",
        "postgres//me:hid=den@db/cars",
        "postgresql://me:p@ss?hid=den@db/cars",
        "host=db user=me password=one hid=den",
        "postgresql://me:hidden",
        "user=me password='hidden",
    ] {
        let error = parse_arguments(&["--database-url", url])
            .expect_err(url)
            .to_string();
        assert!(!error.contains("hid"), "{error}");
    }
}

#[test]
fn a_wrong_parameter_is_named() {
    for (url, name) in [
        (
            "postgresql://me:secret@db/cars?schema=x",
            "unknown parameter 'schema'",
        ),
        (
            "postgresql://me:secret@db/cars?connect_timeout=5&pool=3",
            "unknown parameter 'pool'",
        ),
        ("host=db user=me pool=3", "unknown parameter 'pool'"),
        (
            "postgresql://me:secret@db:port/cars",
            "the parameter 'port' has a value",
        ),
        (
            "postgresql://me:secret@db/cars?sslmode=maybe",
            "the parameter 'sslmode' has a value",
        ),
    ] {
        let error = parse_arguments(&["--database-url", url]).expect_err(url);
        let error = error.to_string();
        assert!(error.contains("--database-url (DATABASE_URL)"), "{error}");
        assert!(error.contains(name) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_value_outside_its_range_is_refused_with_the_range() {
    for (arguments, range) in [
        (["--database-pool-size", "0"], "1 to 10000"),
        (["--database-pool-size", "10001"], "1 to 10000"),
        (["--database-acquire-timeout", "0s"], "1ms to 1day"),
        (["--database-acquire-timeout", "0"], "1ms to 1day"),
        (["--shutdown-grace", "25h"], "0s to 1day"),
        (["--worker-threads", "0"], "1 to 1024"),
        (["--worker-threads", "99999999999999999999"], "1 to 1024"),
    ] {
        let error = parse_arguments(&arguments).expect_err(range).to_string();
        assert!(error.contains(&format!("must be {range}")), "{error}");
        assert!(error.contains(arguments[0]), "{error}");
    }
    assert!(parse_arguments(&["--shutdown-grace", "0s"]).is_ok());
}

#[test]
fn the_help_shows_each_range() {
    let help = parse_arguments(&["--help"]).expect_err("help").to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for range in [
        "Connections of the whole process together [range: 1 to 10000]",
        "[range: 1ms to 1day]",
        "[range: 0s to 1day]",
        "[range: 1 to 1024]",
    ] {
        assert!(help.contains(range), "{range} is missing: {help}");
    }
    assert!(!help.contains("possible values: range"), "{help}");
}

#[test]
fn durations_have_a_unit() {
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    for wrong in ["10", "-1s", "", "s", "1e3s"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}
