//! Forms of texts in a compose file, as the compose program and the packages that it is made of read them.
//!
//! Each follows a function of Go's library or of a package, which its comment names; the test `compose_program` holds
//! them against the program.

use std::net::IpAddr;

/// Any text.
pub(super) fn any(_: &str) -> bool {
    true
}

/// compose-go, `toBoolean`.
pub(super) fn is_boolean(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "y" | "yes" | "on" | "n" | "no" | "off")
}

/// Whether a text for a boolean says true.
pub(super) fn is_yes(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "y" | "yes" | "on")
}

/// Go's `strconv.Atoi`.
pub(super) fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

/// Go's `strconv.ParseFloat`.
pub(super) fn is_decimal(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// Bytes of a size such as `64m`: `RAMInBytes` of the package go-units.
pub(super) fn size(text: &str) -> Option<f64> {
    let at = text.rfind(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == ' ')?;
    let unit = text[at + 1..].to_ascii_lowercase();
    let number = if text[at..].starts_with(' ') { &text[..at] } else { &text[..=at] };
    let number: f64 = number.parse().ok()?;
    let power = match unit.as_bytes() {
        [] | [b'b'] => 0,
        [first] | [first, b'b'] | [first, b'i', b'b'] => match first {
            b'k' => 1,
            b'm' => 2,
            b'g' => 3,
            b't' => 4,
            b'p' => 5,
            _ => return None,
        },
        _ => return None,
    };
    (number >= 0.0).then(|| number * 1024_f64.powi(power))
}

pub(super) fn is_size(text: &str) -> bool {
    size(text).is_some()
}

/// Go's `time.ParseDuration`.
pub(super) fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let number = &rest[..end];
        let unit = &rest[end..];
        let digits = number.bytes().any(|byte| byte.is_ascii_digit());
        let points = number.bytes().filter(|byte| *byte == b'.').count();
        // The longer ones first: m is the beginning of ms.
        let units = ["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"];
        let Some(found) = units.iter().find(|known| {
            // A unit ends where the next number begins.
            let end =
                unit.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(unit.len());
            &unit[..end] == **known
        }) else {
            return false;
        };
        if !digits || points > 1 {
            return false;
        }
        rest = &unit[found.len()..];
    }
    true
}

/// `[[address:]port:]port[/protocol]`, each port also a range: `ParsePortSpec` of the package go-connections.
pub(super) fn is_port(text: &str) -> bool {
    let mut parts = text.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let address = parts.next().unwrap_or_default();
    let mut halves = container.split('/');
    let ports = halves.next().unwrap_or_default();
    let protocol = halves.next().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp");
    let address = address.strip_prefix('[').map_or(Some(address), |address| address.strip_suffix(']'));
    let widths = (range(ports), if host.is_empty() { Some(0) } else { range(host) });
    let known = ["tcp", "udp", "sctp"].contains(&protocol.to_ascii_lowercase().as_str());
    known
        && address.is_some_and(|address| address.is_empty() || address.parse::<IpAddr>().is_ok())
        && matches!(widths, (Some(inner), Some(outer)) if host.is_empty() || inner == outer || inner == 0)
}

/// How many ports a range has beyond its first.
fn range(text: &str) -> Option<u16> {
    let mut ends = text.split('-');
    let first: u16 = number(ends.next()?)?;
    match ends.next() {
        None => Some(0),
        Some(last) => number(last)?.checked_sub(first),
    }
}

/// Digits alone.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `source[:target[:permissions]]`.
pub(super) fn is_device(text: &str) -> bool {
    text.split(':').count() <= 3
}

/// What a container gets under a path, in the short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount<'t> {
    /// A path, the name of a volume, or nothing.
    pub(super) source: &'t str,
    pub(super) target: &'t str,
    pub(super) read_only: bool,
}

impl<'t> Mount<'t> {
    /// `[source:]target[:options]`: compose-go, `ParseVolume`; a letter before a colon is a drive of Windows.
    pub(super) fn parse(text: &'t str) -> Option<Mount<'t>> {
        let mut mount = Mount { source: "", target: "", read_only: false };
        if text.len() < 3 {
            mount.target = text;
            return (!text.is_empty()).then_some(mount);
        }
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, letter) in text.char_indices() {
            let part = &text[begin..at];
            let drive = part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
            if letter == ':' && !drive {
                parts.push(part);
                begin = at + 1;
            }
        }
        parts.push(&text[begin..]);
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        match parts[..] {
            [target] => mount.target = target,
            [source, target] => (mount.source, mount.target) = (source, target),
            [source, target, options] => {
                (mount.source, mount.target) = (source, target);
                for option in options.split(',') {
                    match option {
                        "ro" => mount.read_only = true,
                        "rw" => mount.read_only = false,
                        _ => {}
                    }
                }
            }
            _ => return None,
        }
        Some(mount)
    }

