//! Who may send, what arrives, and what its end means.

use std::fs;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::world::{Keys, Receiver, Sender, frame, record, send, until};

/// What OpenSSL's own client says to a server with this certificate of ours, or with none.
fn s_client(receiver: &Receiver, keys: &Keys, client: Option<&str>, input: &[u8], leave: bool) -> String {
    let mut command = Command::new("openssl");
    command.current_dir(keys.folder.path()).args([
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-verify_return_error",
    ]);
    command.args(["-CAfile", "ca.crt", "-connect", &receiver.address.to_string()]);
    if let Some(name) = client {
        command.args(["-cert", &format!("{name}.crt"), "-key", &format!("{name}.key")]);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A server that refuses may have hung up before.
    let _ = stdin.write_all(input);
    // At the end of its input it leaves; before, it hears what the server says.
    let mut said = Vec::new();
    if leave {
        drop(stdin);
    } else {
        std::io::Read::read_to_end(child.stderr.as_mut().unwrap(), &mut said).unwrap();
    }
    child.wait().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_record_of_openssls_own_client_arrives_with_all_its_parts() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &["--show", "all"]);
    let text = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" \
                eventSource=\"Application\" eventID=\"1011\"] \u{feff}An application event log entry\u{e9}";
    s_client(&receiver, &keys, Some("client"), &frame(text), true);
    let records = until("the record", || Some(receiver.records()).filter(|records| !records.is_empty()));
    for (name, value) in [
        ("facility", "local4"),
        ("severity", "notice"),
        ("time", "2003-10-11T22:14:15.003Z"),
        ("host", "mymachine.example.com"),
        ("app", "evntslog"),
        ("procid", "-"),
        ("msgid", "ID47"),
        ("data", r#"[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]"#),
        ("msg", "An application event log entry\u{e9}"),
    ] {
        assert_eq!(records[0][name], value, "{name}");
    }
    receiver.wait_for("mymachine.example.com evntslog: An application event log entry\u{e9}");
}

/// Each gets OpenSSL's alert, nothing of any arrives, and the owner is told why.
#[test]
fn who_is_refused_is_told_and_so_is_the_owner() {
    let keys = Keys::new();
    keys.issue("foreign", "other", "extendedKeyUsage=clientAuth");
    keys.issue("wrong", "ca", "extendedKeyUsage=serverAuth");
    keys.issue("revoked", "ca", "extendedKeyUsage=clientAuth");
    revoke(&keys, None);
    keys.openssl("req -new -newkey rsa:2048 -nodes -subj /CN=expired -keyout expired.key -out expired.csr");
    keys.openssl(
        "ca -config ca.conf -keyfile ca.key -cert ca.crt -batch -notext -startdate \
         20200101000000Z -enddate 20200102000000Z -in expired.csr -out expired.crt",
    );
    revoke(&keys, Some("revoked"));
    let folder = tempfile::tempdir().unwrap();
    let list = keys.path("list.pem");
    let receiver = Receiver::start(&keys, folder.path(), &["--crl", list.to_str().unwrap()]);
    let input = frame(&record("guest", 1, "not to be taken"));
    for (client, alert, told) in [
        (None, "certificate required", "refused: it shows no client certificate"),
        (Some("foreign"), "alert", "refused: its client certificate is of another authority"),
        (Some("expired"), "certificate expired", "refused: its client certificate has expired"),
        (Some("wrong"), "certificate", "refused: its certificate is not for clients"),
        (Some("revoked"), "certificate revoked", "refused: its client certificate was revoked"),
    ] {
        let said = s_client(&receiver, &keys, client, &input, false);
        receiver.wait_for(told);
        assert!(said.contains(alert), "{client:?}: {said}");
    }
    assert!(receiver.records().is_empty());
    send(&receiver, &keys, &[record("guest", 1, "taken")]).unwrap();
    assert_eq!(receiver.records()[0]["msg"], "taken");
}

/// A list of revoked certificates, made by `openssl ca`.
fn revoke(keys: &Keys, name: Option<&str>) {
    let conf = "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=2\nrand_serial=yes\nnew_certs_dir=.\nemail_in_dn=no\npolicy=p\n[p]\ncommonName=supplied\n";
    fs::write(keys.path("ca.conf"), conf).unwrap();
    if !keys.path("index.txt").exists() {
        fs::write(keys.path("index.txt"), "").unwrap();
    }
    let authority = "ca -config ca.conf -keyfile ca.key -cert ca.crt";
    if let Some(name) = name {
        keys.openssl(&format!("{authority} -revoke {name}.crt"));
    }
    keys.openssl(&format!("{authority} -gencrl -out new.pem"));
    fs::rename(keys.path("new.pem"), keys.path("list.pem")).unwrap();
}

#[test]
fn a_certificate_that_is_revoked_meanwhile_is_refused_from_then_on() {
    let keys = Keys::new();
    revoke(&keys, None);
    let folder = tempfile::tempdir().unwrap();
    let list = keys.path("list.pem");
    let receiver = Receiver::start(&keys, folder.path(), &["--crl", list.to_str().unwrap()]);
    send(&receiver, &keys, &[record("guest", 1, "before")]).unwrap();
    revoke(&keys, Some("client"));
    assert!(send(&receiver, &keys, &[record("guest", 2, "after")]).is_err());
    receiver.wait_for("refused: its client certificate was revoked");
    assert_eq!(receiver.records().len(), 1);
}

/// Old-fashioned clients are told by the handshake, and a plain one by the receiver.
#[test]
fn what_is_no_tls_is_told() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let mut plain = std::net::TcpStream::connect(receiver.address).unwrap();
    plain.write_all(&frame(&record("guest", 1, "in the clear"))).unwrap();
    receiver.wait_for("it does not speak TLS 1.2 or newer");
    assert!(receiver.records().is_empty());
}

