//! What closes the kernel's ways in and ways out.
//!
//! Parameters are set before anything else is done. They stand here, and not on the kernel command line or in a file of
//! the guest OS, because this is the earliest place that every image has: process 1 sets them before it touches a disk or
//! a key, whatever command line the image was sealed with. Names and values follow the kernel's
//! `Documentation/admin-guide/sysctl`.
//!
//! Then, once the modules of every guest are loaded, the kernel is locked down (kernel_lockdown(7)) for good: nobody, root
//! included, reads or changes its memory, and it loads only modules that its own builder signed, until loading ends as
//! well.

use std::io::ErrorKind;

use countersign_ports::Platform;
use countersign_ports::error::{Result, SystemError};

/// Name, value; each line says why.
const CLOSED: &[(&str, &str)] = &[
    // The host writes to the console, and a key sequence there would dump registers and memory.
    ("kernel.sysrq", "0"),
    // After a panic the processors stop for good, and the hypervisor takes the machine away; any other value would
    // start it again.
    ("kernel.panic", "0"),
    // A kernel that went wrong once is not trusted any further.
    ("kernel.panic_on_oops", "1"),
    // Memory of a process never becomes a file: no such program exists.
    ("kernel.core_pattern", "|/bin/false"),
    ("fs.suid_dumpable", "0"),
    // Addresses and messages of the kernel are for process 1 and its like, not for a container without privileges.
    ("kernel.dmesg_restrict", "1"),
    ("kernel.kptr_restrict", "2"),
    // A process is traced by its ancestors only.
    ("kernel.yama.ptrace_scope", "1"),
    // Parts of the kernel that an unprivileged process needs for attacks rather than for work.
    ("kernel.unprivileged_bpf_disabled", "1"),
    ("kernel.perf_event_paranoid", "3"),
    ("dev.tty.ldisc_autoload", "0"),
    ("vm.unprivileged_userfaultfd", "0"),
    // In folders that all may write, nobody follows another one's link, and nobody writes to another one's file or pipe.
    ("fs.protected_symlinks", "1"),
    ("fs.protected_hardlinks", "1"),
    ("fs.protected_fifos", "2"),
    ("fs.protected_regular", "2"),
    // Our own units have one each (PrivateUsers=); the engine uses none.
    ("user.max_user_namespaces", "16"),
];

/// The same for features that a kernel may be built without: then there is nothing to close.
const CLOSED_WHERE_PRESENT: &[(&str, &str)] = &[
    // No other kernel is started from this one.
    ("kernel.kexec_load_disabled", "1"),
    ("net.core.bpf_jit_harden", "2"),
    // A large interface that goes around the filters of system calls; nothing here needs it.
    ("kernel.io_uring_disabled", "2"),
    // Debian's: only root makes user namespaces.
    ("kernel.unprivileged_userns_clone", "0"),
];

/// Closes everything but the loading of modules.
pub(super) fn close<S: Platform>(system: &S) -> Result<()> {
    CLOSED.iter().try_for_each(|(name, value)| system.set_kernel_parameter(name, value))?;
    CLOSED_WHERE_PRESENT.iter().try_for_each(|(name, value)| match system.set_kernel_parameter(name, value) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    })
}

/// Locks the kernel down, and believes only what it says afterwards.
pub(super) fn lock_down<S: Platform>(system: &S) -> Result<()> {
    let modes = system.lock_down()?;
    match modes.split_whitespace().any(|mode| mode == "[confidentiality]") {
        true => Ok(()),
        false => {
            Err(SystemError::new("lock down", "kernel", format!("expected [confidentiality], found {modes}")))
        }
    }
}

/// No module is loaded from here on, by anyone, until the machine goes off.
pub(super) fn lock_modules<S: Platform>(system: &S) -> Result<()> {
    system.set_kernel_parameter("kernel.modules_disabled", "1")
}
