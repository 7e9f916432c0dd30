/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs in the booted machine share: a claim that can be false, its
 * count, and the calls of /dev/atomik.  A program exits with 1 if a claim failed.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../include/atomik.h"

static int passed, failed;

static void __attribute__((format(printf, 2, 3))) claim(bool holds, const char *what, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	if (holds)
		passed++;
	else
		failed++;
	printf("%s %s\n", holds ? "  ok  " : "  FAIL", text);
	fflush(stdout);
}

static int report(const char *name)
{
	printf("%s: %d passed, %d failed\n", name, passed, failed);
	return failed ? 1 : 0;
}

static void __attribute__((unused)) must(bool holds, const char *what)
{
	if (holds)
		return;
	printf("  FAIL could not %s: %s\n", what, strerror(errno));
	exit(1);
}

static double __attribute__((unused)) seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* 0, or the errno: what the tests compare. */
static int __attribute__((unused)) call(int file, unsigned long command, void *argument)
{
	return ioctl(file, command, argument) < 0 ? errno : 0;
}

static int __attribute__((unused)) attach(int file, const char *name, uint32_t flags, uint32_t lane,
					  uint32_t width, uint32_t contexts)
{
	struct atomik_table_args args = { .version = ATOMIK_VERSION, .flags = flags, .mode = 0600,
					  .lane = lane, .width = width, .contexts = contexts };

	strncpy(args.name, name, sizeof(args.name) - 1);
	return call(file, ATOMIK_IOC_TABLE, &args);
}

static int __attribute__((unused)) table(uint32_t lane, uint32_t width, uint32_t contexts)
{
	int file = open("/dev/atomik", O_RDWR | O_CLOEXEC);

	must(file >= 0, "open /dev/atomik");
	errno = attach(file, "", ATOMIK_TABLE_CREATE, lane, width, contexts);
	must(errno == 0, "make a table");
	return file;
}

/* One narrow operation; *value in and out. */
static int __attribute__((unused)) op(int file, uint32_t opcode, uint32_t flags, uint64_t address,
				      uint64_t *value)
{
	struct atomik_op args = { .version = ATOMIK_VERSION, .opcode = opcode, .flags = flags,
				  .address = address, .value = *value };
	int error = call(file, ATOMIK_IOC_OP, &args);

	*value = args.value;
	return error;
}

static uint64_t __attribute__((unused)) read_state(int file, uint64_t address)
{
	uint64_t value = 0;

	errno = op(file, ATOMIK_OP_READ, 0, address, &value);
	must(errno == 0, "read a context");
	return value;
}

struct ring {
	int file;
	uint32_t entries;
	size_t bytes;
	struct atomik_ring_head *head;
	struct atomik_sqe *sqes;
	struct atomik_cqe *cqes;
};

static int __attribute__((unused)) ring_make(struct ring *ring, int file, uint32_t entries)
{
	struct atomik_ring args = { .version = ATOMIK_VERSION, .entries = entries };
	int error = call(file, ATOMIK_IOC_RING, &args);
	void *map;

	memset(ring, 0, sizeof(*ring));
	if (error)
		return error;
	map = mmap(NULL, args.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		return errno;
	*ring = (struct ring){ file, entries, args.map_bytes, map, map + args.sqes_offset,
			       map + args.cqes_offset };
	return 0;
}

static void __attribute__((unused)) ring_put(struct ring *ring, struct atomik_sqe sqe)
{
	uint32_t tail = ring->head->sq_tail;

	ring->sqes[tail & (ring->entries - 1)] = sqe;
	__atomic_store_n(&ring->head->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* How many were consumed, or -errno. */
static int __attribute__((unused)) ring_enter(struct ring *ring, uint32_t count)
{
	struct atomik_enter args = { .version = ATOMIK_VERSION, .count = count };
	int done = ioctl(ring->file, ATOMIK_IOC_ENTER, &args);

	return done < 0 ? -errno : done;
}

static bool __attribute__((unused)) ring_take(struct ring *ring, struct atomik_cqe *cqe)
{
	uint32_t head = ring->head->cq_head;

	if (__atomic_load_n(&ring->head->cq_tail, __ATOMIC_ACQUIRE) == head)
		return false;
	*cqe = ring->cqes[head & (2 * ring->entries - 1)];
	__atomic_store_n(&ring->head->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

#endif
