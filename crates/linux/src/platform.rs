//! The machine as a whole: memory, kernel, modules, clock, power.
//!
//! Follows the kernel's interfaces: proc(5), `/sys/firmware/uv` of the s390 architecture, finit_module(2),
//! reboot(2). Decides nothing about what it finds.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use super::{Linux, random};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Clock, FsType, Platform};

impl Clock for Linux {
    fn unix_time(&self) -> i64 {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => seconds(after),
            Err(before) => -seconds(before.duration()),
        }
    }

    fn uptime(&self) -> Duration {
        // The clock exists on every kernel since 2.6.39; zero is the honest answer on one without.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }
}

impl Platform for Linux {
    fn memory_bytes(&self) -> Result<u64> {
        let path = self.paths.proc.join("meminfo");
        let text = read_text("read memory size", &path)?;
        memory_total(&text).ok_or_else(|| {
            SystemError::new("read memory size", path.display().to_string(), "expected a line MemTotal in kB")
        })
    }

    fn processors(&self) -> u64 {
        std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
    }

    fn release_memory(&self) {
        // SAFETY: a number goes in; nothing that is in use is touched.
        unsafe { libc::malloc_trim(0) };
    }

    fn kernel_release(&self) -> Result<String> {
        let names =
            nix::sys::utsname::uname().map_err(|e| SystemError::io("read kernel release", "uname", e))?;
        Ok(names.release().to_string_lossy().into_owned())
    }

    fn system_information(&self) -> Result<String> {
        read_text("read system information", &self.paths.proc.join("sysinfo"))
    }

    fn secure_execution(&self) -> bool {
        fs::read_to_string(self.paths.sys.join("firmware/uv/prot_virt_guest"))
            .is_ok_and(|text| text.trim() == "1")
    }

    fn mount_kernel_filesystems(&self) -> Result<()> {
        let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let kernel = [
            ("proc", &self.paths.proc, closed, None),
            ("sysfs", &self.paths.sys, closed, None),
            ("devtmpfs", &self.paths.dev, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some("mode=0755")),
            // Programs may run from /run: the guest OS has generators and hooks there.
            ("tmpfs", &self.paths.run, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755")),
        ];
        for (name, target, flags, options) in kernel {
            let failed = |e: std::io::Error| SystemError::io("mount", target.display().to_string(), e);
            fs::create_dir_all(target).map_err(failed)?;
            mount(Some(name), target, Some(name), flags, options).map_err(|e| failed(e.into()))?;
        }
        Ok(())
    }

    fn load_modules(&self) -> Result<usize> {
        load_list(self, "modules")
    }

    fn load_filesystem(&self, filesystem: FsType) -> Result<()> {
        match filesystem {
            FsType::Xfs => load_list(self, "modules-xfs").map(drop),
            FsType::Btrfs => load_list(self, "modules-btrfs").map(drop),
            FsType::Ext4 | FsType::Erofs | FsType::Tmpfs => Ok(()),
        }
    }

    fn load_integrity(&self) -> Result<()> {
        load_list(self, "modules-integrity").map(drop)
    }

    fn missing_programs(&self) -> Vec<PathBuf> {
        let list = self.paths.configuration.join("programs");
        let Ok(text) = fs::read_to_string(&list) else {
            // Without the list nothing can be promised.
            return vec![list];
        };
        entries(&text).map(PathBuf::from).filter(|program| !is_program(program)).collect()
    }

    fn set_kernel_parameter(&self, name: &str, value: &str) -> Result<()> {
        // An absent parameter is an error: the file system makes no files, but a test's folder would.
        fs::OpenOptions::new()
            .write(true)
            .open(self.paths.proc.join("sys").join(name.replace('.', "/")))
            .and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()))
            .map_err(|e| SystemError::io("set kernel parameter", name, e))
    }

    fn lock_down(&self) -> Result<String> {
        let security = self.paths.sys.join("kernel/security");
        let lock_down = || -> std::io::Result<String> {
            let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("securityfs"), &security, Some("securityfs"), closed, None::<&str>)?;
            let modes = closed_modes(&security.join("lockdown"));
            // The guest OS mounts it again where it needs it.
            umount2(&security, MntFlags::UMOUNT_NOFOLLOW)?;
            modes
        };
        let modes = lock_down().map_err(|e| SystemError::io("lock down", "kernel", e))?;
        Ok(modes.trim_end().to_owned())
    }

    fn hardware_random(&self) -> bool {
        // The device of the module s390-trng, which loads where the processor has the instruction (PRNO, TRNG).
        self.paths.sys.join("class/misc/trng").exists()
    }

    fn wait_until_seeded(&self) -> Result<()> {
        random::wait_until_seeded().map_err(|e| SystemError::io("wait for the seed", "kernel", e))
    }

    fn set_clock(&self, unix_time: i64) -> Result<()> {
        clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(unix_time, 0))
            .map_err(|e| SystemError::io("set clock", "kernel", e))
    }

    fn set_hostname(&self, name: &str) -> Result<()> {
        // The name comes from the host's metadata and is not repeated in the error.
        nix::unistd::sethostname(name).map_err(|e| SystemError::io("set host name", "kernel", e))
    }

    fn power_off(&self) {
        nix::unistd::sync();
        // Any other process asks the guest's init, which stops the workload first.
        if std::process::id() == 1 {
            let _ = reboot(RebootMode::RB_POWER_OFF);
        }
    }
}

