//! The page over real sockets: who gets an answer, what stands beside each, and what it shows of a real boot and of a
//! failed one. The records are those that two boots of an emulated guest sent to rsyslogd (`../verbs/log.in`), and what
//! the guest's own encoder makes of the report of a failed boot.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use countersign_contract::code::Severity;
use countersign_plan::forwarding::origin::Source;
use countersign_plan::forwarding::{own, syslog};
use countersign_plan::guest_os::handover::Identity;
use serde_json::Value;

use super::world::{Keys, Receiver, Sender, frame, until};

/// What two boots of a guest sent, as rsyslogd wrote it.
pub(crate) const BOOTS: &str = include_str!("../verbs/log.in/two-boots.jsonl");

/// A receiver with a page.
fn serve(keys: &Keys, folder: &std::path::Path) -> Receiver {
    Receiver::start(keys, folder, &["--web", "--show", "notices"])
}

/// A stored record as it was sent.
pub(crate) fn sent(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| record[name].as_str().unwrap().to_owned();
    let facility = match text("facility").as_str() {
        "kern" => 0,
        "user" => 1,
        "daemon" => 3,
        "syslog" => 5,
        "local0" => 16,
        "auth" => 4,
        "authpriv" => 10,
        other => panic!("facility {other}"),
    };
    let names = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    let severity = names.iter().position(|name| *name == text("severity")).unwrap();
    let [time, host, app, procid, data, msg] = ["time", "host", "app", "procid", "data", "msg"].map(text);
    format!("<{}>1 {time} {host} {app} {procid} - {data} {msg}", facility * 8 + severity)
}

/// Both boots, to a receiver.
pub(crate) fn replay(receiver: &Receiver, keys: &Keys) {
    let mut sender = Sender::connect(receiver, keys, "client");
    sender.send(&BOOTS.lines().flat_map(|line| frame(&sent(line))).collect::<Vec<u8>>());
    sender.end().unwrap();
}

/// The report of a boot that failed in the initramfs, by the guest's own encoder.
pub(crate) fn fail(receiver: &Receiver, keys: &Keys) {
    let identity = Identity { enterprise: 32473, contract: "c0ffee".into(), signer: None };
    let source = Source { hostname: "refused-guest", identity: &identity, began: 0 };
    let mut bytes = Vec::new();
    for line in [
        "HPL02003E: volume data: neither order of the two seeds opens it; check both seeds",
        "HPL10000E: the boot failed and the guest powers off",
    ] {
        syslog::frame(&own::entry(Severity::Error, 1_795_316_096, line), None, source, &mut bytes);
    }
    let mut sender = Sender::connect(receiver, keys, "client");
    sender.send(&bytes);
    sender.end().unwrap();
}

