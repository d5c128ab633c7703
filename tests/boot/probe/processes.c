/*
 * Process 1 of a guest whose processes are watched: leaves a watcher behind, then becomes /init, the shipped
 * countersignd, which knows nothing of it.
 *
 * The kernel tells the watcher of every execve(2) in the machine, in the initramfs and in the guest OS (process events of
 * its connector, Documentation/driver-api/connector.rst), and the watcher comes before every other process
 * (SCHED_FIFO): with one processor it reads command line and environment before the new program's first instruction. It
 * looks at nothing else, since to read the environment of a process in the middle of its execve(2) is to wait for it, and
 * other programs begin and end meanwhile. So it is another process, of ordinary priority, that looks at all processes once
 * a second, for those that have changed since and those that were only forked. Processes with a process namespace of their
 * own are left out: they are the workload, and its environment is meant for it.
 *
 * What both saw goes to a writer, which holds nobody up and comes second: onto the disk with the serial number
 * "processes", as soon as its driver is loaded:
 *
 *	process=NAME pid=PID core=SOFT HARD	then command line and environment as proc(5) has them, then a line feed
 *	missed=PID				a program that was over before it could be looked at
 *	missed=events				the kernel dropped some
 *	missed=record				one was too long to be handed on
 *	processes=complete			the machine goes off in order: everything is asked to end
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* <linux/cn_proc.h> of kernel 6.6 and later; older headers lack the filter. */
#define PROC_CN_MCAST_LISTEN 1
#define PROC_EVENT_EXEC 2

struct proc_input {
	uint32_t operation, events;
};

struct exec_event {
	uint32_t what, cpu;
	uint64_t time;
	int32_t thread, process;
};

#define PROCESSES 65536
/* Of the longest record: what the kernel sends over a socket in one piece. */
#define RECORD (1 << 18)
#define ROOM (1 << 20)
/* For everything before the disk's driver is loaded. */
#define BACKLOG (16 << 20)

static int proc, sys, dev, out;
static pid_t watcher, sweeper, writer;
/* What is being read, and how much of it there is. */
static char record[RECORD];
static size_t held;
/* What was last written of each process, by the watcher or the sweeper. */
static uint64_t *written;

static void pause_shortly(void)
{
	const struct timespec shortly = { 0, 20000000 };

	nanosleep(&shortly, NULL);
}