/// Asks for the strictest mode, where the kernel command line has not done so: the kernel refuses what it has already.
fn closed_modes(file: &Path) -> std::io::Result<String> {
    let modes = fs::read_to_string(file)?;
    if modes.contains("[confidentiality]") {
        return Ok(modes);
    }
    fs::OpenOptions::new().write(true).open(file)?.write_all(b"confidentiality\n")?;
    fs::read_to_string(file)
}

/// Loads the modules of one of the image's lists, in its order; returns how many were not there yet.
fn load_list(linux: &Linux, name: &str) -> Result<usize> {
    let list = linux.paths.configuration.join(name);
    let text = read_text("read module list", &list)?;
    let mut loaded = 0;
    for line in text.lines().filter_map(ModuleLine::parse) {
        loaded += usize::from(load_module(&linux.paths.modules, &line)?);
    }
    Ok(loaded)
}

fn read_text(operation: &'static str, path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| SystemError::io(operation, path.display().to_string(), e))
}

/// Bytes of `MemTotal` in the text of `/proc/meminfo`.
fn memory_total(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Lines of a list: blank ones and comments (`#`) left out.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// One line of the module list: `[-]path [parameter=value ...]`.
#[derive(Debug, PartialEq, Eq)]
struct ModuleLine<'a> {
    path: &'a str,
    parameters: &'a str,
    /// The hardware may be absent; marked by a leading `-`.
    optional: bool,
}

impl<'a> ModuleLine<'a> {
    fn parse(line: &'a str) -> Option<ModuleLine<'a>> {
        let line = entries(line).next()?;
        let (optional, line) = match line.strip_prefix('-') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, line),
        };
        let (path, parameters) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Some(ModuleLine { path, parameters: parameters.trim(), optional })
    }
}

