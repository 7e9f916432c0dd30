// SPDX-License-Identifier: Apache-2.0
/*
 * /dev/atomik at its edges: what it does, what it refuses and with which errno,
 * that a refusal changes nothing, and that nothing is left after the last close.
 */
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "check.h"

static struct atomik_info info(void)
{
	struct atomik_info info = { .version = ATOMIK_VERSION };
	int file = open("/dev/atomik", O_RDWR);

	errno = call(file, ATOMIK_IOC_INFO, &info);
	must(file >= 0 && errno == 0, "ask the device");
	close(file);
	return info;
}

static void operations(void)
{
	int file = table(ATOMIK_LANE_XOR, 32, 4);
	uint64_t value = 0xcafebabe;

	claim(op(file, ATOMIK_OP_LOAD, 0, 1, &value) == 0, "LOAD");
	value = 0x0000ff00;
	op(file, ATOMIK_OP_ACCUM, 0, 1, &value);
	value = 0x00ff0000;
	op(file, ATOMIK_OP_ACCUM, 0, 1, &value);
	claim(read_state(file, 1) == 0xca0145be, "the introduction reads 0xca0145be");
	claim(read_state(file, 0) == 0 && read_state(file, 2) == 0, "its neighbours are untouched");
	value = 0;
	claim(op(file, ATOMIK_OP_SWAP, ATOMIK_SWAP_KEEP, 1, &value) == 0 && value == 0xca0145be, "SWAP keep returns the state");
	claim(read_state(file, 1) == 0xca0145be, "and keeps it");
	value = 0;
	claim(op(file, ATOMIK_OP_SWAP, ATOMIK_SWAP_REPLACE, 1, &value) == 0 && value == 0xca0145be, "SWAP replace by zero returns the state");
	claim(read_state(file, 1) == 0, "and leaves zero");
	close(file);

	file = table(ATOMIK_LANE_ADD, 8, 1);
	value = 200;
	op(file, ATOMIK_OP_ACCUM, 0, 0, &value);
	op(file, ATOMIK_OP_ACCUM, 0, 0, &value);
	claim(read_state(file, 0) == 144, "add wraps at its width: 200 + 200 = 144 in 8 bits");
	close(file);
}

static int raw_op(int file, struct atomik_op args)
{
	return call(file, ATOMIK_IOC_OP, &args);
}

