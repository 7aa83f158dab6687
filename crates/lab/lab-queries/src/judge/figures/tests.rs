//! What a file may hold, and how what is wrong is named.

use super::*;

fn wrong(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn rows_become_rounds_of_sessions() {
    let table = parse(
        "\u{feff}session, round,target,cpu,p99,valid\r\ns1,1,a,10,,true\r\ns1,1,b,11,4.5,false\r\n\r\ns2,1,b,1e3,0,true\r\n",
    )
    .unwrap();
    assert_eq!(table.figures, ["cpu", "p99"]);
    assert_eq!(table.sessions.len(), 2);
    let first = &table.sessions[0];
    assert_eq!(first.name.as_deref(), Some("s1"));
    assert_eq!(first.targets, ["a", "b"]);
    assert_eq!(first.payloads[0].name, None);
    let round = &first.payloads[0].rounds[0].trials;
    assert_eq!(round[0].figures, [Some(10.0), None]);
    assert!(round[0].valid && !round[1].valid);
    assert_eq!(
        table.sessions[1].payloads[0].rounds[0].trials[0].figures,
        [Some(1000.0), Some(0.0)]
    );
}

#[test]
fn what_is_wrong_is_named_with_line_and_column() {
    let table = [
        ("round,cpu\n1,2\n", "line 1, column \"target\": is missing"),
        ("target,cpu\na,2\n", "line 1, column \"round\": is missing"),
        ("round,target\n1,a\n", "line 1: no column holds a figure"),
        (
            "round,target,cpu,cpu\n1,a,2,3\n",
            "line 1, column \"cpu\": stands twice",
        ),
        ("round,target,\n1,a,2\n", "line 1: column 3 has no name"),
        ("round,target,cpu\n", "line 2: there are no rows"),
        ("", "line 1, column \"round\": is missing"),
        (
            "round,target,cpu\n1,a,2\n1,b,x\n",
            "line 3, column \"cpu\": \"x\" is not a number",
        ),
        (
            "round,target,cpu\n1,a,-2\n",
            "line 2, column \"cpu\": \"-2\" is negative",
        ),
        (
            "round,target,cpu\n1,a,NaN\n",
            "line 2, column \"cpu\": \"NaN\" is not a finite number",
        ),
        (
            "round,target,cpu\n1,a,2\n1,a,3\n",
            "line 3, column \"target\": \"a\" stands twice in round \"1\"",
        ),
        (
            "round,target,cpu\n1,,2\n",
            "line 2, column \"target\": is empty",
        ),
        (
            "round,target,cpu\n,a,2\n",
            "line 2, column \"round\": is empty",
        ),
        (
            "round,target,cpu,valid\n1,a,2,yes\n",
            "line 2, column \"valid\": \"yes\" is neither",
        ),
        (
            "round,target,cpu,valid\n1,a,2,\n",
            "line 2, column \"valid\": \"\" is neither",
        ),
        (
            "round,target,cpu,payload\n1,a,2,\n",
            "line 2, column \"payload\": is empty",
        ),
        (
            "round,target,cpu\n1,a,2\n2,a\n",
            "line 3: 2 cells where the first line has 3 columns",
        ),
    ];
    for (text, expected) in table {
        let found = wrong(text);
        assert!(found.contains(expected), "{text:?}: {found}");
    }
}

#[test]
fn a_quoted_cell_over_two_lines_does_not_shift_the_count() {
    let found = wrong("round,target,cpu\n\"1\n\",a,2\n1,b,x\n");
    assert!(found.contains("line 4, column \"cpu\""), "{found}");
}

#[test]
fn bytes_that_are_no_text_are_named_by_line() {
    let error = String::from_utf8(b"round,target,cpu\n1,a,\xff\n".to_vec()).unwrap_err();
    assert_eq!(WrongFile::not_utf8(&error).to_string(), "line 2: not UTF-8");
}
