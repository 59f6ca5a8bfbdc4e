//! h2spec: whether the port speaks HTTP/2 as RFC 9113 and RFC 7541 have it.

use std::fs;

use similar_asserts::assert_eq;

use crate::stage::backend::{Backend, notice};
use crate::stage::programs;

/// What h2spec expects otherwise than we do, by section and title.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The port speaks HTTP/1 as well: what does not begin with the preface is a request of that, and
    // it is answered 400 in HTTP/1 before the connection is closed. h2spec takes that for a frame.
    ("http2/3.5", "Sends invalid connection preface"),
];

/// One test case of its report.
#[derive(Debug, PartialEq, Eq)]
struct Case<'a> {
    section: &'a str,
    title: &'a str,
    passed: bool,
}

#[tokio::test]
async fn h2spec_finds_nothing_that_is_not_http_2() {
    let mut h2spec = programs::go("h2spec").await;
    let backend = Backend::start(&notice()).await;
    let report = backend.scratch("report.xml");
    h2spec
        .args(["--host", "127.0.0.1", "--timeout", "2"])
        .args(["--port", &backend.address.port().to_string()])
        .arg("--junit-report")
        .arg(&report);
    let output = h2spec.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report = fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {said}"));
    let cases = cases(&report);
    let failed: Vec<_> = cases
        .iter()
        .filter(|case| !case.passed)
        .map(|case| (case.section, case.title))
        .collect();
    assert_eq!(failed, EXCEPTIONS, "{said}");
    assert!(cases.len() >= 140, "{}: {said}", cases.len());
}

/// The test cases of a report in the format of JUnit. A skipped one has not passed.
fn cases(report: &str) -> Vec<Case<'_>> {
    let elements = report.split("<testcase ").skip(1);
    let case = |element| {
        let (start, rest) = str::split_once(element, '>')?;
        Some(Case {
            section: attribute(start, "package")?,
            title: attribute(start, "classname")?,
            passed: rest.starts_with("</testcase>"),
        })
    };
    elements.map(|element| case(element).unwrap()).collect()
}

fn attribute<'a>(start: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = start.split_once(&format!("{name}=\""))?;
    Some(value.split_once('"')?.0)
}

#[test]
fn a_report_is_understood() {
    let report = "<testsuite name=\"a\">\n\
                  <testcase package=\"http2/3.5\" classname=\"Sends x\" time=\"0.1\"></testcase>\n\
                  <testcase package=\"http2/5.1\" classname=\"Sends y\" time=\"0.2\">\n\
                  <failure>GOAWAY Frame</failure></testcase></testsuite>";
    let case = |section, title, passed| Case {
        section,
        title,
        passed,
    };
    let expected = [
        case("http2/3.5", "Sends x", true),
        case("http2/5.1", "Sends y", false),
    ];
    assert_eq!(cases(report), expected);
}
