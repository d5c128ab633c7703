/* What zipl asks about a block device and about a file system on it, answered for plain files.
 *
 * zipl finds out by ioctl(2) where the blocks of its bootmap lie on a disk, and writes the boot record through a device node
 * that it makes. Both want root and a loop device. Preloaded into zipl, this answers instead: a file's block n is block
 * n + 1 of its partition, of 4096 bytes each, where qemu/supply/disk.py puts it; and the node is a link to the file that
 * COUNTERSIGN_BOOT_RECORD names. The first block stays free: zipl takes block 0 for a hole.
 *
 * Everything that is written comes from zipl itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

enum { BLOCK = 4096 };

/* Sectors of 512 bytes of the disk: more than there will be. zipl prints the number and does not use it. */
static const unsigned long SECTORS = 1UL << 21;

int ioctl(int file, unsigned long request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);

	switch (request) {
	case FIGETBSZ:
		*(int *)argument = BLOCK;
		return 0;
	case FS_IOC_FIEMAP: {
		struct fiemap *map = argument;
		struct fiemap_extent *extent = map->fm_extents;
		memset(extent, 0, sizeof *extent);
		extent->fe_logical = map->fm_start;
		extent->fe_physical = map->fm_start + BLOCK;
		extent->fe_length = map->fm_length;
		map->fm_mapped_extents = 1;
		return 0;
	}
	case BLKGETSIZE:
		*(unsigned long *)argument = SECTORS;
		return 0;
	case BLKFLSBUF:
		return 0;
	default:
		return (int)syscall(SYS_ioctl, file, request, argument);
	}
}

/* It tries /dev first. */
int mknod(const char *path, mode_t mode, dev_t device)
{
	const char *folder = getenv("TMPDIR");
	const char *record = getenv("COUNTERSIGN_BOOT_RECORD");
	(void)mode;
	(void)device;
	if (!folder || !record || strncmp(path, folder, strlen(folder)) != 0) {
		errno = EPERM;
		return -1;
	}
	return symlink(record, path);
}

uid_t geteuid(void)
{
	return 0;
}

/* It has every disk of the machine written out. */
void sync(void)
{
}

/* It tells the machine's log of every disk that it prepares. */
void syslog(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	(void)priority;
	(void)flag;
	(void)format;
}