/* The disk onto which the writer writes, -1 as long as there is none. */
static int open_disk(void)
{
	DIR *block = fdopendir(openat(sys, "block", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	int disk = -1;

	while (block && disk < 0 && (entry = readdir(block))) {
		char path[300], serial[32] = "";
		int file;

		snprintf(path, sizeof(path), "block/%s/serial", entry->d_name);
		if ((file = openat(sys, path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		if (read(file, serial, sizeof(serial) - 1) > 0 && strncmp(serial, "processes", 9) == 0)
			disk = openat(dev, entry->d_name, O_WRONLY | O_DSYNC | O_CLOEXEC);
		close(file);
	}
	if (block)
		closedir(block);
	return disk;
}

/* Until the watcher ends. A story that finds the disk full fails. */
static void write_all(int in)
{
	static char bytes[ROOM];
	ssize_t length, more;
	int disk;

	while ((disk = open_disk()) < 0)
		pause_shortly();
	while ((length = recv(in, bytes, RECORD, 0)) > 0) {
		/* As many records as there are: each write waits for the disk. */
		while (length <= ROOM - RECORD && (more = recv(in, bytes + length, RECORD, MSG_DONTWAIT)) > 0)
			length += more;
		for (ssize_t done = 0; done < length; done += more)
			if ((more = write(disk, bytes + done, length - done)) <= 0)
				return;
	}
}

/* Ends the record and hands it to the writer: one message, so that two senders are not mixed. */
static void end_with(const char *line)
{
	static const char unsent[] = "missed=record\n";

	held += snprintf(record + held, sizeof(record) - held, "%s\n", line);
	if (send(out, record, held, MSG_NOSIGNAL) < 0)
		send(out, unsent, sizeof(unsent) - 1, MSG_NOSIGNAL);
	held = 0;
}

/* A line that is no process. */
static void say(const char *line)
{
	held = 0;
	end_with(line);
}

/* Appends a file of the process, and a NUL that does not count; false if it cannot be read. */
static int append(const char *process, const char *name)
{
	char path[300];
	ssize_t length = -1;
	int file;

	snprintf(path, sizeof(path), "%s/%s", process, name);
	if ((file = openat(proc, path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	while ((length = read(file, record + held, sizeof(record) - 1 - held)) > 0)
		held += length;
	close(file);
	record[held] = 0;
	return length >= 0;
}

/* Whether the process shares the process namespace of process 1; -1 if it is gone. */
static int is_ours(const char *process)
{
	struct stat first, its;
	char path[300];

	snprintf(path, sizeof(path), "%s/ns/pid", process);
	if (fstatat(proc, "1/ns/pid", &first, 0) != 0 || fstatat(proc, path, &its, 0) != 0)
		return -1;
	return first.st_ino == its.st_ino;
}

static void limit_of_core_files(const char *process, char *limit, size_t size)
{
	static const char name[] = "Max core file size";
	char soft[24] = "?", hard[24] = "?", *at;

	if (append(process, "limits") && (at = strstr(record, name)))
		sscanf(at + sizeof(name) - 1, "%23s %23s", soft, hard);
	held = 0;
	snprintf(limit, size, "%s %s", soft, hard);
}

static uint64_t digest(const char *bytes, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325;

	while (length--)
		sum = (sum ^ (unsigned char)*bytes++) * 0x100000001b3;
	return sum;
}

/*
 * Writes what the process was started with, unless that is what was last written of it; false if it is gone.
 * Only what IS_PROGRAM for certain must have command line or environment.
 */
static int look(const char *process, int is_program)
{
	size_t words;
	char name[32], limit[64];
	uint64_t sum;
	int pid = atoi(process);

	if (pid == watcher || pid == sweeper || pid == writer || is_ours(process) == 0)
		return 1;
	held = 0;
	if (!append(process, "comm"))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(record, "\n"), record);
	held = 0;
	limit_of_core_files(process, limit, sizeof(limit));
	held += snprintf(record + held, sizeof(record) - held, "process=%s pid=%d core=%s\n", name, pid, limit);
	words = held;
	if (!append(process, "cmdline") || !append(process, "environ") || held > sizeof(record) - 64)
		return 0;
	/* Threads of the kernel have neither, nor has a process that has ended. */
	if (held == words)
		return !is_program;
	sum = digest(record, held);
	if (written[pid % PROCESSES] == sum)
		return 1;
	written[pid % PROCESSES] = sum;
	end_with("");
	return 1;
}

static void look_at_all(void)
{
	static DIR *folder;
	struct dirent *entry;

	if (!folder && !(folder = fdopendir(dup(proc))))
		return;
	rewinddir(folder);
	while ((entry = readdir(folder)))
		if (atoi(entry->d_name) > 0)
			look(entry->d_name, 0);
}

static void look_at_new(int events)
{
	char bytes[8192] __attribute__((aligned(8)));
	ssize_t length = recv(events, bytes, sizeof(bytes), 0);

	if (length < 0 && errno == ENOBUFS)
		say("missed=events");
	if (length < 0)
		return;
	for (struct nlmsghdr *head = (void *)bytes; NLMSG_OK(head, (size_t)length); head = NLMSG_NEXT(head, length)) {
		struct cn_msg *message = NLMSG_DATA(head);
		struct exec_event *event = (void *)message->data;
		char process[32], line[64];

		if (message->len < sizeof(*event) || event->what != PROC_EVENT_EXEC)
			continue;
		snprintf(process, sizeof(process), "%d", event->process);
		/* Another program under the same number is written even if it was started with the same words. */
		written[event->process % PROCESSES] = 0;
		if (!look(process, 1)) {
			snprintf(line, sizeof(line), "missed=%d", event->process);
			say(line);
		}
	}
}

/* Its own mounts, held open: the guest's boot empties the initramfs and mounts over it. */
static int own_mounts(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/look/proc", "proc", 0, NULL) != 0 ||
	    mount("none", "/look/sys", "sysfs", 0, NULL) != 0 || mount("none", "/look/dev", "devtmpfs", 0, NULL) != 0)
		return -1;
	proc = open("/look/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sys = open("/look/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dev = open("/look/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return proc < 0 || sys < 0 || dev < 0 ? -1 : 0;
}

/* A socket on which the kernel tells of programs. */
static int listen_to_kernel(void)
{
	struct {
		struct nlmsghdr head;
		struct cn_msg message;
		struct proc_input input;
	} __attribute__((packed)) ask = {
		.head = { .nlmsg_len = sizeof(ask), .nlmsg_type = NLMSG_DONE },
		.message = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(struct proc_input) },
		.input = { PROC_CN_MCAST_LISTEN, PROC_EVENT_EXEC },
	};
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int events = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR), room = 8 << 20;

	if (events < 0 || setsockopt(events, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
	    bind(events, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(events, &ask, sizeof(ask), 0) != sizeof(ask))
		return -1;
	return events;
}

/* Starts the writer, which ends with those who send to it and not by the signal that ends everything. */
static int start_writer(int ready)
{
	const struct sched_param second = { .sched_priority = 1 };
	const int backlog = BACKLOG;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
	    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &backlog, sizeof(backlog)) != 0)
		return -1;
	out = pair[1];
	writer = fork();
	if (writer == 0) {
		close(ready);
		close(pair[1]);
		sched_setscheduler(0, SCHED_FIFO, &second);
		write_all(pair[0]);
		_exit(0);
	}
	close(pair[0]);
	return writer;
}

/* Starts the sweeper, which ends by the signal that ends everything, and with the watcher. */
static int start_sweeper(int ready, const sigset_t *end)
{
	sweeper = fork();
	if (sweeper == 0) {
		close(ready);
		sweeper = getpid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_UNBLOCK, end, NULL);
		for (;;) {
			sleep(1);
			look_at_all();
		}
	}
	return sweeper;
}

static void watch(int ready)
{
	const struct sched_param first = { .sched_priority = 2 };
	struct pollfd wait[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t end;

	watcher = getpid();
	written = mmap(NULL, PROCESSES * sizeof(*written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	wait[0].fd = signalfd(-1, &end, SFD_CLOEXEC);
	if (written == MAP_FAILED || wait[0].fd < 0 || own_mounts() != 0 || start_writer(ready) < 0 ||
	    start_sweeper(ready, &end) < 0 || sched_setscheduler(0, SCHED_FIFO, &first) != 0 ||
	    (wait[1].fd = listen_to_kernel()) < 0)
		return;
	close(ready);
	while (!(wait[0].revents & POLLIN))
		if (poll(wait, 2, -1) > 0 && (wait[1].revents & POLLIN))
			look_at_new(wait[1].fd);
	/* They share the folder of processes. */
	kill(sweeper, SIGKILL);
	waitpid(sweeper, NULL, 0);
	while (poll(&wait[1], 1, 0) > 0)
		look_at_new(wait[1].fd);
	look_at_all();
	say("processes=complete");
}

int main(void)
{
	char *words[] = { "/init", NULL }, end;
	int ready[2];

	/* Its beginning waits for the watcher's. */
	if (pipe2(ready, O_CLOEXEC) != 0)
		return 1;
	if (fork() == 0) {
		close(ready[0]);
		setsid();
		watch(ready[1]);
		_exit(1);
	}
	close(ready[1]);
	while (read(ready[0], &end, 1) < 0 && errno == EINTR)
		;
	execv(words[0], words);
	return 1;
}
