//! The link on a real PostgreSQL.

use database_link::Link;
use testkit::postgres::Database;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_a_connection_that_has_ended_says_why_it_ended() {
    let database = Database::fresh().await;
    let config = database.url().parse().unwrap();
    let link = Link::connect(&config).await.unwrap();
    let pid: i32 = link
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let other = Link::connect(&config).await.unwrap();
    let ended = other
        .query_one("SELECT pg_terminate_backend($1, 10000)", &[&pid])
        .await
        .unwrap();
    assert!(ended.get::<_, bool>(0), "the backend is gone");

    let error = link.batch_execute("SELECT 1").await.unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("the connection to the database ended")
            && error.contains("terminating connection due to administrator command"),
        "{error}"
    );
    // What is wrong with a statement alone is told as it is.
    let error = other.simple_query("SELECT nothing").await.unwrap_err();
    let error = format!("{error:#}");
    assert!(!error.contains("ended"), "{error}");
    assert_eq!(other.query("SELECT 1 AS one", &[]).await.unwrap().len(), 1);
}
