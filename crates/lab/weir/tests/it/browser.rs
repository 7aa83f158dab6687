//! Chromium without a window, driven over its debugging pipe: what a reader of the report would see.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser of the test's own, with an empty profile; it ends with the value.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    last_id: u64,
    /// Events that came while an answer was waited for.
    pub(crate) events: Vec<Value>,
    session: Option<String>,
    _profile: TempDir,
}

/// How the page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) width: u32,
    /// "light" or "dark".
    pub(crate) scheme: &'static str,
    /// Script runs; without it the page must still say what was found.
    pub(crate) script: bool,
}

impl Browser {
    /// None, with a word on standard error, where there is no Chromium. `WEIR_CHROMIUM` names one.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = find() else {
            testkit::left_out("no Chromium found: install `chromium`, or set WEIR_CHROMIUM");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // Chromium speaks over descriptors 3 and 4, which a shell can hand it and std cannot.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>&2", "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else {
                    continue;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let browser = Self {
            child,
            commands,
            messages,
            last_id: 0,
            events: Vec::new(),
            session: None,
            _profile: profile,
        };
        Some(browser)
    }

    /// Opens a file in a new tab, looked at as `view` says, and waits until it has loaded.
    pub(crate) fn open(&mut self, page: &Path, view: View) {
        self.session = None;
        let tab = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = self.call(
            "Target.attachToTarget",
            json!({"targetId": tab["targetId"], "flatten": true}),
        );
        self.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        let features = json!([{"name": "prefers-color-scheme", "value": view.scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !view.script}),
        );
        self.events.clear();
        self.call(
            "Page.navigate",
            json!({"url": format!("file://{}", page.display())}),
        );
        self.wait_for("Page.loadEventFired");
        // Two frames: figures are drawn and drawn again where their width changed.
        if view.script {
            self.evaluate(
                "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
            );
        }
    }

    /// The value of an expression of the page's script; a promise is waited for.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// What the page complained about, in words: exceptions, console errors and warnings, log entries.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let bad = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].contains(&event["params"]["type"].as_str().unwrap())
            }
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "info",
            _ => false,
        };
        self.events
            .iter()
            .filter(bad)
            .map(|event| event["params"].to_string())
            .collect()
    }

    /// What the page asked for beyond itself and the data that it carries.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .filter(|event| event["params"]["type"] != "Document")
            .map(|event| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .filter(|url| !url.starts_with("data:"))
            .collect()
    }

    /// The whole page as a picture.
    pub(crate) fn screenshot(&mut self, file: &Path) {
        let answer = self.call(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true}),
        );
        save(file, &answer["data"]);
    }

    /// Shows the open page as it would be on a sheet of A4, 96 pixels an inch, less its margins.
    pub(crate) fn as_on_paper(&mut self) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": false}),
        );
        self.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
        self.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
    }

    /// The page on paper.
    pub(crate) fn pdf(&mut self, file: &Path) {
        let answer = self.call("Page.printToPDF", json!({"printBackground": false}));
        save(file, &answer["data"]);
    }

    /// A key press such as `Tab` or `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let code = if key == "Enter" { 13 } else { 9 };
        let mut event =
            json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if key == "Enter" {
            event["text"] = "\r".into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event);
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        let answer = self.take(|message| message["id"] == id, method);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    fn wait_for(&mut self, event: &str) {
        self.take(|message| message["method"] == event, event);
    }

    /// The first message that fits; those before it are kept as events.
    fn take(&mut self, fits: impl Fn(&Value) -> bool, what: &str) -> Value {
        if let Some(place) = self.events.iter().position(&fits) {
            return self.events.remove(place);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self
                .messages
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no answer to {what}"));
            if fits(&message) {
                return message;
            }
            self.events.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The pipe's end is the browser's end; a kill is for one that does not listen.
        self.session = None;
        let close = b"{\"id\":0,\"method\":\"Browser.close\"}\0";
        let asked = self.commands.write_all(close).is_ok();
        let deadline = Instant::now() + Duration::from_secs(5);
        while asked && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn save(file: &Path, base64: &Value) {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(base64.as_str().unwrap())
        .unwrap();
    fs::write(file, bytes).unwrap();
}

fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("WEIR_CHROMIUM").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
    ];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}
