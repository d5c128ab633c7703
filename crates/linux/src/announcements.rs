//! What the kernel announces about devices, awaited rather than polled.
//!
//! Follows netlink(7), NETLINK_KOBJECT_UEVENT: each message is the kernel's environment block of one event,
//! fields ended by NUL, the first being `action@path`. A socket opened before a look at sysfs makes sure that
//! nothing falls between the look and the wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};

/// The kernel's own multicast group; udev's is another.
const KERNEL_GROUP: u32 = 1;

/// The kernel's events have at most 2 KiB of environment (UEVENT_BUFFER_SIZE) after the path.
const MESSAGE_SIZE: usize = 16 * 1024;

/// A subscription to the kernel's device events.
#[derive(Debug)]
pub(super) struct Announcements {
    socket: OwnedFd,
}

impl Announcements {
    /// Subscribes; events are kept from now on.
    pub(super) fn subscribe() -> io::Result<Announcements> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Announcements { socket })
    }

    /// Waits until a block device (a disk or a partition) appears or changes; `false` once `timeout` has passed.
    pub(super) fn wait_for_block_device(&self, timeout: Duration) -> io::Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        let mut message = [0; MESSAGE_SIZE];
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut message) {
                // Only the kernel has port 0; another process could only send a message of its own.
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    if announces_block_device(&message[..length]) {
                        return Ok(true);
                    }
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let rest =
                        deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
                    if rest.is_zero() {
                        return Ok(false);
                    }
                    wait_readable(&self.socket, rest)?;
                }
                // Events were lost: one of them may have been a disk.
                Err(Errno::ENOBUFS) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Returns when `fd` can be read or after `timeout`, rounded up to a millisecond.
pub(super) fn wait_readable(fd: impl AsFd, timeout: Duration) -> io::Result<()> {
    let milliseconds = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn announces_block_device(message: &[u8]) -> bool {
    let mut block = false;
    let mut arrived = false;
    for field in message.split(|byte| *byte == 0) {
        match field {
            b"SUBSYSTEM=block" => block = true,
            b"ACTION=add" | b"ACTION=change" => arrived = true,
            _ => {}
        }
    }
    block && arrived
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arrival_or_change_of_a_block_device_counts() {
        let message = |action: &str, subsystem: &str| {
            format!(
                "{action}@/devices/css0/0.0.0002/virtio2/block/vdb\0ACTION={action}\0\
                 DEVPATH=/devices/css0/0.0.0002/virtio2/block/vdb\0SUBSYSTEM={subsystem}\0MAJOR=253\0\
                 DEVNAME=vdb\0DEVTYPE=disk\0SEQNUM=1200\0"
            )
        };
        assert!(announces_block_device(message("add", "block").as_bytes()));
        assert!(announces_block_device(message("change", "block").as_bytes()));
        assert!(!announces_block_device(message("remove", "block").as_bytes()));
        assert!(!announces_block_device(message("add", "net").as_bytes()));
        assert!(!announces_block_device(b""));
    }

    #[test]
    fn the_wait_ends_at_its_time_out() {
        let announcements = Announcements::subscribe().unwrap();
        let before = Instant::now();
        // Another device of the machine may speak up; then the wait starts again.
        while announcements.wait_for_block_device(Duration::from_millis(30)).unwrap() {}
        assert!(before.elapsed() >= Duration::from_millis(30));
    }
}
