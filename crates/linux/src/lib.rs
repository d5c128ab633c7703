//! The machine itself: every effect, every external program and all `unsafe` of the project.
//!
//! One file for each subject. Those that implement traits of [`countersign_ports`] do so on [`Linux`], [`LinuxAlarm`]
//! and [`LinuxForwarder`]; the others hold what these share.
//! Nothing here decides: what to do when something fails is for the stage that asked.

mod alarm;
mod announcements;
mod attributes;
mod cryptsetup;
mod demands;
mod device_mapper;
mod disks;
mod engine;
mod files;
mod filesystems;
mod forwarder;
mod grow;
mod guest_files;
mod https;
mod image_files;
mod inspection;
mod kernel_partitions;
mod keyslot;
mod log_server;
mod luks;
mod luks_header;
mod mapper;
mod network;
mod packet_filter;
mod partition_table;
#[cfg(test)]
mod pki;
mod platform;
pub mod programs;
mod random;
mod report;
mod switch_root;
mod take_down;
mod tls;

use std::path::PathBuf;
use std::sync::OnceLock;

pub use alarm::LinuxAlarm;
use announcements::Announcements;
pub use forwarder::LinuxForwarder;
pub use keyslot::{VERB as KEYSLOT, keyslot};

/// Where things are. The defaults are those of every image; only tests choose others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What the image builder sealed in: `image-key.pem`, `image.json`, `modules`, `programs`.
    pub configuration: PathBuf,
    /// Kernel modules.
    pub modules: PathBuf,
    /// procfs.
    pub proc: PathBuf,
    /// sysfs.
    pub sys: PathBuf,
    /// Device nodes.
    pub dev: PathBuf,
    /// State that lives until power-off.
    pub run: PathBuf,
    /// The program that is running, which is started again with the verb [`KEYSLOT`] to derive a key.
    pub own_program: PathBuf,
    /// The compose program.
    pub compose_program: PathBuf,
}

impl Default for Paths {
    fn default() -> Paths {
        Paths {
            configuration: "/etc/countersign".into(),
            modules: "/lib/modules".into(),
            proc: "/proc".into(),
            sys: "/sys".into(),
            dev: "/dev".into(),
            run: "/run".into(),
            own_program: "/proc/self/exe".into(),
            compose_program: "/usr/bin/docker-compose".into(),
        }
    }
}

/// The running Linux system.
#[derive(Debug)]
pub struct Linux {
    paths: Paths,
    /// Opened before the first look at the disks, so that no disk falls between a look and the wait for the
    /// next one.
    announcements: OnceLock<Announcements>,
    /// Where lines go.
    events: report::Way,
}

impl Default for Linux {
    fn default() -> Linux {
        Linux::new()
    }
}

impl Linux {
    /// The machine with its usual paths.
    ///
    /// As process 1 this is to be called before the first thread is started: see [`Linux::with_paths`].
    pub fn new() -> Linux {
        Linux::with_paths(Paths::default())
    }

    /// The machine with other paths.
    ///
    /// Process 1 of the initramfs has no udev beneath it: the device-mapper library is told so here, by the
    /// environment, which is the only way it offers. In every other process udev exists and nothing is set.
    pub fn with_paths(paths: Paths) -> Linux {
        if std::process::id() == 1 {
            // SAFETY: the environment may only be changed while no other thread reads it. Process 1 comes
            // here first thing in `main`, before it has a second thread.
            unsafe { std::env::set_var("DM_DISABLE_UDEV", "1") };
        }
        let events = report::events(&paths);
        Linux { paths, announcements: OnceLock::new(), events }
    }
}
