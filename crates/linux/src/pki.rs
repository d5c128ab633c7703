//! What TLS is tested against: keys and certificates made by the openssl program, and that program as a server.

use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_ports::guest_os::{ClientFiles, LogTarget};

fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with two authorities, `ca` and `other`, and whatever certificates a test asks for.
pub(super) struct Pki {
    folder: tempfile::TempDir,
}

impl Pki {
    pub(super) fn new() -> Pki {
        let pki = Pki { folder: tempfile::tempdir().unwrap() };
        for authority in ["ca", "other"] {
            pki.key(authority);
            openssl(
                pki.folder.path(),
                &format!(
                    "req -x509 -new -key {authority}.key -sha256 -days 2 -subj /CN={authority} -out {authority}.pem"
                ),
            );
        }
        pki.issue("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days 2");
        pki.issue("client", "ca", "extendedKeyUsage=clientAuth", "-days 2");
        pki
    }

    fn key(&self, name: &str) {
        openssl(
            self.folder.path(),
            &format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"),
        );
    }

    pub(super) fn issue(&self, name: &str, authority: &str, extension: &str, options: &str) {
        if !self.path(&format!("{name}.key")).exists() {
            self.key(name);
        }
        fs::write(self.path("extensions"), extension).unwrap();
        openssl(self.folder.path(), &format!("req -new -key {name}.key -subj /CN=localhost -out {name}.csr"));
        openssl(
            self.folder.path(),
            &format!(
                "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial \
                 -extfile extensions -out {name}.pem {options}"
            ),
        );
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn target(&self, hostname: &str, port: u16) -> LogTarget {
        let file = |name| self.path(name).to_str().unwrap().to_owned();
        LogTarget {
            hostname: hostname.into(),
            port,
            ca: file("ca.pem"),
            client: Some(ClientFiles { certificate: file("client.pem"), key: file("client.key") }),
        }
    }

    /// The openssl program as a server of one connection, with the certificate `server`.
    pub(super) fn server(&self, options: &str) -> Server {
        let mut child = Command::new("openssl")
            .current_dir(self.folder.path())
            .args("s_server -accept 127.0.0.1:0 -naccept 1 -CAfile ca.pem".split(' '))
            .args("-cert server.pem -key server.key".split(' '))
            .args(options.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        let port = loop {
            if let Some(port) = listening(child.id()) {
                break port;
            }
            assert!(Instant::now() < deadline, "nobody listens");
            std::thread::yield_now();
        };
        Server { child, output, port }
    }
}

/// A server that runs; it ends when dropped.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) output: BufReader<ChildStdout>,
    pub(super) port: u16,
}

impl Server {
    /// What the server printed until it ended.
    pub(super) fn heard(mut self) -> String {
        let mut heard = Vec::new();
        self.output.read_to_end(&mut heard).unwrap();
        String::from_utf8_lossy(&heard).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The TCP port at which a process listens.
fn listening(process: u32) -> Option<u16> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .ok()?
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = *fields.get(3)? == "0A" && sockets.contains(&format!("socket:[{}]", fields.get(9)?));
        listens.then(|| u16::from_str_radix(fields[1].rsplit(':').next()?, 16).ok()).flatten()
    })
}
