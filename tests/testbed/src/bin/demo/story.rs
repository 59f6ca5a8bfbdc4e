//! Where the demo tells what happens: plain lines, with colour where a person is looking.

use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use entracte_testbed::load::Class;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// One line after another.
pub(crate) struct Story {
    out: Box<dyn Write + Send>,
    colour: bool,
}

impl Story {
    pub(crate) fn on_standard_output() -> Self {
        let out = io::stdout();
        let colour = wants_colour(&out);
        Self {
            out: Box::new(out),
            colour,
        }
    }

    pub(crate) fn on_standard_error() -> Self {
        let out = io::stderr();
        let colour = wants_colour(&out);
        Self {
            out: Box::new(out),
            colour,
        }
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.line("");
    }

    pub(crate) fn line(&mut self, line: impl Display) {
        // Nobody listens any more: the exit code still tells how it went.
        let _ = writeln!(self.out, "{line}");
    }

    /// Several lines as they are.
    pub(crate) fn text(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// What somebody else wrote.
    pub(crate) fn quote(&mut self, text: &str) {
        for line in text.lines() {
            let line = self.paint(DIM, &format!("    {line}"));
            self.line(line);
        }
    }

    /// What was typed into a shell, as it were.
    pub(crate) fn command(&mut self, command: &str) {
        let command = self.paint(BOLD, &format!("$ {command}"));
        self.line(command);
    }

    pub(crate) fn right(&mut self, sentence: &str) {
        let sentence = self.paint(GREEN, sentence);
        self.line(sentence);
    }

    pub(crate) fn wrong(&mut self, sentence: &str) {
        let sentence = self.paint(RED, sentence);
        self.line(sentence);
    }

    /// Gives a text the colour of who answered.
    pub(crate) fn answer(&self, class: Class, text: &str) -> String {
        let colour = match class {
            Class::App => GREEN,
            Class::Maintenance => YELLOW,
            Class::Other => RED,
        };
        self.paint(colour, text)
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// <https://no-color.org>
fn wants_colour(out: &impl IsTerminal) -> bool {
    out.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
