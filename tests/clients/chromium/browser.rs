//! Chromium with one page, driven by the DevTools protocol over a pipe: messages are JSON, each
//! ended by a NUL, on its file descriptors 3 and 4 (`--remote-debugging-pipe`).

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use entracte_testbed::preflight::find_or_install;
use entracte_testbed::process::{Process, is_root, mortal};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The variable that names the browser.
const VARIABLE: &str = "ENTRACTE_TEST_CHROMIUM";

/// How long the browser may take to do what it is told.
const LIMIT: Duration = Duration::from_secs(30);

/// The two descriptors become its standard input and output, which we have the other ends of.
const ON_A_PIPE: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#;

const OPTIONS: [&str; 14] = [
    "--remote-debugging-pipe",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-proxy-server",
    // Nothing but loopback, whatever it is that the browser wants to know.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--lang=en-US",
];

/// The browser. It is killed when it is dropped, which can leave its profile behind.
pub(super) struct Browser {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with an empty profile and an empty page.
    pub(super) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = mortal("sh", "KILL");
        command
            .args(["-c", ON_A_PIPE])
            .arg(program().await)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("TMPDIR", profile.path());
        if is_root() {
            // Root has no sandbox to give away.
            command.arg("--no-sandbox");
        }
        let started = Process::start_dialogue("chromium", command, profile.path());
        let (process, input, output) = started.unwrap();
        let mut browser = Self {
            process,
            input,
            output: BufReader::new(output),
            session: None,
            calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.open_page().await;
        browser
    }

    async fn open_page(&mut self) {
        let blank = json!({"url": "about:blank"});
        let target = self.call("Target.createTarget", blank).await;
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", target).await;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
    }

    /// Ends it, so that nobody writes to its profile any more when that is removed.
    pub(super) async fn close(self) {
        self.process.terminate(LIMIT).await.unwrap();
    }

    /// Goes to a URL, and waits until the page is there.
    pub(super) async fn go(&mut self, url: &str) {
        self.events.clear();
        let went = self.call("Page.navigate", json!({"url": url})).await;
        assert_eq!(went.get("errorText"), None, "{url}");
        self.wait_for("Page.loadEventFired").await;
    }

    /// Sends a form by POST, and waits until the page that answers it is there.
    pub(super) async fn post(&mut self, url: &str) {
        let form = format!(
            "{{
                const form = document.body.appendChild(document.createElement('form'));
                Object.assign(form, {{ method: 'post', action: {url:?} }}).submit();
            }}"
        );
        self.events.clear();
        self.evaluate(&form).await;
        self.wait_for("Page.loadEventFired").await;
    }

    /// Whether pages may run scripts from now on.
    pub(super) async fn allow_scripts(&mut self, allowed: bool) {
        let disabled = json!({"value": !allowed});
        self.call("Emulation.setScriptExecutionDisabled", disabled)
            .await;
    }

    /// Waits until the page has gone elsewhere by itself, and that is there.
    pub(super) async fn go_on(&mut self) {
        self.events.clear();
        self.wait_for("Page.loadEventFired").await;
    }

    /// Waits for an event of the page since it went to where it is.
    async fn wait_for(&mut self, method: &str) {
        while !self.events.iter().any(|event| event["method"] == method) {
            let message = self.next_message().await;
            self.events.push(message);
        }
    }

    /// The value of an expression in the page; of a promise, what it is resolved with.
    pub(super) async fn evaluate(&mut self, expression: &str) -> Value {
        let expression = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
        });
        let result = self.call("Runtime.evaluate", expression).await;
        assert_eq!(result.get("exceptionDetails"), None);
        result["result"]["value"].clone()
    }

    /// What the console has shown of errors and warnings since the page was gone to, and what the
    /// page threw.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.events.iter().filter_map(complaint).collect()
    }

    /// The requests of the page since it was gone to.
    pub(super) fn requests(&self) -> Vec<&str> {
        let sent = self
            .events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["params"]["request"]["url"].as_str())
            .collect()
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let line = format!("{call}\0");
        self.input.write_all(line.as_bytes()).await.unwrap();
        loop {
            let message = self.next_message().await;
            if message["id"] == self.calls {
                assert_eq!(message.get("error"), None, "{method}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    async fn next_message(&mut self) -> Value {
        let mut message = Vec::new();
        let read = self.output.read_until(0, &mut message);
        let read = timeout(LIMIT, read).await.expect("Chromium says nothing");
        assert_ne!(read.unwrap(), 0, "Chromium is gone");
        message.pop();
        serde_json::from_slice(&message).unwrap()
    }
}

/// The browser that is named, or Chromium of the system, which is installed where we may.
async fn program() -> PathBuf {
    static ONE_INSTALLS: Mutex<()> = Mutex::const_new(());
    if let Some(named) = env::var_os(VARIABLE) {
        return named.into();
    }
    let _one = ONE_INSTALLS.lock().await;
    find_or_install("chromium", "chromium")
        .unwrap_or_else(|error| panic!("{error} Or name a Chromium in {VARIABLE}."))
}

fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" => {
            let harmless = ["log", "debug", "info"].map(Value::from);
            (!harmless.contains(&params["type"])).then(|| params["args"].to_string())
        }
        "Log.entryAdded" => {
            let entry = &params["entry"];
            let member = |name: &str| entry[name].as_str().unwrap_or_default();
            let (level, source) = (member("level"), member("source"));
            let (text, url) = (member("text"), member("url"));
            ["error", "warning"]
                .contains(&level)
                .then(|| format!("{source}: {text}: {url}"))
        }
        _ => None,
    }
}
