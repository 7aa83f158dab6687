//! `.env` files: what of one is read, and what is said about one that cannot be. A value may be a password: no message
//! holds one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A `.env` that cannot be used; the text names the file, and the line where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DotenvError(String);

/// What a file sets, and what is worth a warning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// By name.
    pub variables: BTreeMap<String, String>,
    /// Sentences on what a reader may not expect, with their lines.
    pub warnings: Vec<String>,
}

/// Reads a file where it is a regular one. A folder, a FIFO or a device of that name is left alone with a warning: opening a
/// FIFO would wait for ever. A file that is not there is empty.
///
/// # Errors
/// The file cannot be read, or a line of it is wrong.
pub fn read(path: &Path) -> Result<Dotenv, DotenvError> {
    let shown = path.display();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Dotenv::default()),
        Err(error) => return Err(DotenvError(format!("{shown}: cannot be read: {error}"))),
    };
    if !meta.is_file() {
        return Ok(Dotenv {
            warnings: vec![format!("{shown} is not a regular file and is not read")],
            ..Dotenv::default()
        });
    }
    let text = fs::read_to_string(path)
        .map_err(|error| DotenvError(format!("{shown}: cannot be read: {error}")))?;
    parse(&text, |name| std::env::var(name).ok())
        .map_err(|(line, problem)| DotenvError(format!("{shown}, line {line}: {problem}")))
        .map(|mut found| {
            for warning in &mut found.warnings {
                *warning = format!("{shown}, {warning}");
            }
            found
        })
}

/// `NAME=value` lines: values bare, in single quotes (as they are) or in double quotes; `export` and comments are allowed.
/// `$NAME` and `${NAME}` outside single quotes are replaced by what the file or `given` sets.
fn parse(text: &str, given: impl Fn(&str) -> Option<String>) -> Result<Dotenv, (usize, String)> {
    let mut found = Dotenv::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            return Err((number, "is not NAME=value".into()));
        };
        let name = name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(plain)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err((number, format!("'{name}' is not the name of a variable")));
        }
        let (value, literal) =
            unquoted(value.trim()).map_err(|problem| (number, format!("{name}: {problem}")))?;
        let value = if literal {
            value
        } else {
            let known = |other: &str| given(other).or_else(|| found.variables.get(other).cloned());
            let (value, unset) = substituted(&value, known);
            found.warnings.extend(unset.into_iter().map(|other| {
                format!("line {number}: {name} uses ${other}, which is not set; write it in single quotes to keep it as it is")
            }));
            value
        };
        found.variables.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// The value without its quotes and the comment after it, and whether it stands as it is.
fn unquoted(value: &str) -> Result<(String, bool), String> {
    let Some(quote @ ('\'' | '"')) = value.chars().next() else {
        let bare = value.split_once(" #").map_or(value, |(bare, _)| bare);
        return Ok((bare.trim_end().to_owned(), false));
    };
    let rest = &value[1..];
    let Some(end) = rest.find(quote) else {
        return Err(format!(
            "the quote {quote} is not closed: quote the whole value with the other kind"
        ));
    };
    let after = rest[end + 1..].trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return Err(format!(
            "text follows the closing quote {quote}: write it within the quotes, or after a #"
        ));
    }
    Ok((rest[..end].to_owned(), quote == '\''))
}

/// The text with the variables put in, and the names that are not set.
fn substituted(text: &str, known: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut out, mut unset) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braced = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (name, next) = match braced {
            Some((name, next)) => (name, next),
            None => {
                let end = after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len());
                after.split_at(end)
            }
        };
        if name.is_empty() {
            out.push('$');
        } else {
            match known(name) {
                Some(value) => out.push_str(&value),
                None => unset.push(name.to_owned()),
            }
        }
        rest = next;
    }
    out.push_str(rest);
    (out, unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Dotenv, (usize, String)> {
        parse(text, |name| (name == "HOME").then(|| "/home/me".to_owned()))
    }

    #[test]
    fn values_are_bare_or_quoted() {
        let text = "# ours\nexport A=1 # one\nB=\"two words\"\nC='$HOME'\nD=$HOME/x\nE=${A}1\nF=a=b\nG=\nH=5$\n";
        let found = parsed(text).unwrap();
        let all: Vec<String> = found
            .variables
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        assert_eq!(
            all,
            [
                "A=1",
                "B=two words",
                "C=$HOME",
                "D=/home/me/x",
                "E=11",
                "F=a=b",
                "G=",
                "H=5$"
            ]
        );
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, word) in [
            (
                "A=1\nPASSWORD='it is",
                2,
                "PASSWORD: the quote ' is not closed",
            ),
            (
                "PASSWORD='it's'",
                1,
                "PASSWORD: text follows the closing quote",
            ),
            ("noise", 1, "is not NAME=value"),
            ("2A=1", 1, "'2A' is not the name"),
            ("A B=1", 1, "'A B' is not the name"),
        ] {
            let (found, problem) = parsed(text).unwrap_err();
            assert!(
                found == line && problem.contains(word),
                "{found}: {problem}"
            );
            assert!(
                !problem.contains("it is") && !problem.contains("noise"),
                "{problem}"
            );
        }
        let apostrophe = parsed("NOTE=it's here").unwrap();
        assert_eq!(apostrophe.variables["NOTE"], "it's here");
    }

    #[test]
    fn an_unset_name_is_warned_of() {
        let found = parsed("\nPASSWORD=pa$word\n").unwrap();
        assert_eq!(found.variables["PASSWORD"], "pa");
        let warning = &found.warnings[0];
        assert!(
            warning.contains("line 2: PASSWORD uses $word, which is not set"),
            "{warning}"
        );
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(read(&path("none")).unwrap(), Dotenv::default());
        fs::create_dir(path("folder")).unwrap();
        // Opening a FIFO that nobody writes to would wait for ever.
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&path("fifo"), mode).unwrap();
        for name in ["folder", "fifo"] {
            let found = read(&path(name)).unwrap();
            assert!(found.variables.is_empty() && found.warnings[0].contains("not a regular file"));
        }
        fs::write(path("wrong"), "A=1\nB='\n").unwrap();
        let error = read(&path("wrong")).unwrap_err().to_string();
        assert!(error.contains("wrong, line 2: B: the quote"), "{error}");
    }
}
