//! Records a second, everything on disk, beside rsyslogd doing the same with the same TLS on the same machine. A figure that is
//! printed, no claim: `COUNTERSIGN_LONG=1 cargo test -p countersign-cli --test receive load -- --nocapture`.
//!
//! Both write a JSON object a record. rsyslogd syncs its file with each batch (`sync="on"`), the receiver before it ends a
//! conversation. Each of four senders has one conversation behind the other, as long as those of a guest that has much to
//! say; time ends when the last conversation has ended and the last record is in the file.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::world::{Keys, Receiver, Sender, frame, record, until};

const SENDERS: usize = 4;
/// Conversations of each.
const CONVERSATIONS: usize = 25;
/// Records of each: some 256 KiB.
const RECORDS: usize = 1_000;

/// Sends everything; returns how long that took until all is in the file.
fn load(keys: &Keys, address: std::net::SocketAddr, lines: &(dyn Fn() -> usize + Sync)) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || {
                let host = format!("guest-{sender}");
                for conversation in 0..CONVERSATIONS {
                    let numbers = (1..=RECORDS).map(|number| (conversation * RECORDS + number) as u64);
                    let text = "a line of a workload that has a lot to say about itself";
                    let frames: Vec<u8> =
                        numbers.flat_map(|number| frame(&record(&host, number, text))).collect();
                    let mut conversation = Sender::connect_to(address, keys, "client").unwrap();
                    conversation.send(&frames);
                    conversation.end().unwrap();
                }
            });
        }
    });
    until("all records", || (lines() >= SENDERS * CONVERSATIONS * RECORDS).then_some(()));
    begin.elapsed()
}

fn lines(path: &Path) -> usize {
    fs::read(path).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// rsyslogd with the same certificates; killed when dropped.
struct Rsyslogd(Child);

impl Drop for Rsyslogd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rsyslogd(keys: &Keys, folder: &Path, port: u16) -> Rsyslogd {
    let key = |name: &str| keys.path(name).display().to_string();
    let configuration = format!(
        r#"global(workDirectory="{folder}" maxMessageSize="128k" DefaultNetstreamDriver="ossl"
  DefaultNetstreamDriverCAFile="{}" DefaultNetstreamDriverCertFile="{}" DefaultNetstreamDriverKeyFile="{}"
  parser.escapeControlCharactersOnReceive="off" net.enableDNS="off")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="json" type="list" option.jsonf="on") {{
  property(outname="received" name="timegenerated" dateFormat="rfc3339" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
action(type="omfile" file="{folder}/records" template="json" sync="on")
"#,
        key("ca.crt"),
        key("server.crt"),
        key("server.key"),
        folder = folder.display(),
    );
    fs::write(folder.join("conf"), configuration).unwrap();
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.args(["-n", "-iNONE", "-f"]).arg(folder.join("conf")).stderr(Stdio::null());
    let child = Rsyslogd(command.spawn().unwrap());
    until("rsyslogd", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    child
}

#[test]
fn records_a_second_with_sync_beside_rsyslogd() {
    if std::env::var_os("COUNTERSIGN_LONG").is_none() {
        return;
    }
    let keys = Keys::new();
    let all = (SENDERS * CONVERSATIONS * RECORDS) as f64;
    for round in 1..=2 {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(&keys, folder.path(), &["--show", "notices", "--rotate", "4096"]);
        let file = folder.path().join("records/records-00000001.jsonl");
        let ours = load(&keys, receiver.address, &|| lines(&file));
        println!("round {round}: countersign {:.0} a second", all / ours.as_secs_f64());
        drop(receiver);
        let folder = tempfile::tempdir().unwrap();
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let _rsyslogd = rsyslogd(&keys, folder.path(), port);
        let file = folder.path().join("records");
        let theirs = load(&keys, ([127, 0, 0, 1], port).into(), &|| lines(&file));
        let rate = |time: Duration| all / time.as_secs_f64();
        println!(
            "round {round}: {all} records with sync: countersign {:.0} a second, rsyslogd {:.0} a second, {:.2} times",
            rate(ours),
            rate(theirs),
            rate(ours) / rate(theirs)
        );
    }
}