static void refusals(void)
{
	int file = table(ATOMIK_LANE_XOR, 32, 4), other = open("/dev/atomik", O_RDWR), reader;
	uint64_t value = 7;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct atomik_op *sealed = page;
	struct atomik_op good = { .version = 1, .opcode = ATOMIK_OP_ACCUM, .address = 0, .value = 1 }, bad;

	op(file, ATOMIK_OP_LOAD, 0, 0, &value);
#define REFUSED(wanted, what, ...) do { bad = good; __VA_ARGS__; \
	claim(raw_op(file, bad) == wanted, "%s: %s", what, strerror(wanted)); } while (0)
	REFUSED(EPROTO, "version 0", bad.version = 0);
	REFUSED(EPROTO, "version 2", bad.version = 2);
	REFUSED(EINVAL, "opcode 0", bad.opcode = 0);
	REFUSED(EINVAL, "opcode 5", bad.opcode = 5);
	REFUSED(EINVAL, "an unknown flag", bad.flags = 4);
	REFUSED(EINVAL, "a reserved field", bad.reserved = 1);
	REFUSED(EINVAL, "ACCUM with a flag of SWAP", bad.flags = ATOMIK_SWAP_KEEP);
	REFUSED(EINVAL, "SWAP that says neither", bad.opcode = ATOMIK_OP_SWAP);
	REFUSED(EINVAL, "SWAP that says both", bad.opcode = ATOMIK_OP_SWAP; bad.flags = ATOMIK_SWAP_MASK);
	REFUSED(EINVAL, "words for a narrow table", bad.words = 1);
	REFUSED(ERANGE, "address 4 of 4", bad.address = 4);
	REFUSED(ERANGE, "address 2^63", bad.address = 1ULL << 63);
	REFUSED(EDOM, "a value of 33 bits", bad.value = 1ULL << 32);
	REFUSED(EDOM, "READ with a value", bad.opcode = ATOMIK_OP_READ);
	REFUSED(EDOM, "SWAP keep with a value", bad.opcode = ATOMIK_OP_SWAP; bad.flags = ATOMIK_SWAP_KEEP);
	claim(call(file, ATOMIK_IOC_OP, (void *)8) == EFAULT, "a structure at address 8: Bad address");
	claim(call(file, 0x4141, &good) == ENOTTY, "an unknown command: %s", strerror(ENOTTY));

	*sealed = (struct atomik_op){ .version = 1, .opcode = ATOMIK_OP_SWAP, .flags = ATOMIK_SWAP_REPLACE, .value = 9 };
	mprotect(page, 4096, PROT_READ);
	claim(call(file, ATOMIK_IOC_OP, sealed) == EFAULT, "SWAP with nowhere to put the answer: Bad address");
	claim(read_state(file, 0) == 7, "no refusal changed anything");

	claim(call(other, ATOMIK_IOC_OP, &good) == ENOTCONN, "an operation without a table: %s", strerror(ENOTCONN));
	claim(attach(other, "", 0, 0, 64, 1) == EINVAL, "no name and no CREATE: %s", strerror(EINVAL));
	claim(attach(other, "", ATOMIK_TABLE_CREATE, 2, 64, 1) == EINVAL, "lane max: %s", strerror(EINVAL));
	claim(attach(other, "", ATOMIK_TABLE_CREATE, 0, 0, 1) == EINVAL, "width 0: %s", strerror(EINVAL));
	claim(attach(other, "", ATOMIK_TABLE_CREATE, 0, 4097, 1) == EINVAL, "width 4,097: %s", strerror(EINVAL));
	claim(attach(other, "", ATOMIK_TABLE_CREATE, 0, 64, 0) == EINVAL, "no contexts: %s", strerror(EINVAL));
	claim(attach(other, "", ATOMIK_TABLE_CREATE, 0, 4096, 1 << 20) == ENOSPC, "beyond table_bytes_max: %s", strerror(ENOSPC));
	claim(attach(other, "", 8, 0, 64, 1) == EINVAL, "an unknown table flag: %s", strerror(EINVAL));
	claim(attach(other, "nobody", 0, 0, 64, 1) == ENOENT, "a name nobody made: %s", strerror(ENOENT));
	claim(attach(file, "", ATOMIK_TABLE_CREATE, 0, 64, 1) == EBUSY, "a second table: %s", strerror(EBUSY));
	reader = open("/dev/atomik", O_RDONLY);
	claim(attach(reader, "", ATOMIK_TABLE_CREATE, 0, 64, 1) == EACCES, "a read-only descriptor that would write: %s", strerror(EACCES));
	close(reader);
	close(other);
	close(file);
	munmap(page, 4096);
}

static void wide(void)
{
	int file = table(ATOMIK_LANE_ADD, 130, 2);
	uint64_t words[3] = { ~0ULL, ~0ULL, 3 }, one[3] = { 1, 0, 0 }, out[3] = { 5, 5, 5 };
	struct atomik_op args = { .version = 1, .opcode = ATOMIK_OP_LOAD, .address = 1, .words = (uintptr_t)words };
	struct ring ring;

	claim(raw_op(file, args) == 0, "LOAD of 130 bits");
	args.opcode = ATOMIK_OP_ACCUM, args.words = (uintptr_t)one;
	claim(raw_op(file, args) == 0, "ACCUM of one");
	args.opcode = ATOMIK_OP_SWAP, args.flags = ATOMIK_SWAP_KEEP, args.words = (uintptr_t)out;
	claim(raw_op(file, args) == 0 && !out[0] && !out[1] && !out[2], "the carry goes through all words and off the end");
	args = (struct atomik_op){ .version = 1, .opcode = ATOMIK_OP_LOAD, .words = (uintptr_t)words };
	words[2] = 4;
	claim(raw_op(file, args) == EDOM, "131 bits: %s", strerror(EDOM));
	args.words = 8;
	claim(raw_op(file, args) == EFAULT, "words at address 8: Bad address");
	claim(ring_make(&ring, file, 8) == EOPNOTSUPP, "a ring for wide contexts: %s", strerror(EOPNOTSUPP));
	close(file);
}

