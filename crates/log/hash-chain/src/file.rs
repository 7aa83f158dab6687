//! What the file of a partition says at its two ends, without reading what is between.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use super::entry::{self, MAX_LINE_BYTES};
use super::name::{PartitionName, stem};

/// What is read at once when looking backwards, at first.
const BLOCK_BYTES: u64 = 8 * 1024;
/// More than the head of any line: a name of 200 bytes takes 1,200 as escapes.
const HEAD_BYTES: usize = 2 * 1024;

/// How the first line of every chain begins.
const FIRST_HEAD: &[u8] = b"{\"seq\":0,\"ts\":\"";
/// What stands in the first line of every chain before its data, behind the zeros.
const FIRST_LINK: &[u8] = b"0000000000000000\",\"data\":";

/// Whose file it is, as its first line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is empty.
    Nobody,
    /// A first entry that a crash tore: nothing in it was acknowledged.
    Torn,
    /// A partition of this name.
    Name(String),
    /// It is a chain whose first line is damaged, or tells a name that has another file.
    Damaged,
    /// It is no chain: somebody else's file, which is left alone.
    Stranger,
}

/// Reads the first line's head, and the last line where the first is no entry. `stem_found` is the file's own name.
pub(super) fn owner(file: &File, stem_found: &str) -> io::Result<Owner> {
    let mut bytes = vec![0; HEAD_BYTES];
    let length = read_up_to(file, &mut bytes, 0)?;
    let bytes = &bytes[..length];
    let named = |line: &[u8]| {
        let head = entry::head(line)?;
        entry::unescaped(&line[head.partition])
    };
    let first = memchr::memchr(b'\n', bytes);
    match named(bytes) {
        Some(name) if stem(&name) == stem_found => return Ok(Owner::Name(name)),
        Some(_) => return Ok(Owner::Damaged),
        None if length == 0 => return Ok(Owner::Nobody),
        None if length < HEAD_BYTES && first.is_none() => {
            // A block that did not come to the disk before the machine failed reads as zeros.
            let is_torn = bytes.starts_with(FIRST_HEAD) || bytes.iter().all(|byte| *byte == 0);
            return Ok(if is_torn {
                Owner::Torn
            } else {
                Owner::Stranger
            });
        }
        None => {}
    }
    let line = &bytes[..first.unwrap_or(length)];
    if line.starts_with(FIRST_HEAD) || memchr::memmem::find(line, FIRST_LINK).is_some() {
        return Ok(Owner::Damaged);
    }
    let end = whole_end(file, file.metadata()?.len())?;
    Ok(match last_line(file, end) {
        Ok((_, line)) if named(&line).is_some_and(|name| stem(&name) == stem_found) => {
            Owner::Damaged
        }
        Ok(_) => Owner::Stranger,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Owner::Stranger,
        Err(error) => return Err(error),
    })
}

/// Whether the file is this partition's, or the name whose it is.
pub(super) fn belongs_to(file: &File, name: &PartitionName) -> io::Result<Result<(), String>> {
    Ok(match owner(file, name.stem())? {
        Owner::Name(owner) if owner != name.as_str() => Err(owner),
        _ => Ok(()),
    })
}

/// The offset behind the last line end before `end`; 0 where there is none. Behind it a torn line begins.
pub(super) fn whole_end(file: &File, end: u64) -> io::Result<u64> {
    Ok(line_end_before(file, end)?.map_or(0, |at| at + 1))
}

/// The last line before `end`, which is behind a line end, and the offset where it begins. Empty where `end` is 0.
pub(super) fn last_line(file: &File, end: u64) -> io::Result<(u64, Bytes)> {
    let line_end = end.saturating_sub(1);
    let begin = whole_end(file, line_end)?;
    let length = line_end - begin;
    if length > MAX_LINE_BYTES as u64 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line is too long",
        ));
    }
    let mut line = vec![0; length as usize];
    file.read_exact_at(&mut line, begin)?;
    Ok((begin, line.into()))
}

/// The offset of the last line end before `end`. Blocks grow as the search goes on.
fn line_end_before(file: &File, end: u64) -> io::Result<Option<u64>> {
    let mut block = vec![0; BLOCK_BYTES as usize];
    let mut right = end;
    while right > 0 {
        let left = right.saturating_sub(block.len() as u64);
        let part = &mut block[..(right - left) as usize];
        file.read_exact_at(part, left)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(Some(left + at as u64));
        }
        right = left;
        if block.len() < 1024 * 1024 {
            block.resize(block.len() * 4, 0);
        }
    }
    Ok(None)
}

/// Fills `buffer` from `offset`, or as much of it as there is.
pub(super) fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset + length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("room");
        file
    }

    #[test]
    fn the_last_line_is_found_backwards() {
        let long = [b"first\n".as_slice(), &vec![b'x'; 100_000], b"\n"].concat();
        let found = file(&long);
        assert_eq!(
            last_line(&found, long.len() as u64).expect("a line"),
            (6, vec![b'x'; 100_000].into())
        );
        assert_eq!(last_line(&found, 6).expect("a line"), (0, "first".into()));
        assert_eq!(last_line(&found, 0).expect("nothing"), (0, "".into()));
        assert_eq!(whole_end(&found, 50_000).expect("an offset"), 6);
        assert_eq!(whole_end(&found, 5).expect("an offset"), 0);
    }

    #[test]
    fn the_first_line_says_whose_file_it_is() {
        let head = r#"{"seq":0,"ts":"2026-01-01T00:00:00.000000+00:00","partition":"a b""#;
        let named = Owner::Name("a b".to_owned());
        let owner = |content: &str, stem| owner(&file(content.as_bytes()), stem).expect("a file");
        assert_eq!(owner(&format!("{head},...\n"), "a_b"), named);
        assert_eq!(owner(head, "a_b"), named);
        assert_eq!(owner(&format!("{head},...\n"), "b"), Owner::Damaged);
        assert_eq!(owner("", "a_b"), Owner::Nobody);
        for torn in [&head[..20], &head[..15], "\0\0\0"] {
            assert_eq!(owner(torn, "a_b"), Owner::Torn, "{torn}");
        }
        let bad = head.replacen('s', "S", 1);
        let zeros = "0".repeat(64);
        for damaged in [
            format!("{bad},...\n{head},...\n"),
            format!("{bad},\"prev_hash\":\"{zeros}\",\"data\":1,...\n"),
            head.replace("2026", "year") + ",...\n",
        ] {
            assert_eq!(owner(&damaged, "a_b"), Owner::Damaged, "{damaged}");
        }
        for stranger in [
            "nonsense\n",
            "{\"a\":1}",
            "{\"seq\":0}\n{\"seq\":1}\n",
            "{",
            "\n",
            &"x".repeat(5000),
            &"{\"a\":1}\n".repeat(500),
        ] {
            assert_eq!(owner(stranger, "a_b"), Owner::Stranger, "{stranger}");
        }
    }
}
