/*
 * What root tries in the running guest, one line each: "attack=NAME ERRNO", or "attack=NAME worked". Root of the guest OS
 * has at least the rights of any container: what is refused here is refused there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECURITY "/run/probe/security"
/* Of /dev alone devices work. */
#define MEMORY "/dev/probe-memory"

static void tell(const char *name, long result)
{
	printf("attack=%s %s\n", name, result < 0 ? strerrorname_np(errno) : "worked");
}

static long open_and(const char *path, int flags, const char *text)
{
	char byte;
	int fd = open(path, flags);
	if (fd < 0)
		return -1;
	return text ? write(fd, text, strlen(text)) : read(fd, &byte, 1);
}

/* Of a process that is not root's. */
static long user_namespace(void)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(255);
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

int main(int count, char **words)
{
	(void)count;
	char parameters[256] = { 0 };
	int self = open(words[0], O_RDONLY);

	tell("module", syscall(SYS_finit_module, self, "", 0));
	tell("kexec", syscall(SYS_kexec_load, 0L, 0L, NULL, 0L));
	tell("io_uring", syscall(SYS_io_uring_setup, 8, parameters));
	tell("user-namespace", user_namespace());
	if (mknod(MEMORY, S_IFCHR | 0600, makedev(1, 1)))
		tell("node of memory", -1);
	tell("memory", open_and(MEMORY, O_RDONLY, NULL));
	tell("kernel-core", open_and("/proc/kcore", O_RDONLY, NULL));
	tell("load-modules-again", open_and("/proc/sys/kernel/modules_disabled", O_WRONLY, "0"));
	mkdir(SECURITY, 0700);
	mount("securityfs", SECURITY, "securityfs", 0, NULL);
	tell("open-the-kernel-again", open_and(SECURITY "/lockdown", O_WRONLY, "none"));
	umount(SECURITY);
	return 0;
}