static int as(uid_t uid, gid_t gid, int (*what)(const char *), const char *name)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		must(setgroups(0, NULL) == 0 && setgid(gid) == 0 && setuid(uid) == 0, "become another user");
		_exit(what(name));
	}
	must(waitpid(pid, &status, 0) == pid, "wait");
	return WEXITSTATUS(status);
}

static int try_write(const char *name)
{
	return attach(open("/dev/atomik", O_RDWR), name, 0, 0, 0, 0);
}

static int try_read(const char *name)
{
	int file = open("/dev/atomik", O_RDONLY), error = attach(file, name, ATOMIK_TABLE_READONLY, 0, 0, 0);
	uint64_t value = 0;

	if (error)
		return error;
	/* Attached for reading, it must also refuse to write. */
	return read_state(file, 0) == 42 && op(file, ATOMIK_OP_ACCUM, 0, 0, &value) == EACCES ? 0 : EILSEQ;
}

static void names(void)
{
	struct atomik_table_args args = { .version = 1, .flags = ATOMIK_TABLE_CREATE, .name = "shared", .mode = 0640, .width = 64, .contexts = 8 };
	int file = open("/dev/atomik", O_RDWR), second = open("/dev/atomik", O_RDWR), third = open("/dev/atomik", O_RDWR);
	struct pollfd polled;
	uint64_t value = 42;

	claim(call(file, ATOMIK_IOC_TABLE, &args) == 0, "make a named table");
	claim(attach(second, "shared", ATOMIK_TABLE_CREATE | ATOMIK_TABLE_EXCLUSIVE, 0, 64, 8) == EEXIST, "exclusively again: %s", strerror(EEXIST));
	claim(attach(second, "shared", ATOMIK_TABLE_CREATE, 1, 64, 8) == ENXIO, "with another lane: %s", strerror(ENXIO));
	claim(attach(second, "shared", 0, 0, 0, 0) == 0, "attach by name");
	op(file, ATOMIK_OP_LOAD, 0, 0, &value);
	claim(read_state(second, 0) == 42, "one writes, the other reads");

	polled = (struct pollfd){ second, POLLPRI, 0 };
	poll(&polled, 1, 0);
	claim(poll(&polled, 1, 0) == 0, "poll: nothing new after it has been seen");
	value = 0;
	op(file, ATOMIK_OP_ACCUM, 0, 0, &value);
	claim(poll(&polled, 1, 1000) == 1 && (polled.revents & POLLPRI), "poll: the other's change wakes it");

	claim(as(1000, 1000, try_write, "shared") == EACCES, "mode 0640, a stranger writes: %s", strerror(EACCES));
	claim(as(1000, 1000, try_read, "shared") == EACCES, "mode 0640, a stranger reads: %s", strerror(EACCES));
	claim(as(1000, 0, try_write, "shared") == EACCES, "mode 0640, the group writes: %s", strerror(EACCES));
	claim(as(1000, 0, try_read, "shared") == 0, "mode 0640, the group reads, and only that");
	close(file);
	claim(read_state(second, 0) == 42, "it outlives its creator's file");
	close(second);
	claim(attach(third, "shared", 0, 0, 0, 0) == ENOENT, "and goes with the last: %s", strerror(ENOENT));
	close(third);
}

