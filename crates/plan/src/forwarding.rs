//! The configuration of rsyslog in the guest: the whole journal to one server, RFC 5424 over mutual TLS.
//!
//! The text is rendered here and read by `rsyslogd -f`; nothing of the distribution's `/etc/rsyslog.conf` is
//! used. Framing is octet counting (RFC 5425 section 4.3), so that a message may hold line feeds.

use std::fmt::Write as _;
use std::net::IpAddr;

use countersign_contract::cidata::meta_data::is_host_name;

/// The largest message that passes whole, bytes.
const MAX_MESSAGE_BYTES: u32 = 64 << 10;

/// Where the files of the log client lie in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFiles {
    /// PEM certificates that the server's chain must end in.
    pub ca: String,
    /// PEM client certificate.
    pub certificate: String,
    /// PEM private key of the client.
    pub key: String,
}

/// The log server of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Host name or IP address, also the name that the server's certificate must carry. Checked by the schema, so
    /// it holds no character that would end a string of the configuration.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// The client's files.
    pub files: LogFiles,
}

/// Whom rsyslog takes for the server, after the probe has verified who it is.
///
/// rsyslog compares DNS names only (`x509/name`), never an address. So where the contract names the server by
/// address, its own names are taken from the very certificate whose address the probe verified; a certificate
/// without any name is recognised by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Names, of which the certificate must carry one.
    Names(Vec<String>),
    /// SHA-256 of the certificate, hexadecimal.
    Fingerprint(String),
}

impl Peer {
    /// How to recognise the server called `hostname`, which showed a certificate with `names` and `fingerprint`.
    pub fn of(hostname: &str, names: &[String], fingerprint: &str) -> Peer {
        // They stand in quotes in the configuration: nothing but host names gets there.
        let plain = |name: &&String| is_host_name(name);
        if hostname.parse::<IpAddr>().is_err() {
            return Peer::Names(vec![hostname.to_owned()]);
        }
        let names: Vec<String> = names.iter().filter(plain).cloned().collect();
        if names.is_empty() { Peer::Fingerprint(fingerprint.to_owned()) } else { Peer::Names(names) }
    }

    /// Mode and value of rsyslog's check.
    fn setting(&self) -> String {
        let (mode, peers) = match self {
            Peer::Names(names) => ("x509/name", names.join(",")),
            Peer::Fingerprint(digest) => ("x509/fingerprint", format!("SHA256:{}", colons(digest))),
        };
        format!("StreamDriverAuthMode=\"{mode}\" StreamDriverPermittedPeers=\"{peers}\"")
    }
}

/// `AB:CD:…` of hexadecimal digits.
fn colons(digest: &str) -> String {
    let digits: Vec<char> = digest.to_ascii_uppercase().chars().collect();
    digits.chunks(2).map(String::from_iter).collect::<Vec<String>>().join(":")
}

/// Renders `rsyslog.conf`.
pub fn rsyslog_configuration(target: &LogTarget, peer: &Peer, work_directory: &str) -> String {
    let mut text = String::with_capacity(2048);
    let LogTarget { hostname, port, files } = target;
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"# Rendered from the contract by countersignd; rsyslogd reads nothing else.
global(
  workDirectory="{work_directory}"
  maxMessageSize="{MAX_MESSAGE_BYTES}"
  defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}"
)
# The journal from its first entry: what the kernel and the initramfs said comes first.
module(load="imjournal" StateFile="journal.state" PersistStateInterval="100" Ratelimit.Interval="0"
       IgnorePreviousMessages="off" IgnoreNonValidStatefile="on" UsePid="syslog")
# RFC 5424. A container's lines carry its name instead of the engine's.
template(name="forward" type="list") {{
  constant(value="<") property(name="pri") constant(value=">1 ")
  property(name="timereported" dateFormat="rfc3339") constant(value=" ")
  property(name="hostname") constant(value=" ")
  property(name="$.app") constant(value=" ")
  property(name="procid") constant(value=" - - ")
  property(name="msg" droplastlf="on")
}}
if $!CONTAINER_NAME != "" then {{ set $.app = $!CONTAINER_NAME; }} else {{ set $.app = $app-name; }}
action(
  type="omfwd" target="{hostname}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
  StreamDriver="ossl" StreamDriverMode="1" {recognised}
  template="forward"
  action.resumeRetryCount="-1" action.resumeInterval="2"
  queue.type="LinkedList" queue.filename="forward" queue.size="20000" queue.maxDiskSpace="64m"
  queue.saveOnShutdown="off" queue.timeoutShutdown="5000"
)
"#,
        recognised = peer.setting(),
        ca = files.ca,
        certificate = files.certificate,
        key = files.key,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(hostname: &str) -> LogTarget {
        let files = LogFiles { ca: "/c".into(), certificate: "/d".into(), key: "/k".into() };
        LogTarget { hostname: hostname.into(), port: 6514, files }
    }

    #[test]
    fn a_server_named_by_name_is_recognised_by_that_name_alone() {
        let peer = Peer::of("logs.example.org", &["other.example.org".to_owned()], "00ff");
        let text = rsyslog_configuration(&target("logs.example.org"), &peer, "/var/spool/countersign");
        assert!(text.contains(r#"target="logs.example.org" port="6514""#));
        assert!(
            text.contains(
                r#"StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="logs.example.org""#
            )
        );
        assert!(text.contains(r#"TCP_Framing="octet-counted""#));
    }

    #[test]
    fn a_server_named_by_address_is_recognised_by_its_certificate() {
        let names = ["logs.example.org".to_owned(), "x\" y=\"".to_owned()];
        assert_eq!(Peer::of("192.0.2.1", &names, "00ff"), Peer::Names(vec!["logs.example.org".to_owned()]));
        let peer = Peer::of("192.0.2.1", &names[1..], "00ff");
        let text = rsyslog_configuration(&target("192.0.2.1"), &peer, "/var/spool/countersign");
        assert!(text.contains(
            r#"StreamDriverAuthMode="x509/fingerprint" StreamDriverPermittedPeers="SHA256:00:FF""#
        ));
    }
}
