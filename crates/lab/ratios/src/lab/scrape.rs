//! A service's counters, from its metrics page.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The text of `GET /metrics`.
pub(super) async fn metrics_page(address: SocketAddr) -> anyhow::Result<String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    asked.await.context("the service's metrics cannot be read")
}

/// The value of a counter without labels; 0 where the page has none.
pub(super) fn counter(page: &str, name: &str) -> f64 {
    let values = page.lines().filter_map(|line| line.strip_prefix(name));
    let mut values = values.filter_map(|rest| rest.strip_prefix(' ')?.trim().parse().ok());
    values.next().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let page = "# TYPE ingest_events_total counter\ningest_events_total_other 3\n\
                    ingest_events_total 42\ningest_refused_total{reason=\"timeout\"} 1\n";
        assert_eq!(counter(page, "ingest_events_total"), 42.0);
        assert_eq!(counter(page, "ingest_batches_total"), 0.0);
    }
}