/// `127.0.0.1:PORT` and the path of the page's address.
fn parts(url: &str) -> (String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

/// The whole answer to a request that is sent as it stands.
fn ask(host: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(host).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(host: &str, path: &str) -> String {
    ask(host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

fn json(host: &str, path: &str) -> Value {
    serde_json::from_str(get(host, path).split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn only_who_has_the_address_gets_an_answer_and_only_for_its_name() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = serve(&keys, folder.path());
    let (host, path) = parts(&receiver.url());
    let port = host.split(':').nth(1).unwrap();
    assert!(get(&host, &path).starts_with("HTTP/1.1 200 "));
    // DNS rebinding: the name of another site resolves to loopback, and the browser says that name.
    for name in
        [format!("evil.example:{port}"), "127.0.0.1".to_owned(), format!("127.0.0.1:{port}.evil.example")]
    {
        let request = format!("GET {path}state HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let answer = ask(&host, &request);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{name}: {answer}");
        assert!(!answer.contains("boots"), "{answer}");
    }
    let without = ask(&host, &format!("GET {path}state HTTP/1.0\r\n\r\n"));
    assert!(without.starts_with("HTTP/1.0 421 "), "{without}");
    for name in [format!("localhost:{port}"), format!("LOCALHOST:{port}")] {
        let request = format!("GET {path}state HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        assert!(ask(&host, &request).starts_with("HTTP/1.1 200 "), "{name}");
    }
    // A page of another site that asks by a form, an image or a script.
    let request = format!(
        "GET {path}state HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n"
    );
    assert!(ask(&host, &request).starts_with("HTTP/1.1 403 "));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        let request = format!(
            "{method} {path}state HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = ask(&host, &request);
        assert!(
            answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET\r\n"),
            "{method}: {answer}"
        );
    }
    let token = path.trim_matches('/');
    let other = format!("/{}{}/state", &token[..63], if token.ends_with('0') { '1' } else { '0' });
    for path in
        ["/", "/state", "/favicon.ico", &other, &format!("/{token}"), &format!("/{}/state", &token[..63])]
    {
        assert!(get(&host, path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn every_answer_forbids_what_the_page_does_not_need() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = serve(&keys, folder.path());
    let (host, path) = parts(&receiver.url());
    for (name, kind) in [
        ("", "text/html; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("state", "application/json"),
        ("records", "application/json"),
        ("nothing", "text/plain"),
    ] {
        let answer = get(&host, &format!("{path}{name}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for field in [
            &*format!("content-type: {kind}"),
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.lines().any(|line| line == field), "{name}: {field} in {head}");
        }
        assert!(!head.to_lowercase().contains("access-control"), "{head}");
        // Nothing from elsewhere, and no way for a text to become markup.
        for word in [
            "http:",
            "https:",
            "//",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "eval(",
            "style=\"",
            "onclick",
        ] {
            let comments = name == "page.js" && word == "//";
            assert!(comments || !body.contains(word), "{name}: {word}");
        }
    }
}

/// Another local user reaches the port, and finds the token nowhere.
#[test]
fn another_local_user_gets_nothing() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = serve(&keys, folder.path());
    let (host, path) = parts(&receiver.url());
    let token = path.trim_matches('/');
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).args(arguments);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    assert_eq!(nobody(&["id", "-u"]).trim(), "65534");
    let status =
        nobody(&["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", &format!("http://{host}/state")]);
    assert_eq!(status, "404");
    let process = format!("/proc/{}", receiver.id());
    for file in ["cmdline", "environ"] {
        let seen = nobody(&["cat", &format!("{process}/{file}")]);
        assert!(!seen.contains(token), "{file}");
    }
    assert_eq!(nobody(&["ls", &receiver.folder.join("records").display().to_string()]), "");
    // Nor does root find it in a file.
    let found = Command::new("grep").args(["-rl", token]).arg(&receiver.folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn two_real_boots_and_a_failed_one_are_shown() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = serve(&keys, folder.path());
    let (host, path) = parts(&receiver.url());
    replay(&receiver, &keys);
    fail(&receiver, &keys);
    let state = json(&host, &format!("{path}state"));
    let boots = state["boots"].as_array().unwrap();
    assert_eq!(boots.len(), 3, "{state:#}");
    for boot in &boots[..2] {
        assert_eq!(
            (&boot["outcome"], &boot["missing"], &boot["host"]),
            (&"running".into(), &0.into(), &"countersign-guest".into())
        );
        let stages = boot["timeline"]["stages"].as_array().unwrap();
        assert_eq!(stages.len(), 15);
        assert!(stages.iter().all(|stage| stage["state"] == "done"));
        assert_eq!((&boot["checks"], &boot["last_check"]), (&1.into(), &1.into()));
        let warnings = boot["warnings"].as_array().unwrap();
        let memory = warnings.iter().find(|said| said["code"] == "HPL11104W").unwrap();
        assert!(
            !memory["remedy"].as_str().unwrap().is_empty() && !memory["cause"].as_str().unwrap().is_empty()
        );
    }
    let failed = &boots[2];
    assert_eq!((&failed["outcome"], &failed["host"]), (&"failed".into(), &"refused-guest".into()));
    assert_eq!(failed["cause"]["code"], "HPL02003E");
    assert!(failed["cause"]["text"].as_str().unwrap().contains("neither order of the two seeds"));

    // Filters, alone and together.
    let records =
        |query: &str| json(&host, &format!("{path}records?{query}"))["records"].as_array().unwrap().clone();
    let started = records("code=HPL10001I");
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|record| record["text"].as_str().unwrap().starts_with("HPL10001I")));
    assert_eq!(records("code=HPL10001I&boot=2").len(), 1);
    assert!(records("stage=unlock").iter().all(|record| record["stage"] == "unlock"));
    assert_eq!(records("stage=unlock&boot=1").len(), 2);
    assert!(!records("container=compose-hello-1").is_empty());
    assert_eq!(records("host=refused-guest").len(), 2);
    let last = json(&host, &format!("{path}records"))["last"].as_u64().unwrap();
    assert_eq!(records(&format!("after={last}")).len(), 0);
    until("the terminal", || receiver.printed().contains("the boot failed with HPL02003E").then_some(()));
}