/// Whether the module was loaded by this call: not if it was there already, nor if it is optional and its
/// hardware is absent.
fn load_module(directory: &Path, line: &ModuleLine) -> Result<bool> {
    // An absolute path replaces the folder.
    let path = directory.join(line.path);
    let failed = |e: std::io::Error| SystemError::io("load kernel module", path.display().to_string(), e);
    let file = File::open(&path).map_err(failed)?;
    let parameters = std::ffi::CString::new(line.parameters).map_err(|e| failed(e.into()))?;
    match finit_module(&file, &parameters, ModuleInitFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(Errno::ENODEV) if line.optional => Ok(false),
        Err(error) => Err(failed(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;

    fn machine(root: &Path) -> Linux {
        Linux::with_paths(Paths {
            configuration: root.join("etc"),
            modules: root.join("modules"),
            proc: root.join("proc"),
            sys: root.join("sys"),
            ..Paths::default()
        })
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn memory_is_read_in_bytes_and_a_file_without_it_is_named() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "proc/meminfo", "MemTotal:        2048 kB\nMemFree:         10 kB\n");
        assert_eq!(machine(root.path()).memory_bytes().unwrap(), 2 << 20);
        write(root.path(), "proc/meminfo", "MemFree: 10 kB\n");
        let error = machine(root.path()).memory_bytes().unwrap_err().to_string();
        assert!(error.contains("meminfo") && error.contains("MemTotal"), "{error}");
        assert_eq!(memory_total("MemTotal: 99999999999999999999 kB"), None);
        assert_eq!(memory_total("MemTotal: 18446744073709551615 kB"), None);
    }

    #[test]
    fn only_the_ultravisors_one_means_secure_execution() {
        let root = tempfile::tempdir().unwrap();
        assert!(!machine(root.path()).secure_execution());
        write(root.path(), "sys/firmware/uv/prot_virt_guest", "0\n");
        assert!(!machine(root.path()).secure_execution());
        write(root.path(), "sys/firmware/uv/prot_virt_guest", "1\n");
        assert!(machine(root.path()).secure_execution());
    }

    #[test]
    fn a_kernel_parameter_is_a_file_that_must_exist() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "proc/sys/net/core/known", "2\n");
        machine(root.path()).set_kernel_parameter("net.core.known", "0").unwrap();
        assert_eq!(fs::read_to_string(root.path().join("proc/sys/net/core/known")).unwrap(), "0\n");
        let error = machine(root.path()).set_kernel_parameter("net.core.unknown", "0").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().contains("net.core.unknown"), "{error}");
    }

    #[test]
    fn programs_that_are_absent_or_cannot_run_are_named() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(machine(root.path()).missing_programs(), [root.path().join("etc/programs")]);
        let data = root.path().join("data");
        write(root.path(), "data", "");
        write(
            root.path(),
            "etc/programs",
            &format!("# comment\n\n/bin/sh\n{}\n/nowhere/mke2fs\n", data.display()),
        );
        assert_eq!(machine(root.path()).missing_programs(), [data, "/nowhere/mke2fs".into()]);
    }

    #[test]
    fn module_lines_carry_a_mark_and_parameters() {
        let line = |path, parameters, optional| Some(ModuleLine { path, parameters, optional });
        assert_eq!(ModuleLine::parse("dm-mod.ko"), line("dm-mod.ko", "", false));
        assert_eq!(ModuleLine::parse(" -uvdevice.ko "), line("uvdevice.ko", "", true));
        assert_eq!(ModuleLine::parse("a.ko x=1  y=2"), line("a.ko", "x=1  y=2", false));
        assert_eq!(ModuleLine::parse("# a.ko"), None);
        assert_eq!(ModuleLine::parse("  "), None);
    }

    #[test]
    fn a_missing_module_or_list_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = machine(root.path()).load_modules().unwrap_err();
        assert!(error.to_string().contains("etc/modules"), "{error}");
        write(root.path(), "etc/modules", "-absent.ko\n");
        let error = machine(root.path()).load_modules().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().contains("modules/absent.ko"), "{error}");
        write(root.path(), "etc/modules", "# none\n");
        assert_eq!(machine(root.path()).load_modules().unwrap(), 0);
        machine(root.path()).load_filesystem(FsType::Ext4).unwrap();
        for (filesystem, name) in [(FsType::Xfs, "modules-xfs"), (FsType::Btrfs, "modules-btrfs")] {
            let error = machine(root.path()).load_filesystem(filesystem).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = machine(root.path()).load_integrity().unwrap_err();
        assert!(error.to_string().contains("modules-integrity"), "{error}");
    }
}