/// The end of a conversation says whether it was taken: the receiver dies in its middle, by a signal that nothing
/// survives, and the sender sees a reset and not an end, although every byte was read.
#[test]
fn a_receiver_that_dies_confirms_nothing() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut receiver = Receiver::start(&keys, folder.path(), &[]);
        let before = receiver.records().len();
        let mut sender = Sender::connect(&receiver, &keys, "client");
        sender.send(&frame(&record("guest", 1, &format!("before {signal}"))));
        until("the record to be read", || (receiver.records().len() > before).then_some(()));
        let status = receiver.signal(signal);
        assert_eq!(status.success(), signal == Signal::SIGTERM);
        assert_eq!(sender.ended().unwrap_err().kind(), ErrorKind::ConnectionReset, "{signal}");
    }
}

/// rsyslogd, whose module omfwd sends by the same rules as any relay.
#[test]
fn rsyslogd_forwards_to_it() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &["--show", "all"]);
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| keys.path(name).display().to_string();
    let input = work.path().join("input");
    fs::write(&input, "").unwrap();
    let configuration = format!(
        r#"global(workDirectory="{work}" DefaultNetstreamDriverCAFile="{}" DefaultNetstreamDriverCertFile="{}" DefaultNetstreamDriverKeyFile="{}" localHostname="relay")
module(load="imfile")
input(type="imfile" file="{input}" tag="from-a-file" facility="local3" severity="warning")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"
  StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost")
"#,
        path("ca.crt"),
        path("client.crt"),
        path("client.key"),
        work = work.path().display(),
        input = input.display(),
        port = receiver.address.port()
    );
    fs::write(work.path().join("conf"), configuration).unwrap();
    let mut rsyslogd = Command::new("/usr/sbin/rsyslogd")
        .args(["-n", "-iNONE", "-f"])
        .arg(work.path().join("conf"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines: String = (1..=50).map(|line| format!("line {line} \u{e9}\n")).collect();
    fs::OpenOptions::new().append(true).open(&input).unwrap().write_all(lines.as_bytes()).unwrap();
    let of_file = || {
        let records = receiver.records();
        records.into_iter().filter(|record| record["app"] == "from-a-file").collect::<Vec<_>>()
    };
    let records = until("rsyslogd's records", || Some(of_file()).filter(|records| records.len() == 50));
    rsyslogd.kill().unwrap();
    rsyslogd.wait().unwrap();
    for (record, line) in records.iter().zip(1..) {
        assert_eq!(record["msg"].as_str().unwrap().trim(), format!("line {line} \u{e9}"));
        assert_eq!((&record["host"], &record["facility"]), (&"relay".into(), &"local3".into()));
    }
}

/// The certificates are made where there are none, and those of `countersign new` are used where they are.
#[test]
fn certificates_are_made_where_missing_and_those_of_new_are_used() {
    let program = || Command::new(env!("CARGO_BIN_EXE_countersign"));
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let path = folder.path().join(name);
        let mut command = program();
        command.arg("receive").arg(&path).args(["--listen", "127.0.0.1:0"]).stderr(Stdio::null());
        Receiver::run(command, &path)
    };
    let keys = |path| Keys { folder: tempfile::TempDir::new_in(path).unwrap() };
    let receiver = start("fresh");
    let made = keys(folder.path());
    for name in ["ca.crt", "client.crt", "client.key"] {
        fs::copy(folder.path().join("fresh").join(name), made.path(name)).unwrap();
    }
    made.openssl("verify -x509_strict -purpose sslclient -CAfile ca.crt client.crt");
    send(&receiver, &made, &[record("guest", 1, "with what was made")]).unwrap();
    assert_eq!(receiver.records().len(), 1);
    drop(receiver);
    // Again: nothing is made anew.
    let receiver = start("fresh");
    send(&receiver, &made, &[record("guest", 2, "again")]).unwrap();

    let new = folder.path().join("new");
    let status =
        program().arg("new").arg(&new).args(["--log-server", "localhost"]).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    let receiver = start("new");
    assert!(!new.join("server.crt").exists());
    // The client of `new` stands in its env section; another one of its authority does as well.
    let own = keys(folder.path());
    for (from, to) in [("ca.crt", "ca.crt"), ("ca.key", "ca.key")] {
        fs::copy(new.join("log-server").join(from), own.path(to)).unwrap();
    }
    own.issue("client", "ca", "extendedKeyUsage=clientAuth");
    send(&receiver, &own, &[record("guest", 1, "with those of new")]).unwrap();
    assert_eq!(receiver.records().len(), 1);
}

/// Over its own restarts: numbers, boots and repeats go on where they were.
#[test]
fn what_was_counted_is_counted_on_after_a_restart() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(&keys, folder.path(), &[]);
    let records = |numbers: std::ops::RangeInclusive<u64>| -> Vec<String> {
        numbers.map(|number| record("guest", number, &format!("line {number}"))).collect()
    };
    send(&receiver, &keys, &records(1..=3)).unwrap();
    assert!(receiver.signal(Signal::SIGTERM).success());
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    send(&receiver, &keys, &records(3..=3)).unwrap();
    send(&receiver, &keys, &records(6..=6)).unwrap();
    receiver.wait_for("records 4 to 5 are missing: 2 in all");
    assert!(!receiver.printed().contains("a boot begins"), "{}", receiver.printed());
}
