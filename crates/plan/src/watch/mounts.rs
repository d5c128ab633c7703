//! The kernel's list of mounts, read from the text of `mountinfo`.
//!
//! Follows the kernel's `Documentation/filesystems/proc.rst`, section 3.5.

use super::Flags;

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// `major:minor` of the device.
    pub number: String,
    /// The mount's own flags.
    pub flags: Flags,
    /// The file system itself takes no writes, as after an error.
    pub file_system_read_only: bool,
}

/// Reads the text, a mount a line, the oldest first. `None` where a line is malformed.
pub fn parse(text: &str) -> Option<Vec<Mount>> {
    text.lines().map(line).collect()
}

/// The mount that is seen at `point`: the latest there.
pub fn at<'m>(mounts: &'m [Mount], point: &str) -> Option<&'m Mount> {
    mounts.iter().rev().find(|mount| mount.point == point)
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue`
fn line(text: &str) -> Option<Mount> {
    let (front, back) = text.split_once(" - ")?;
    let mut words = front.split(' ').skip(2);
    let (number, point, options) = (words.next()?, words.nth(1)?, words.next()?);
    let file_system_options = back.split(' ').nth(2)?;
    let has = |option| options.split(',').any(|word| word == option);
    Some(Mount {
        point: unescaped(point)?,
        number: number.to_owned(),
        flags: Flags {
            read_only: has("ro"),
            nosuid: has("nosuid"),
            nodev: has("nodev"),
            noexec: has("noexec"),
        },
        file_system_read_only: file_system_options.split(',').any(|word| word == "ro"),
    })
}

/// Space, tab, line feed and backslash are written as a backslash and three octal digits.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(digits, 8).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a running system, with a mount point that was made with `mkdir 'a b'`.
    const TEXT: &str = "\
29 1 254:1 / / rw,nodev,relatime shared:1 - ext4 /dev/mapper/scratch rw
60 29 254:2 / /mnt/a\\040b rw,nosuid,nodev,noexec shared:30 - ext4 /dev/mapper/volume-data ro,errors=remount-ro
61 60 0:40 / /mnt/a\\040b ro master:4 propagate_from:2 - tmpfs none rw,size=4k
";

    #[test]
    fn the_latest_mount_at_a_point_is_the_one_that_is_seen() {
        let mounts = parse(TEXT).unwrap();
        let root = at(&mounts, "/").unwrap();
        assert_eq!((root.number.as_str(), root.file_system_read_only), ("254:1", false));
        assert_eq!(root.flags, Flags { nodev: true, ..Flags::default() });
        let seen = at(&mounts, "/mnt/a b").unwrap();
        assert_eq!((seen.number.as_str(), seen.flags.read_only), ("0:40", true));
        let below = at(&mounts[..2], "/mnt/a b").unwrap();
        assert_eq!(below.flags, Flags { nosuid: true, nodev: true, noexec: true, read_only: false });
        assert!(below.file_system_read_only);
        assert_eq!(at(&mounts, "/mnt"), None);
    }

    #[test]
    fn a_text_of_another_form_is_refused() {
        for text in ["x", "29 1 254:1 / / rw", "29 1 254:1 / / rw - ext4", "1 1 1:1 / /a\\04 rw - ext4 x rw"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
