//! Records of volumes, made by Python's own HMAC from the header's bytes.

use std::process::Command;

use super::keys::run;
use super::machine::facts;

/// The record of a volume as documented, from its header: HKDF-SHA-256 (RFC 5869) of the volume key, HMAC-SHA-256.
/// The volume key is the double's. Arguments: format, header, volume, generation, origin, next header or an empty file,
/// seconds since 1970 of the first writing and of the latest opening, serial or none.
const MAKER: &str = r#"
import hashlib, hmac, struct, sys
def digest(path):
    header = open(path, "rb").read()
    if not header: return "none"
    text = lambda at, length: header[at:at + length].split(b"\0")[0]
    said = header[16:24]
    size = struct.unpack(">Q", header[8:16])[0]
    for part in (text(168, 40), text(24, 48), text(208, 48), header[4096:size].split(b"\0")[0]):
        said += struct.pack(">Q", len(part)) + part
    return hashlib.sha256(said).hexdigest()
format, header, volume, generation, origin, upcoming, since, time, serial = sys.argv[1:]
uuid = open(header, "rb").read()[168:208].rstrip(b"\0")
text = f"countersign volume record {format}\nvolume {volume}\nuuid {uuid.decode()}\ngeneration {generation}\n" \
    f"origin {origin}\nsince @\nheader {digest(header)}\nnext {digest(upcoming)}\n".replace("@", since)
if format != "1": text += f"time {time}\nserial {serial}\n"
key = hashlib.sha256(uuid).hexdigest().encode()
extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
key = hmac.new(extracted, b"countersign volume record 1\x01", hashlib.sha256).digest()
print(text + "tag " + hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
"#;

/// What a record keeps beside the header. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// Format 1: when it was first written.
    First { since: i64 },
    /// Format 2: that, when the volume was last opened, and the highest serial or `none`.
    Second { since: i64, time: i64, serial: &'a str },
}

impl<'a> Kept<'a> {
    /// Format 2 with the time of the double's clock.
    pub(crate) fn now(serial: &'a str) -> Kept<'a> {
        let now = facts().unix_time;
        Kept::Second { since: now, time: now, serial }
    }
}

/// A record.
pub(crate) fn record(
    header: &[u8],
    volume: &str,
    generation: u32,
    origin: &str,
    next: &[u8],
    kept: Kept<'_>,
) -> Vec<u8> {
    let (format, since, time, serial) = match kept {
        Kept::First { since } => ("1", since, since, "none"),
        Kept::Second { since, time, serial } => ("2", since, time, serial),
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("header"), header).unwrap();
    std::fs::write(folder.path().join("next"), next).unwrap();
    let [generation, since, time] = [generation.to_string(), since.to_string(), time.to_string()];
    let mut python = Command::new("python3");
    python
        .args(["-c", MAKER, format, "header", volume, &generation, origin, "next", &since, &time, serial])
        .current_dir(folder.path());
    run(&mut python).into_bytes()
}
