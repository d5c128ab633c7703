//! The page in a real Chromium, driven by its own protocol: two boots that an emulated guest made, from the first record
//! on, and a failed one with its cause; by keyboard, in light and in dark.
//!
//! The protocol is spoken over two pipes (`--remote-debugging-pipe`: a JSON object and a NUL byte a message), so nothing
//! but the browser is needed. `COUNTERSIGN_SCREENSHOTS` names a folder for pictures.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::page::{BOOTS, fail, sent};
use super::world::{Keys, Receiver, Sender, frame, record, send, until};

/// Debian's builds.
const PROGRAMS: [&str; 2] = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

/// A browser with one page.
struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    number: u64,
    /// What the page complained of: errors of scripts, what its content policy stopped.
    complaints: Vec<Value>,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// Nothing where this machine has none.
    fn open(url: &str) -> Option<Browser> {
        let Some(program) = PROGRAMS.into_iter().find(|path| Path::new(path).exists()) else {
            eprintln!("skipped: needs Chromium, which the package chromium-headless-shell brings");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|name| folder.path().join(name));
        for pipe in [&to, &from] {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<\"$TO\" 4>\"$FROM\"", "sh", program])
            // As root it has no sandbox of its own; it is shown nothing but our page.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--remote-debugging-pipe", "--window-size=1200,1000"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("TO", &to)
            .env("FROM", &from)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(&to).unwrap();
        let from = BufReader::new(File::open(&from).unwrap());
        let complaints = Vec::new();
        let mut browser = Browser { child, to, from, session: None, number: 0, complaints, _folder: folder };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Log.enable", "Runtime.enable", "Page.enable"] {
            browser.call(domain, json!({}));
        }
        browser.call("Page.navigate", json!({ "url": url }));
        Some(browser)
    }

    /// Calls a method and waits for its answer.
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            assert!(self.from.read_until(0, &mut bytes).unwrap() > 0, "the browser ended");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            match answer["method"].as_str() {
                Some("Log.entryAdded" | "Runtime.exceptionThrown") => {
                    self.complaints.push(answer["params"].clone())
                }
                _ if answer["id"] == self.number => {
                    assert_eq!(answer["error"], Value::Null, "{method}");
                    return answer["result"].clone();
                }
                _ => {}
            }
        }
    }

    /// The value of an expression in the page.
    fn value(&mut self, expression: &str) -> Value {
        let answer =
            self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    fn wait(&mut self, expression: &str) {
        until(expression, || (self.value(expression) == true).then_some(()));
    }

    /// Presses a key.
    fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" && kind == "keyDown" { "\r" } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    fn picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("COUNTERSIGN_SCREENSHOTS") {
            let picture = self.call("Page.captureScreenshot", json!({}));
            let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
            fs::write(PathBuf::from(folder).join(name), bytes).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TAB: u32 = 9;
const ENTER: u32 = 13;
const UP: u32 = 38;
const DOWN: u32 = 40;

#[test]
fn a_boot_is_seen_from_its_first_record_on_and_a_failed_one_with_its_cause() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &["--web", "--show", "notices"]);
    let Some(mut browser) = Browser::open(&receiver.url()) else { return };
    browser.wait("document.getElementById('link')?.textContent === 'live'");
    assert_eq!(browser.value("document.getElementById('title').textContent"), "No boot yet");

    // The first record; then the records up to a stage; then to the end of the boot.
    let first: Vec<String> =
        BOOTS.lines().take_while(|line| !line.contains("\"2026-11-30T18:43:43")).map(sent).collect();
    let second = first.iter().skip(1).position(|record| record.contains("authentication probe"));
    let first = &first[..second.map_or(first.len(), |at| at + 1)];
    let unlock = first.iter().position(|record| record.contains("stage=unlock state=start")).unwrap();
    let mut sender = Sender::connect(&receiver, &keys, "client");
    sender.send(&frame(&first[0]));
    browser.wait("document.getElementById('title').textContent === 'countersign-guest, boot 1'");
    browser.wait("document.getElementById('outcome').textContent === 'starting'");
    let frames = |records: &[String]| records.iter().flat_map(|record| frame(record)).collect::<Vec<u8>>();
    sender.send(&frames(&first[1..=unlock]));
    browser.wait("document.getElementById('timeline').tBodies[0].rows.length === 8");
    browser.wait("document.getElementById('outcome').textContent === 'starting: unlock'");
    let row = "document.getElementById('timeline').tBodies[0].rows[7].innerText";
    assert!(browser.value(row).as_str().unwrap().starts_with("unlock\tinitramfs\tunfinished"));
    browser.picture("1-unlock.png");
    sender.send(&frames(&first[unlock + 1..]));
    sender.end().unwrap();
    browser.wait("document.getElementById('outcome').textContent === 'workload started'");
    browser.wait("document.getElementById('timeline').tBodies[0].rows.length === 15");
    // Warnings have their remedy.
    let warning = "[...document.querySelectorAll('#warnings li')].find((li) => li.textContent.startsWith('HPL11104W'))?.textContent";
    let text = browser.value(warning);
    assert!(text.as_str().unwrap().contains("Why: ") && text.as_str().unwrap().contains("Do: "), "{text}");
    browser.picture("2-running.png");

    // Filters: a code, then a container.
    browser
        .wait("[...document.getElementById('code').options].some((option) => option.value === 'HPL10001I')");
    let choose = |id: &str, value: &str| {
        format!(
            "{{ const s = document.getElementById('{id}'); s.value = '{value}'; s.dispatchEvent(new Event('change')); }} true"
        )
    };
    browser.value(&choose("code", "HPL10001I"));
    browser.wait("document.getElementById('records').tBodies[0].rows.length === 1");
    browser.value(&choose("code", ""));
    browser.value(&choose("container", "compose-hello-1"));
    browser.wait(
        "document.getElementById('records').tBodies[0].innerText.includes('hello: boot 1 of this volume')",
    );
    browser.wait("document.getElementById('records').tBodies[0].rows.length === 1");
    browser.value(&choose("container", ""));

    // A failed boot of another guest, chosen by the keyboard.
    browser.value("document.querySelector('#boots button').click(); true");
    fail(&receiver, &keys);
    browser.wait("document.querySelectorAll('#boots button').length === 2");
    browser.value("document.getElementById('guest').focus(); true");
    browser.press("Tab", TAB);
    assert_eq!(browser.value("document.activeElement.dataset.boot"), "2");
    browser.press("ArrowDown", DOWN);
    assert_eq!(browser.value("document.activeElement.dataset.boot"), "1");
    browser.press("ArrowUp", UP);
    browser.press("Enter", ENTER);
    browser.wait("document.getElementById('title').textContent === 'refused-guest, boot 2'");
    // Focus is where it was, although the list was drawn anew.
    assert_eq!(browser.value("document.activeElement.dataset.boot"), "2");
    let outcome = browser.value("document.getElementById('outcome').textContent");
    let outcome = outcome.as_str().unwrap();
    assert!(
        outcome.starts_with("failed with HPL02003E") && outcome.contains("neither order of the two seeds"),
        "{outcome}"
    );
    browser.picture("3-failed.png");

    // What a container prints is text.
    send(&receiver, &keys, &[record("refused-guest", 1, "<img src=x onerror=alert(1)>HPL10001I: x")])
        .unwrap();
    browser.wait(
        "document.getElementById('records').tBodies[0].innerText.includes('<img src=x onerror=alert(1)>')",
    );
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);

    // Light and dark.
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", feature);
        grounds.push(browser.value(ground));
        browser.picture(&format!("4-{scheme}.png"));
    }
    assert_eq!(grounds, ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]);

    // Nothing from elsewhere, and nothing that the page's own policy had to stop.
    let origin =
        "performance.getEntriesByType('resource').every((one) => one.name.startsWith(location.origin + '/'))";
    assert_eq!(browser.value(origin), true);
    let stopped: Vec<&Value> =
        browser.complaints.iter().filter(|one| !one.to_string().contains("favicon.ico")).collect();
    assert!(stopped.is_empty(), "{stopped:#?}");

    // The receiver ends: the page says that it shows old things.
    drop(receiver);
    browser.wait("document.getElementById('link').textContent.startsWith('no connection')");
}
