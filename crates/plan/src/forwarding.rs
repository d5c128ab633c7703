//! The configuration of rsyslog in the guest: the whole journal to one server, RFC 5424 over mutual TLS.
//!
//! The text is rendered here and read by `rsyslogd -f`; nothing of the distribution's `/etc/rsyslog.conf` is
//! used. Framing is octet counting (RFC 5425 section 4.3), so that a message may hold line feeds.

use std::fmt::Write as _;

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

/// Renders `rsyslog.conf`.
pub fn rsyslog_configuration(target: &LogTarget, work_directory: &str) -> String {
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
  StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{hostname}"
  template="forward"
  action.resumeRetryCount="-1" action.resumeInterval="2"
  queue.type="LinkedList" queue.filename="forward" queue.size="20000" queue.maxDiskSpace="64m"
  queue.saveOnShutdown="off" queue.timeoutShutdown="5000"
)
"#,
        ca = files.ca,
        certificate = files.certificate,
        key = files.key,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_as_target_and_as_the_only_permitted_peer() {
        let files = LogFiles { ca: "/c".into(), certificate: "/d".into(), key: "/k".into() };
        let target = LogTarget { hostname: "logs.example.org".into(), port: 6514, files };
        let text = rsyslog_configuration(&target, "/run/countersign/rsyslog");
        assert!(text.contains(r#"target="logs.example.org" port="6514""#));
        assert!(
            text.contains(
                r#"StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="logs.example.org""#
            )
        );
        assert!(text.contains(r#"TCP_Framing="octet-counted""#));
    }
}
