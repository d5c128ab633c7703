/*
 * Process 1 of the guest whose memory is measured: leaves an observer behind, then becomes /init, the shipped
 * countersignd, which knows nothing of it. No change to what is measured is needed, and none to the guest OS.
 *
 * The observer reads the high-water mark of resident memory (VmHWM, proc_pid_status(5)) 100 times a second:
 * - of process 1 while it is countersignd. After each reading the mark is set back (proc_pid_clear_refs(5), value 5), so
 *   that a peak belongs to a stage. A window in which the data segment is larger than KDF_KIB holds the memory of
 *   argon2id and is counted apart;
 * - of every later countersignd, under its verb, by its last mark.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

/* Less than the least memory of argon2id that a volume of ours has (64 MiB), more than anything else needs. */
#define KDF_KIB 49152
#define VERBS 64

struct verb {
	int pid;
	long kib;
	int seen;
	char name[32];
};

static int proc, kmsg;
static FILE *console;

/* Reads a file below /proc; ends it with a NUL. */
static ssize_t contents(const char *path, char *bytes, size_t size)
{
	int file = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, bytes, size - 1);

	if (file >= 0)
		close(file);
	bytes[length > 0 ? length : 0] = 0;
	return length;
}

static long field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static void set_back(void)
{
	int file = openat(proc, "1/clear_refs", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "5", 1) != 1)
		fprintf(console, "bench: failed=clear_refs\n");
	if (file >= 0)
		close(file);
}

/* The stage that the kernel's log names last; empty if it names no new one. */
static void stage_now(char *stage, size_t size)
{
	static const char mark[] = "countersign: stage=";
	char record[8192];
	ssize_t length;

	while ((length = read(kmsg, record, sizeof(record) - 1)) > 0) {
		char *at;

		record[length] = 0;
		at = strstr(record, mark);
		if (at && strstr(at, " state=start")) {
			at += sizeof(mark) - 1;
			snprintf(stage, size, "%.*s", (int)strcspn(at, " \n"), at);
		}
	}
}

static void pause_shortly(void)
{
	const struct timespec shortly = { 0, 10000000 };

	nanosleep(&shortly, NULL);
}

static void report(const char *stage, long peak, long kdf_peak)
{
	if (peak)
		fprintf(console, "bench: memory=initramfs stage=%s kib=%ld\n", stage, peak);
	if (kdf_peak)
		fprintf(console, "bench: memory=argon2id stage=%s kib=%ld\n", stage, kdf_peak);
}

static void observe_init(void)
{
	char status[8192], stage[32] = "none", next[32] = "none";
	long peak = 0, kdf_peak = 0;
	int began = 0, was_kdf = 0;

	for (;; pause_shortly()) {
		long mark;
		int is_kdf;

		if (contents("1/status", status, sizeof(status)) <= 0)
			continue;
		if (strncmp(status, "Name:\tinit\n", 11) != 0) {
			/* Before it is /init it is this program; afterwards it is the guest's own init. */
			if (began)
				break;
			continue;
		}
		if (!began) {
			began = 1;
			set_back();
			continue;
		}
		mark = field(status, "VmHWM:");
		set_back();
		is_kdf = field(status, "VmData:") > KDF_KIB;
		if (is_kdf || was_kdf)
			kdf_peak = mark > kdf_peak ? mark : kdf_peak;
		else
			peak = mark > peak ? mark : peak;
		was_kdf = is_kdf;
		stage_now(next, sizeof(next));
		if (strcmp(next, stage) != 0) {
			report(stage, peak, kdf_peak);
			strcpy(stage, next);
			peak = kdf_peak = 0;
		}
	}
	report(stage, peak, kdf_peak);
}

/* The verb of process PID if it is countersignd. */
static int verb_of(const char *pid, char *name, size_t size)
{
	char path[300], words[256];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/cmdline", pid);
	length = contents(path, words, sizeof(words));
	if (length <= 0 || !strstr(words, "/countersignd"))
		return 0;
	snprintf(name, size, "%s", strlen(words) + 1 < (size_t)length ? words + strlen(words) + 1 : "none");
	return 1;
}

static void observe_units(void)
{
	static struct verb verbs[VERBS];
	DIR *folder = fdopendir(dup(proc));
	int count = 0;

	if (!folder)
		return;
	for (;; pause_shortly()) {
		struct dirent *entry;

		for (int at = 0; at < count; at++)
			verbs[at].seen = 0;
		rewinddir(folder);
		while ((entry = readdir(folder))) {
			char name[32], path[300], status[8192];
			int pid = atoi(entry->d_name), at = 0;
			long mark;

			if (pid <= 1 || pid == getpid() || !verb_of(entry->d_name, name, sizeof(name)))
				continue;
			snprintf(path, sizeof(path), "%s/status", entry->d_name);
			if (contents(path, status, sizeof(status)) <= 0)
				continue;
			mark = field(status, "VmHWM:");
			while (at < count && verbs[at].pid != pid)
				at++;
			if (at == VERBS)
				continue;
			count = at == count ? count + 1 : count;
			verbs[at].pid = pid;
			verbs[at].seen = 1;
			verbs[at].kib = mark > verbs[at].kib ? mark : verbs[at].kib;
			strcpy(verbs[at].name, name);
		}
		for (int at = 0; at < count; at++) {
			if (verbs[at].seen)
				continue;
			fprintf(console, "bench: memory=guest-os stage=%s kib=%ld\n", verbs[at].name, verbs[at].kib);
			verbs[at--] = verbs[--count];
		}
	}
}

/* Its own mounts, held open: the guest's boot empties the initramfs and mounts over it. */
static void observe(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/bench/proc", "proc", 0, NULL) != 0 ||
	    mount("none", "/bench/dev", "devtmpfs", 0, NULL) != 0)
		return;
	proc = open("/bench/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kmsg = open("/bench/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	console = fopen("/bench/dev/console", "we");
	if (proc < 0 || kmsg < 0 || !console)
		return;
	setvbuf(console, NULL, _IOLBF, 0);
	observe_init();
	observe_units();
}

int main(void)
{
	char *words[] = { "/init", NULL };

	if (fork() == 0) {
		setsid();
		observe();
		_exit(1);
	}
	execv(words[0], words);
	return 1;
}
