//! Reads files into documents. The only step here that touches files.
//!
//! Documents are taken apart before they are parsed, as `kubectl` does it (at lines that begin
//! with `---`), so that a slip in one does not keep the others from being looked at.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use kube::Resource;
use serde_json::Value;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use crate::api::MaintenanceWindow;

use super::Error;
use super::node::{Data, Node};

/// What standard input is called where a file would be named.
const STANDARD_INPUT: &str = "(standard input)";

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// The number of the document in its file, from 1.
    pub(super) document: usize,
    /// The line in the file, from 1, where it is known.
    pub(super) line: Option<u64>,
}

impl Place {
    /// Another line of the same document.
    pub(super) fn at(&self, line: Option<u64>) -> Self {
        Self {
            line,
            ..self.clone()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => write!(f, "{} (document {})", self.file, self.document),
        }
    }
}

/// A document that means to be a window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) root: Node,
}

/// A document that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) place: Place,
    pub(super) message: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What is in the files that concerns us.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) files: usize,
    pub(super) documents: Vec<Document>,
    pub(super) broken: Vec<Broken>,
}

/// Reads files; `-` is standard input.
pub(super) fn read(files: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    for file in files {
        let (name, text) = text_of(file)?;
        found.add(&name, &text);
    }
    Ok(found)
}

fn text_of(file: &Path) -> Result<(String, String), Error> {
    let (name, bytes) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        let result = std::io::stdin().lock().read_to_end(&mut bytes);
        (STANDARD_INPUT.to_owned(), result.map(|_| bytes))
    } else {
        (file.display().to_string(), std::fs::read(file))
    };
    if file.is_dir() {
        return Err(Error::Directory(name));
    }
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => Ok((name, text)),
        Ok(Err(_)) => Err(Error::NotText(name)),
        Err(source) => Err(Error::Read { file: name, source }),
    }
}

impl Found {
    /// Takes in what is in a file.
    pub(super) fn add(&mut self, file: &str, text: &str) {
        self.files += 1;
        let mut document = 0;
        for part in parts(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            let (roots, slip) = part.roots();
            for mut root in roots {
                root.move_down(part.lines_before);
                document += 1;
                let line = root.line;
                let file = file.to_owned();
                self.keep(
                    Place {
                        file,
                        document,
                        line,
                    },
                    root,
                );
            }
            if let Some(Slip { line, message }) = slip {
                document += 1;
                let place = Place {
                    file: file.to_owned(),
                    document,
                    line: line.map(|line| line + part.lines_before),
                };
                self.broken.push(Broken { place, message });
            }
        }
    }

    /// Keeps what means to be a window, and what does so in a list; other kinds are passed over.
    fn keep(&mut self, place: Place, root: Node) {
        let group = MaintenanceWindow::group(&());
        let kind = root.text("kind").unwrap_or_default();
        let api_version = root.text("apiVersion").unwrap_or_default();
        let group_of_root = api_version.split('/').next().unwrap_or_default();
        let ours = group_of_root == group;
        if (kind == "List" && api_version == "v1") || (kind.ends_with("List") && ours) {
            if let Some(Data::List(items)) = root.field("items").map(|items| &items.data) {
                for item in items {
                    self.keep(place.at(item.line), item.clone());
                }
            }
        } else if ours || (kind == MaintenanceWindow::kind(&()) && api_version.is_empty()) {
            // Our group has one kind: another is a slip, and so is a missing apiVersion.
            self.documents.push(Document { place, root });
        }
    }
}

/// What keeps a document from being read, and where in its part.
struct Slip {
    line: Option<u64>,
    message: String,
}

/// The text of one document, or of several where it is JSON.
struct Part<'a> {
    text: &'a str,
    /// How many lines of the file stand before it.
    lines_before: u64,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut offset = 0;
    let (mut start, mut lines_before) = (0, 0);
    for (number, line) in (0_u64..).zip(text.split_inclusive('\n')) {
        if offset > 0 && is_separator(line) {
            parts.push(Part {
                text: &text[start..offset],
                lines_before,
            });
            (start, lines_before) = (offset, number);
        }
        offset += line.len();
    }
    parts.push(Part {
        text: &text[start..],
        lines_before,
    });
    // Comments before the first --- are no document of their own.
    if parts.len() > 1 && parts.first().is_some_and(Part::says_nothing) {
        parts.remove(0);
    }
    parts
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

