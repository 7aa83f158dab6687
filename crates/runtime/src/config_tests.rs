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
        assert_eq!(error.exit_code(), 2);
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
        "postgresql://me@db/cars?hid=den",
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
fn durations_have_a_unit() {
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    for wrong in ["10", "-1s", "", "s", "1e3s"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}