    /// Whether the source is a path of the guest, and not the name of a volume.
    pub(super) fn is_path(&self) -> bool {
        let mut letters = self.source.chars();
        let first = letters.next();
        matches!(first, Some('.' | '/' | '~'))
            || self.source.starts_with("\\\\")
            || (first.is_some_and(char::is_alphabetic) && letters.next() == Some(':'))
    }
}

pub(super) fn is_mount(text: &str) -> bool {
    Mount::parse(text).is_some()
}

/// `host=address` or `host:address`.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.split_once('=').or_else(|| text.split_once(':')).map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && !name.contains([':', '=']))
}

/// What becomes of a command in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// All of it is taken.
    Whole,
    /// It ends at a `;`, `&`, `|`, `<` or `>`, for no shell reads it.
    Cut,
    /// A quote or a bracket does not end.
    Open,
}

/// The package shellwords.
pub(super) fn words(text: &str) -> Words {
    let (mut escaped, mut double, mut single, mut back, mut bracket) = (false, false, false, false, false);
    let mut before = '\0';
    let mut cut = false;
    for letter in text.chars() {
        let quoted = single || double || back || bracket;
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = !single;
        } else {
            match letter {
                '`' if !single && !double && !bracket => back = !back,
                ')' if !single && !double && !back => bracket = !bracket,
                '(' if !single && !double && !back => {
                    if bracket || before != '$' {
                        return Words::Open;
                    }
                    bracket = true;
                }
                '"' if !single && !bracket => double = !double,
                '\'' if !double && !bracket => single = !single,
                ';' | '&' | '|' | '<' | '>' if !quoted => {
                    cut = true;
                    break;
                }
                _ => {}
            }
        }
        before = letter;
    }
    match (escaped || single || double || back || bracket, cut) {
        (true, _) => Words::Open,
        (false, true) => Words::Cut,
        (false, false) => Words::Whole,
    }
}

pub(super) fn is_command(text: &str) -> bool {
    words(text) != Words::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations() {
        for (text, expected) in [
            ("64", Some(64.0)),
            ("1.5g", Some(1.5 * 1024.0 * 1024.0 * 1024.0)),
            ("1 GB", Some(1024.0 * 1024.0 * 1024.0)),
            ("2KiB", Some(2048.0)),
            ("5b", Some(5.0)),
            ("1x", None),
            ("kb", None),
            ("1kbb", None),
            ("", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
        for (text, expected) in [
            ("5s", true),
            ("1m30s", true),
            ("1.5h", true),
            ("100ms", true),
            ("0", true),
            ("-1s", true),
            ("5", false),
            ("", false),
            ("5 s", false),
            ("1d", false),
            (".s", false),
            ("1m30", false),
        ] {
            assert_eq!(is_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn ports() {
        for (text, expected) in [
            ("80", true),
            ("80:80/UDP", true),
            ("80-90:80", true),
            ("127.0.0.1:80-81:90-91", true),
            ("127.0.0.1::80", true),
            ("[::1]:80:80", true),
            ("::1:80:80", true),
            ("80:", false),
            ("a:b", false),
            ("80-82:90-91", false),
            ("91-90", false),
            ("+80", false),
            ("65536", false),
            ("80/icmp", false),
            ("x:80:80", false),
            ("", false),
        ] {
            assert_eq!(is_port(text), expected, "{text}");
        }
    }

    #[test]
    fn mounts() {
        let read = |text| Mount::parse(text).map(|mount| (mount.source, mount.target, mount.read_only));
        for (text, expected) in [
            ("/x", Some(("", "/x", false))),
            ("./a:/x:ro,Z", Some(("./a", "/x", true))),
            ("data:/x", Some(("data", "/x", false))),
            ("v:/x", Some(("", "v:/x", false))),
            ("a:b:c:d", Some(("a:b", "c:d", false))),
            (":x", Some(("", ":x", false))),
            ("::/x", None),
            ("aa::/x", None),
            ("aa:bb:cc:dd", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn commands() {
        for (text, expected) in [
            ("a \"b c\" 'd'", Words::Whole),
            ("a $(b c)", Words::Whole),
            ("a `b`", Words::Whole),
            ("a \\' b", Words::Whole),
            ("a | b", Words::Cut),
            ("a '|' b", Words::Whole),
            ("a 'b", Words::Open),
            ("a (b)", Words::Open),
            ("a \\", Words::Open),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
