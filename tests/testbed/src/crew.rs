//! Several insides at once, each in namespaces of its own, that take one order after the other: so
//! tests on real clusters, which mostly wait, share the cores of one machine.
//!
//! Outside, [`Crew::carry_out`] gives an order to a member that is free, and makes one where none
//! is. Inside, [`Orders::follow`] reads the orders and answers each. An order is a line on the
//! member's standard input. What it prints while it works on one belongs to that order, so that the
//! lines of two never mix.

use std::{
    io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write},
    panic::{self, AssertUnwindSafe},
    process::{Command, ExitCode},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc},
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

/// What begins the line that ends an order: the record separator, which nobody prints.
const OVER: char = '\u{1e}';

/// Who asks for a member, and where it goes.
pub(crate) type Request = mpsc::Sender<io::Result<Member>>;

/// The members, as those see them who give orders.
#[derive(Debug)]
pub struct Crew {
    size: usize,
    requests: UnboundedSender<Request>,
    members: Mutex<Members>,
    one_is_free: Condvar,
}

#[derive(Debug, Default)]
struct Members {
    free: Vec<Member>,
    all: usize,
}

/// A process inside, as seen from outside.
#[derive(Debug)]
pub(crate) struct Member {
    orders: PipeWriter,
    answers: BufReader<PipeReader>,
}

/// What came of an order.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// What was printed meanwhile.
    pub printed: String,
    /// What there is to report, or why it failed.
    pub result: Result<String, String>,
}

/// The last line of an order.
#[derive(Serialize, Deserialize)]
struct Last {
    result: Result<String, String>,
}

impl Crew {
    pub(crate) fn new(size: usize, requests: UnboundedSender<Request>) -> Self {
        Self {
            size,
            requests,
            members: Mutex::default(),
            one_is_free: Condvar::new(),
        }
    }

    /// Has an order carried out, once a member is free. Blocks until it is done.
    pub fn carry_out(&self, order: &str) -> Done {
        let done = self.free_member().and_then(|mut member| {
            let done = member.carry_out(order);
            self.take_back(done.is_ok().then_some(member));
            done
        });
        done.unwrap_or_else(|error| Done {
            printed: String::new(),
            result: Err(format!("the process that was to do it is gone: {error}")),
        })
    }

    fn free_member(&self) -> io::Result<Member> {
        let mut members = self.members();
        loop {
            if let Some(member) = members.free.pop() {
                return Ok(member);
            }
            if members.all < self.size {
                members.all += 1;
                drop(members);
                return self.new_member().inspect_err(|_| self.take_back(None));
            }
            let waiting = self.one_is_free.wait(members);
            members = waiting.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whoever supervises makes it: what it spawns dies with the thread that spawned it.
    fn new_member(&self) -> io::Result<Member> {
        let (request, made) = mpsc::channel();
        let over = || io::Error::other("the run is over");
        self.requests.send(request).map_err(|_| over())?;
        made.recv().map_err(|_| over())?
    }

    fn take_back(&self, member: Option<Member>) {
        let mut members = self.members();
        match member {
            Some(member) => members.free.push(member),
            None => members.all -= 1,
        }
        self.one_is_free.notify_one();
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Connects `command`, which becomes the process.
    pub(crate) fn at(command: &mut Command) -> io::Result<Self> {
        let (stdin, orders) = io::pipe()?;
        let (answers, stdout) = io::pipe()?;
        command.stdin(stdin).stdout(stdout);
        Ok(Self {
            orders,
            answers: BufReader::new(answers),
        })
    }

    fn carry_out(&mut self, order: &str) -> io::Result<Done> {
        writeln!(self.orders, "{order}")?;
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("it ended, and said {printed:?}")));
            }
            // What was printed last may not have ended its line.
            let Some((rest, last)) = line.split_once(OVER) else {
                printed += &line;
                continue;
            };
            printed += rest;
            let Last { result } = serde_json::from_str(last)?;
            return Ok(Done { printed, result });
        }
    }
}

/// What a member is to do, as it sees it.
#[derive(Debug)]
pub struct Orders(());

impl Orders {
    /// Those on the standard input.
    pub(crate) fn of_this_process() -> Self {
        Self(())
    }

    /// Follows each order until there are no more. Fails where any of them failed or panicked.
    pub fn follow(self, obey: impl Fn(&str) -> Result<String, String>) -> ExitCode {
        // To where all else about the order goes.
        panic::set_hook(Box::new(|panic| println!("{panic}")));
        let mut all_well = true;
        for order in io::stdin().lines() {
            let Ok(order) = order else { break };
            let result = panic::catch_unwind(AssertUnwindSafe(|| obey(&order)));
            let result = result.unwrap_or_else(|panic| Err(message(&*panic)));
            all_well &= result.is_ok();
            let Ok(last) = serde_json::to_string(&Last { result }) else {
                break;
            };
            println!("{OVER}{last}");
        }
        if all_well {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// A crew whose members are these shell scripts.
    fn crew(size: usize, script: &'static str) -> (Crew, std::thread::JoinHandle<usize>) {
        let (requests, mut requested) = unbounded_channel::<Request>();
        let making = std::thread::spawn(move || {
            let mut members = Vec::new();
            while let Some(request) = requested.blocking_recv() {
                let mut command = Command::new("sh");
                command.args(["-c", script]);
                let member = Member::at(&mut command);
                members.push(command.spawn().unwrap());
                drop(command);
                request.send(member).unwrap();
            }
            let all = members.len();
            for mut member in members {
                member.wait().unwrap();
            }
            all
        });
        (Crew::new(size, requests), making)
    }

    #[test]
    fn what_an_order_prints_and_how_it_ends_is_its_own() {
        let (crew, making) = crew(
            1,
            r#"read order; echo "one: $order"; printf 'two\036{"result":{"Ok":"yes"}}\n'
               read order; printf '\036{"result":{"Err":"no"}}\n'"#,
        );
        let done = crew.carry_out("first");
        assert_eq!(done.printed, "one: first\ntwo");
        assert_eq!(done.result, Ok("yes".to_owned()));
        let done = crew.carry_out("second");
        assert_eq!(
            (done.printed, done.result),
            (String::new(), Err("no".to_owned()))
        );
        drop(crew);
        assert_eq!(making.join().unwrap(), 1, "one was enough");
    }

    #[test]
    fn one_that_dies_fails_its_order_and_another_takes_the_next() {
        let (crew, making) = crew(1, "read order; echo farewell");
        for _ in 0..2 {
            let failure = crew.carry_out("any").result.unwrap_err();
            assert!(failure.contains("farewell"), "{failure}");
        }
        drop(crew);
        assert_eq!(making.join().unwrap(), 2);
    }

    #[test]
    fn there_are_no_more_members_than_the_crew_has() {
        let (crew, making) = crew(
            2,
            r#"while read order; do sleep 0.1; printf '\036{"result":{"Ok":""}}\n'; done"#,
        );
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| assert_eq!(crew.carry_out("any").result, Ok(String::new())));
            }
        });
        drop(crew);
        assert_eq!(making.join().unwrap(), 2);
    }
}
