//! The id of the request under way, as the field `request.id` of each line that is logged meanwhile. It is looked up when a
//! line is written: a span for each request would cost every request, also those of which nothing is logged.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::request_id;

/// The fields of a line of text, and the id behind them.
#[derive(Debug)]
pub(super) struct TextFields<F>(pub(super) F);

impl<'writer, F> FormatFields<'writer> for TextFields<F>
where
    F: for<'any> FormatFields<'any>,
{
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        match request_id::current() {
            Some(id) => write!(writer, " request.id={:?}", id.as_str()),
            None => Ok(()),
        }
    }
}

/// A line that is a JSON object, with the id as its last member.
#[derive(Debug)]
pub(super) struct JsonLine<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for JsonLine<F>
where
    S: Subscriber + for<'any> LookupSpan<'any>,
    N: for<'any> FormatFields<'any> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = request_id::current() else {
            return self.0.format_event(ctx, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        let object = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        let id = serde_json::to_string(id.as_str()).map_err(|_| fmt::Error)?;
        writeln!(writer, "{object},\"request.id\":{id}}}")
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::request_id::RequestId;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the lines").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What two warnings look like: one of a request, and one of nobody.
    fn logged(is_json: bool) -> Vec<String> {
        let lines = Lines::default();
        let into = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || into.clone());
        let warn = || {
            let id = RequestId::of(br#"a"b\c"#);
            request_id::sync_scope(id, || tracing::warn!(rows = 3, "of a request"));
            tracing::warn!(rows = 4, "of nobody");
        };
        let registry = tracing_subscriber::registry();
        if is_json {
            let json = layer.json().flatten_event(true).with_current_span(false);
            let subscriber = registry.with(json.map_event_format(JsonLine));
            tracing::subscriber::with_default(subscriber, warn);
        } else {
            let subscriber = registry.with(layer.map_fmt_fields(TextFields));
            tracing::subscriber::with_default(subscriber, warn);
        }
        let bytes = lines.0.lock().expect("the lines").clone();
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_of_a_request_carries_its_id_and_no_other_does() {
        let text = logged(false);
        assert_eq!(text.len(), 2);
        assert!(
            text[0].ends_with(r#"of a request rows=3 request.id="a\"b\\c""#),
            "{}",
            text[0]
        );
        assert!(text[1].ends_with("of nobody rows=4"), "{}", text[1]);

        let json = logged(true);
        let parse = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect(line) };
        let [of_a_request, of_nobody] = [parse(&json[0]), parse(&json[1])];
        assert_eq!(of_a_request["request.id"], r#"a"b\c"#);
        assert_eq!(of_a_request["rows"], 3);
        assert_eq!(of_a_request["message"], "of a request");
        assert_eq!(of_nobody.get("request.id"), None);
    }
}
