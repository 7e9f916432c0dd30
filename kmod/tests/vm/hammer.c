// SPDX-License-Identifier: Apache-2.0
/*
 * Many processes on one table at once, by ioctl and by ring, with SWAPs between.
 *
 * In `add` every delta is counted once: what the SWAPs took out plus what is left
 * must be the sum of all that went in.  In `xor`, whose deltas each process repeats in
 * pairs, all must be back at zero.  READ must never see an earlier moment after a later.
 * Meanwhile rmmod must be refused, and after the last close succeed.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

#define PROCESSES 16
#define CONTEXTS 8

struct totals { uint64_t put, taken, refused, backwards; };

static struct totals work(int number, uint32_t rounds)
{
	int file = open("/dev/atomik", O_RDWR), parity = open("/dev/atomik", O_RDWR);
	uint64_t random = 0x9e3779b97f4a7c15ULL * (number + 1), last = 0, value;
	struct totals totals = { 0 };
	struct ring ring;
	struct atomik_cqe cqe;
	uint32_t i;

	errno = attach(file, "hammer-add", 0, 0, 0, 0);
	must(errno == 0, "attach to add");
	errno = attach(parity, "hammer-xor", 0, 0, 0, 0);
	must(errno == 0, "attach to xor");
	must(ring_make(&ring, file, 64) == 0, "make a ring");
	for (i = 0; i < rounds; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		value = random;
		totals.refused += op(parity, ATOMIK_OP_ACCUM, 0, random % CONTEXTS, &value) != 0;
		if (i % 3 == 0) {
			value = random & 0xffff;
			totals.put += value;
			totals.refused += op(file, ATOMIK_OP_ACCUM, 0, random % (CONTEXTS - 1), &value) != 0;
		} else {
			int j;

			for (j = 0; j < 32; j++) {
				totals.put += j;
				ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_ACCUM, ATOMIK_SQE_SILENT, (random >> 8) % (CONTEXTS - 1), j, 0 });
			}
			ring_put(&ring, (struct atomik_sqe){ ATOMIK_OP_SWAP, ATOMIK_SWAP_REPLACE, random % (CONTEXTS - 1), 0, 0 });
			totals.refused += ring_enter(&ring, 33) != 33;
			while (ring_take(&ring, &cqe))
				totals.refused += cqe.result != 0, totals.taken += cqe.value;
		}
		/* The last context only grows: nobody may see it shrink. */
		value = 1;
		op(file, ATOMIK_OP_ACCUM, 0, CONTEXTS - 1, &value);
		value = read_state(file, CONTEXTS - 1);
		totals.backwards += value <= last;
		last = value;
		value = random;
		totals.refused += op(parity, ATOMIK_OP_ACCUM, 0, random % CONTEXTS, &value) != 0;
	}
	munmap(ring.head, ring.bytes);
	close(file);
	close(parity);
	return totals;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "atomik", O_NONBLOCK) < 0 ? errno : 0;
}

/* Nothing holds the module while it tracks: it must let go of copies it still holds, under fire. */
static void unload_while_tracking(void)
{
	int file = open("/dev/atomik-waste", O_WRONLY), i;
	size_t j, pages = 1024;
	unsigned char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pids[4];

	must(file >= 0 && write(file, "start cow=1", 11) == 11, "start tracking");
	close(file);
	memset(memory, 1, pages * 4096);
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		must(pids[i] >= 0, "fork");
		while (!pids[i]) {
			pid_t pid = fork();

			if (!pid) {
				for (j = 0; j < pages; j++)
					memory[j * 4096]++;
				_exit(0);
			}
			waitpid(pid, NULL, 0);
		}
	}
	usleep(300000);
	claim(unload() == 0, "after the last close it unloads, while four processes copy and tracking holds their copies");
	usleep(100000);
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? atoi(argv[1]) : 500;
	int file = open("/dev/atomik", O_RDWR), parity = open("/dev/atomik", O_RDWR), results[2], i, status, bad = 0, refused = 0, tried = 0;
	struct totals all = { 0 }, one;
	uint64_t left = 0, odd = 0;

	must(attach(file, "hammer-add", ATOMIK_TABLE_CREATE, ATOMIK_LANE_ADD, 64, CONTEXTS) == 0, "make a table");
	must(attach(parity, "hammer-xor", ATOMIK_TABLE_CREATE, ATOMIK_LANE_XOR, 64, CONTEXTS) == 0, "make a table");
	must(pipe(results) == 0, "pipe");
	for (i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (!pid) {
			one = work(i, rounds);
			must(write(results[1], &one, sizeof(one)) == sizeof(one), "tell");
			_exit(0);
		}
	}
	for (i = 0; i < 50; i++, tried++) {
		refused += unload() == EWOULDBLOCK;
		usleep(5000);
	}
	for (i = 0; i < PROCESSES; i++) {
		must(wait(&status) > 0, "wait");
		bad += status != 0;
		must(read(results[0], &one, sizeof(one)) == sizeof(one), "hear");
		all.put += one.put, all.taken += one.taken, all.refused += one.refused, all.backwards += one.backwards;
	}
	for (i = 0; i < CONTEXTS; i++) {
		if (i < CONTEXTS - 1)
			left += read_state(file, i);
		odd |= read_state(parity, i);
	}
	claim(bad == 0 && all.refused == 0, "%d processes, %u rounds each, none refused", PROCESSES, rounds);
	claim(all.taken + left == all.put, "add: put in %llu, swapped out %llu, left %llu", (unsigned long long)all.put,
	      (unsigned long long)all.taken, (unsigned long long)left);
	claim(odd == 0, "xor: every delta twice leaves zero");
	claim(read_state(file, CONTEXTS - 1) == (uint64_t)PROCESSES * rounds && all.backwards == 0,
	      "no READ went backwards in %u", PROCESSES * rounds);
	claim(refused == tried, "unloading under load refused %d times of %d", refused, tried);
	close(file);
	close(parity);
	unload_while_tracking();
	claim(unload() == ENOENT, "and is gone");
	return report("hammer");
}