static void rings(void)
{
	int file = table(ATOMIK_LANE_XOR, 64, 16);
	struct atomik_ring args = { .version = 1, .entries = 3 };
	struct ring ring;
	struct atomik_cqe cqe;
	struct pollfd polled = { file, POLLIN, 0 };
	int i, errors = 0;
	void *map;

	claim(call(file, ATOMIK_IOC_RING, &args) == EINVAL, "3 entries: %s", strerror(EINVAL));
	args.entries = 8192;
	claim(call(file, ATOMIK_IOC_RING, &args) == EINVAL, "8,192 entries: %s", strerror(EINVAL));
	claim(mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED && errno == ENOTCONN, "a mapping before the ring: %s", strerror(ENOTCONN));
	claim(ring_make(&ring, file, 8) == 0, "a ring of 8");
	claim(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED, "a private mapping is refused");
	map = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, file, 0);
	claim(map == MAP_FAILED, "a mapping beyond the ring is refused");
	claim(poll(&polled, 1, 0) == 0, "poll: no completion yet");

	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_LOAD, 0, 3, 0xff, 100 });
	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_ACCUM, ATOMIK_SQE_SILENT, 3, 0x0f, 101 });
	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_READ, 0, 3, 0, 102 });
	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_SWAP, ATOMIK_SWAP_REPLACE, 3, 0, 103 });
	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_READ, 0, 3, 0, 104 });
	ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_ACCUM, ATOMIK_SQE_SILENT, 99, 1, 105 });
	ring_put(&ring, (struct atomik_sqe){ 77, 0, 0, 1, 106 });
	claim(ring_enter(&ring, 100) == 7, "seven go in, in one call");
	claim(poll(&polled, 1, 0) == 1 && (polled.revents & POLLIN), "poll: completions wait");
	claim(ring_take(&ring, &cqe) && cqe.user == 100 && cqe.result == 0, "LOAD completes");
	claim(ring_take(&ring, &cqe) && cqe.user == 102 && cqe.value == 0xf0, "silent ACCUM does not; READ sees it");
	claim(ring_take(&ring, &cqe) && cqe.user == 103 && cqe.value == 0xf0, "SWAP returns the state");
	claim(ring_take(&ring, &cqe) && cqe.user == 104 && cqe.value == 0, "and left zero");
	claim(ring_take(&ring, &cqe) && cqe.user == 105 && cqe.result == -ERANGE, "a refusal is never silent");
	claim(ring_take(&ring, &cqe) && cqe.user == 106 && cqe.result == -EINVAL, "an unknown opcode completes with EINVAL");
	claim(!ring_take(&ring, &cqe), "and that is all");

	for (i = 0; i < 24; i += 8) {
		int j;

		for (j = 0; j < 8; j++)
			ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_READ, 0, 0, 0, i + j });
		errors += ring_enter(&ring, 8) != (i < 16 ? 8 : 0);
	}
	claim(errors == 0, "a full completion ring stops it, 16 in, and nothing is lost");
	for (i = 0; i < 16; i++)
		errors += !ring_take(&ring, &cqe) || cqe.user != (uint64_t)i;
	claim(errors == 0 && ring_enter(&ring, 8) == 8, "and goes on when there is room");

	__atomic_store_n(&ring.head->sq_tail, ring.head->sq_tail + 1000, __ATOMIC_RELEASE);
	claim(ring_enter(&ring, 8) == -EOVERFLOW, "a tail that cannot be: %s", strerror(EOVERFLOW));
	ring.head->sq_head = 0xdeadbeef;
	ring.head->cq_tail = 0xdeadbeef;
	ring.head->sq_tail -= 1000;
	claim(ring_enter(&ring, 8) == 0, "the kernel does not believe the heads it wrote");
	close(file);
	ring.sqes[0].value = 1;
	claim(ring.sqes[0].value == 1, "the mapping outlives the descriptor");
	munmap(ring.head, ring.bytes);
}