impl Part<'_> {
    fn says_nothing(&self) -> bool {
        self.text
            .lines()
            .map(str::trim_start)
            .all(|line| line.is_empty() || line.starts_with(['#', '%']))
    }

    fn is_json(&self) -> bool {
        let text = self.text.trim_start();
        text.strip_prefix('{')
            .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
    }

    /// The documents in it, and what kept the rest from being read.
    ///
    /// JSON is YAML, and read as such it has lines; only where that does not work (several
    /// objects in a row) it is read as JSON.
    fn roots(&self) -> (Vec<Node>, Option<Slip>) {
        if self.says_nothing() {
            return (vec![Node::from(Value::Null)], None);
        }
        let options = serde_saphyr::options! { with_snippet: false };
        match serde_saphyr::from_str_with_options::<Spanned<Data>>(self.text, options) {
            Ok(root) => (vec![Node::from(root)], None),
            Err(_) if self.is_json() => self.json(),
            Err(error) => {
                let line = error.location().map(|location| location.line());
                let message = format!(
                    "cannot be read: {}: correct the YAML",
                    UserMessageFormatter.format_message(error.without_snippet())
                );
                (Vec::new(), Some(Slip { line, message }))
            }
        }
    }

    fn json(&self) -> (Vec<Node>, Option<Slip>) {
        let mut roots = Vec::new();
        for value in serde_json::Deserializer::from_str(self.text).into_iter::<Value>() {
            match value {
                Ok(value) => roots.push(Node::from(value)),
                Err(error) => {
                    let said = error.to_string();
                    // The line is said in our own way.
                    let said = said.split(" at line ").next().unwrap_or_default();
                    let slip = Slip {
                        line: u64::try_from(error.line()).ok(),
                        message: format!("cannot be read: {said}: correct the JSON"),
                    };
                    return (roots, Some(slip));
                }
            }
        }
        (roots, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: &str = "apiVersion: entracte.dev/v1alpha1\nkind: MaintenanceWindow\n";

    /// Places of what was found in a file, and what is broken.
    fn found(text: &str) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        found.add("shop.yaml", text);
        let documents = found.documents.iter().map(|d| d.place.to_string());
        let broken = found.broken.iter().map(Broken::to_string);
        (documents.collect(), broken.collect())
    }

    fn places(text: &str) -> Vec<String> {
        let (places, broken) = found(text);
        assert_eq!(broken, [""; 0], "{text}");
        places
    }

    #[test]
    fn every_window_of_a_file_is_found_and_other_kinds_are_passed_over() {
        let text = format!(
            "# first\n---\n{WINDOW}---\napiVersion: v1\nkind: Service\n--- # third\n{WINDOW}...\n"
        );
        assert_eq!(places(&text), ["shop.yaml:3", "shop.yaml:9"]);
        assert_eq!(places(WINDOW), ["shop.yaml:1"]);
        assert_eq!(places(&format!("\u{feff}{WINDOW}")), ["shop.yaml:1"]);
        assert_eq!(places(&WINDOW.replace('\n', "\r\n")), ["shop.yaml:1"]);
        assert_eq!(
            places("apiVersion: entracte.io/v1\nkind: MaintenanceWindow\n"),
            [""; 0]
        );
        assert_eq!(places(""), [""; 0]);
        assert_eq!(places("---\n---\n# nothing\n"), [""; 0]);
    }

    #[test]
    fn a_window_with_a_slip_in_its_kind_or_group_is_still_ours() {
        assert_eq!(places("kind: MaintenanceWindow\n"), ["shop.yaml:1"]);
        let slip = "apiVersion: entracte.dev/v1\nkind: MaintainanceWindow\n";
        assert_eq!(places(slip), ["shop.yaml:1"]);
    }

    #[test]
    fn lists_are_unfolded() {
        let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
- apiVersion: entracte.dev/v1alpha1
  kind: MaintenanceWindow
- apiVersion: entracte.dev/v1alpha1
  kind: MaintenanceWindow
";
        assert_eq!(places(text), ["shop.yaml:6", "shop.yaml:8"]);
        let ours = text.replacen("v1", "entracte.dev/v1alpha1", 1).replacen(
            "List",
            "MaintenanceWindowList",
            1,
        );
        assert_eq!(places(&ours), ["shop.yaml:6", "shop.yaml:8"]);
    }

    #[test]
    fn json_has_lines_too_and_else_the_number_of_its_document() {
        let object = "{\n  \"apiVersion\": \"entracte.dev/v1alpha1\",\n  \"kind\": \
                      \"MaintenanceWindow\"\n}\n";
        assert_eq!(places(object), ["shop.yaml:1"]);
        assert_eq!(
            places(&object.repeat(2)),
            ["shop.yaml (document 1)", "shop.yaml (document 2)"]
        );
    }

    #[test]
    fn a_slip_in_one_document_leaves_the_others() {
        let text = format!("{WINDOW}---\n{WINDOW}spec: [\n---\n{WINDOW}");
        let (places, broken) = found(&text);
        assert_eq!(places, ["shop.yaml:1", "shop.yaml:8"]);
        assert_eq!(broken.len(), 1);
        let (place, message) = broken[0].split_once(": ").unwrap();
        assert!(["shop.yaml:6", "shop.yaml:7"].contains(&place), "{place}");
        assert!(message.starts_with("cannot be read: "), "{message}");
        assert!(message.ends_with(": correct the YAML"), "{message}");

        let (places, broken) = found("kind: MaintenanceWindow\nkind: MaintenanceWindow\n");
        assert_eq!(places, [""; 0]);
        assert_eq!(
            broken,
            [
                "shop.yaml:2: cannot be read: duplicate mapping key `kind` is not allowed here: \
              correct the YAML"
            ]
        );

        let (_, broken) = found("{\"kind\": \"MaintenanceWindow\",\n \"spec\": nothing at all}");
        assert_eq!(broken.len(), 0);
        let (_, broken) = found("{\"kind\": \"MaintenanceWindow\",\n \"spec\": }{");
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn a_directory_is_refused_with_what_to_name() {
        let directory = env!("CARGO_MANIFEST_DIR");
        let error = read(&[directory.into()]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{directory} is a directory: name the files in it, as in {directory}/*.yaml")
        );
        let error = read(&["no/such/file.yaml".into()]).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read no/such/file.yaml: "),
            "{error}"
        );
    }
}
