//! Values that look like what a name and a type ask for, with templates where they should differ.

use toml::Value;

/// A text for a field of this name and format.
pub(super) fn text(name: &str, format: &str) -> Value {
    let name = name.to_lowercase();
    Value::from(match format {
        "uuid" => "{{uuid}}",
        "date-time" => "{{now}}",
        "date" => "2026-01-31",
        "email" => "user-{{counter}}@example.com",
        "uri" | "url" => "https://example.com/{{counter}}",
        _ if name.contains("uuid") => "{{uuid}}",
        _ if name.contains("email") => "user-{{counter}}@example.com",
        _ if name == "id" || name.ends_with("_id") || name.ends_with("id") => {
            "{{integer 1 100 | text}}"
        }
        _ => "text {{integer 1 100}}",
    })
}

/// A whole number between these, or between 1 and 100.
pub(super) fn integer(least: Option<i64>, most: Option<i64>) -> Value {
    let least = least.unwrap_or(1);
    let most = most.unwrap_or_else(|| least.saturating_add(99)).max(least);
    Value::from(format!("{{{{integer {least} {most}}}}}"))
}