/* A thread that rewrites entries while the kernel reads them: nothing but the table may change. */
static void *scribble(void *argument)
{
	struct ring *ring = argument;
	uint64_t random = 88172645463325252ULL;

	while (__atomic_load_n(&ring->entries, __ATOMIC_RELAXED)) {
		uint64_t *at = (uint64_t *)ring->head;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		at[random % (ring->bytes / 8)] = random * (random >> 60 ? 1 : 0);
	}
	return NULL;
}

static void hostile(void)
{
	int file = table(ATOMIK_LANE_ADD, 64, 4), other = table(ATOMIK_LANE_XOR, 64, 4), i;
	struct ring ring;
	pthread_t thread;
	uint64_t value = 5;

	op(other, ATOMIK_OP_LOAD, 0, 2, &value);
	must(ring_make(&ring, file, 64) == 0, "make a ring");
	must(pthread_create(&thread, NULL, scribble, &ring) == 0, "start a thread");
	for (i = 0; i < 20000; i++) {
		struct atomik_enter enter = { .version = 1, .count = 64 };

		ioctl(file, ATOMIK_IOC_ENTER, &enter);
	}
	__atomic_store_n(&ring.entries, 0, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	claim(read_state(other, 2) == 5, "20,000 calls on a ring another thread scribbles over: the kernel lives, another table is untouched");
	close(file);
	close(other);
	munmap(ring.head, ring.bytes);
}

static unsigned long long number_in(const char *path)
{
	char text[64] = "";
	int file = open(path, O_RDONLY);

	must(file >= 0 && read(file, text, sizeof(text) - 1) > 0, path);
	close(file);
	return strtoull(text, NULL, 10);
}

static void put(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	must(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(file);
}

/* A table is charged to its maker's cgroup, and a limit there refuses it without killing. */
static void accounting(void)
{
	int status, tells[2];
	unsigned long long got[2] = { 0, 0 };
	pid_t pid;

	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	must(mkdir("/sys/fs/cgroup/charged", 0755) == 0 && pipe(tells) == 0, "make a cgroup");
	put("/sys/fs/cgroup/charged/memory.max", "67108864");
	pid = fork();
	if (!pid) {
		unsigned long long before, after;
		int file, big = open("/dev/atomik", O_RDWR);

		put("/sys/fs/cgroup/charged/cgroup.procs", "0");
		before = number_in("/sys/fs/cgroup/charged/memory.current");
		file = table(ATOMIK_LANE_XOR, 64, 1 << 20);
		after = number_in("/sys/fs/cgroup/charged/memory.current");
		got[0] = after - before;
		got[1] = attach(big, "", ATOMIK_TABLE_CREATE, 0, 64, 1 << 21);
		must(write(tells[1], got, sizeof(got)) == sizeof(got), "tell");
		close(file);
		put("/sys/fs/cgroup/cgroup.procs", "0");
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid, "wait");
	claim(WIFEXITED(status) && read(tells[0], got, sizeof(got)) == sizeof(got), "the process in the small cgroup lives");
	claim(got[0] >= 3 * 8ULL << 20, "1 Mi words and two accumulators are charged to it: %llu bytes", got[0]);
	claim(got[1] == ENOMEM, "a table beyond its memory.max: %s", strerror(got[1]));
}

int main(void)
{
	struct atomik_info at_start = info(), at_end;
	int i;

	claim(at_start.width_max == 4096 && at_start.lanes == 3, "INFO");
	operations();
	refusals();
	wide();
	names();
	rings();
	hostile();
	accounting();
	/* A process killed with everything open leaves nothing either. */
	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			struct ring ring;

			ring_make(&ring, table(ATOMIK_LANE_XOR, 64, 1000), 256);
			pause();
		}
		usleep(2000);
		kill(pid, 9);
		waitpid(pid, NULL, 0);
	}
	at_end = info();
	claim(at_end.tables_live == at_start.tables_live && at_end.bytes_live == at_start.bytes_live,
	      "after the last close %llu tables and %llu bytes are left, as at the start",
	      (unsigned long long)at_end.tables_live, (unsigned long long)at_end.bytes_live);
	return report("device");
}
