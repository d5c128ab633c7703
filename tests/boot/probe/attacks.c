/*
 * What root tries in the running guest, one line each: "attack=NAME ERRNO", or "attack=NAME worked". Root of the guest OS
 * has at least the rights of any container: what is refused here is refused there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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
#define PARTITION "/dev/probe-partition"
/* A volume lies on the second of two. */
#define PARTITIONS 2

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

static int node_of(const char *path, mode_t kind, dev_t number)
{
	unlink(path);
	return mknod(path, kind | 0600, number);
}

/* Whether path is the node of a disk that something is mapped on; of its partitions each has the next number. */
static int holds(const char *path, struct stat *disk)
{
	char holders[64];
	if (stat(path, disk) || !S_ISBLK(disk->st_mode))
		return 0;
	snprintf(holders, sizeof holders, "/sys/block/%s/holders/.", path + strlen("/dev/"));
	DIR *folder = opendir(holders);
	int entries = 0;
	while (folder && readdir(folder))
		entries++;
	if (folder)
		closedir(folder);
	return entries > 2;
}

/* Opens the partitions of all those disks: worked, or the reason why the last did not open. */
static long partition_node(void)
{
	char path[] = "/dev/vda";
	struct stat disk;
	int reason = ENODEV;
	for (; path[7] <= 'z'; path[7]++)
		for (int number = 1; holds(path, &disk) && number <= PARTITIONS; number++) {
			dev_t partition = makedev(major(disk.st_rdev), minor(disk.st_rdev) + number);
			if (node_of(PARTITION, S_IFBLK, partition) == 0 && open_and(PARTITION, O_RDONLY, NULL) >= 0)
				return 0;
			reason = errno;
		}
	errno = reason;
	return -1;
}

/* Has the kernel look for partitions on all those disks: worked, or the reason why the last was not looked at. */
static long partition_scan(void)
{
	char path[] = "/dev/vda";
	struct stat disk;
	int reason = ENODEV;
	for (; path[7] <= 'z'; path[7]++) {
		int fd = holds(path, &disk) ? open(path, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		if (ioctl(fd, BLKRRPART) == 0)
			return 0;
		reason = errno;
		close(fd);
	}
	errno = reason;
	return -1;
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
	if (node_of(MEMORY, S_IFCHR, makedev(1, 1)))
		tell("node of memory", -1);
	tell("memory", open_and(MEMORY, O_RDONLY, NULL));
	tell("kernel-core", open_and("/proc/kcore", O_RDONLY, NULL));
	tell("load-modules-again", open_and("/proc/sys/kernel/modules_disabled", O_WRONLY, "0"));
	mkdir(SECURITY, 0700);
	mount("securityfs", SECURITY, "securityfs", 0, NULL);
	tell("open-the-kernel-again", open_and(SECURITY "/lockdown", O_WRONLY, "none"));
	umount(SECURITY);
	tell("partition-node", partition_node());
	tell("partition-scan", partition_scan());
	return 0;
}
