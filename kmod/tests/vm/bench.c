// SPDX-License-Identifier: Apache-2.0
/*
 * Speed, in one run, under whatever runs this kernel: the label says so.
 *
 * Every operation is fed in and read out: after each case the state of the contexts
 * must be what the deltas give, or the case counts as failed.  Bars of the issue: a ring
 * of 1,024 at least 20 times one ioctl each; tracking at the default rate costs a
 * fork-and-write load at most 3 %.
 */
#include <sys/syscall.h>

#include "check.h"

#define CONTEXTS 1024

static double rate_system_call(unsigned int n)
{
	double start = seconds();
	unsigned int i;

	for (i = 0; i < n; i++)
		syscall(SYS_getppid);
	return n / (seconds() - start);
}

static double rate_user_atomic(unsigned int n)
{
	static uint64_t words[CONTEXTS];
	double start = seconds();
	unsigned int i;

	for (i = 0; i < n; i++)
		__atomic_fetch_xor(&words[i % CONTEXTS], i, __ATOMIC_RELAXED);
	return n / (seconds() - start);
}

static void post_ioctl(int file, unsigned int n)
{
	struct atomik_op args = { .version = ATOMIK_VERSION, .opcode = ATOMIK_OP_ACCUM };
	unsigned int i;

	for (i = 0; i < n; i++) {
		args.address = i % CONTEXTS;
		args.value = i + 1;
		must(ioctl(file, ATOMIK_IOC_OP, &args) == 0, "accumulate");
	}
}

/* Silent ACCUMs: a refused one would leave a completion, which post_ring looks for. */
static void post_ring(int file, unsigned int n, unsigned int batch)
{
	struct ring ring;
	unsigned int i, j;

	errno = ring_make(&ring, file, batch);
	must(errno == 0, "make a ring");
	for (i = 0; i < n; i += batch) {
		uint32_t tail = ring.head->sq_tail;

		for (j = 0; j < batch; j++)
			ring.sqes[(tail + j) & (batch - 1)] = (struct atomik_sqe){
				ATOMIK_OP_ACCUM, ATOMIK_SQE_SILENT, (i + j) % CONTEXTS, i + j + 1, 0 };
		__atomic_store_n(&ring.head->sq_tail, tail + batch, __ATOMIC_RELEASE);
		must(ring_enter(&ring, batch) == (int)batch, "enter the ring");
	}
	must(ring.head->cq_tail == 0, "run without a refusal");
	munmap(ring.head, ring.bytes);
}

/* batch 0: one ioctl each.  Each process attaches to one named table and runs n operations. */
static double rate_device(unsigned int processes, unsigned int n, unsigned int batch)
{
	uint64_t expected[CONTEXTS] = { 0 }, wrong = 0;
	int keeper = open("/dev/atomik", O_RDWR), go[2], i;
	double start, took;
	unsigned int p;
	char byte = 0;

	errno = attach(keeper, "bench", ATOMIK_TABLE_CREATE | ATOMIK_TABLE_EXCLUSIVE, ATOMIK_LANE_ADD, 64, CONTEXTS);
	must(errno == 0, "make the bench's table");
	must(pipe(go) == 0, "pipe");
	for (p = 0; p < processes; p++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (!pid) {
			int file = open("/dev/atomik", O_RDWR);

			errno = attach(file, "bench", 0, 0, 0, 0);
			must(errno == 0, "attach");
			must(read(go[0], &byte, 1) == 1, "wait for the start");
			if (batch)
				post_ring(file, n, batch);
			else
				post_ioctl(file, n);
			_exit(0);
		}
	}
	usleep(50000);
	start = seconds();
	for (p = 0; p < processes; p++)
		must(write(go[1], &byte, 1) == 1, "start");
	for (p = 0; p < processes; p++) {
		int status;

		must(wait(&status) > 0 && status == 0, "run a process to its end");
	}
	took = seconds() - start;
	for (i = 0; i < (int)n; i++)
		expected[i % CONTEXTS] += (uint64_t)processes * (i + 1);
	for (i = 0; i < CONTEXTS; i++)
		wrong += read_state(keeper, i) != expected[i];
	claim(wrong == 0, "%u process%s, batch %u: %u operations fed in, every context reads their sum",
	      processes, processes > 1 ? "es" : "", batch, processes * n);
	close(keeper);
	close(go[0]);
	close(go[1]);
	return processes * (double)n / took;
}

static void waste(const char *command)
{
	int file = open("/dev/atomik-waste", O_WRONLY);

	must(file >= 0 && write(file, command, strlen(command)) == (ssize_t)strlen(command), command);
	close(file);
}

/* Seconds a child takes to write to every page its parent filled. */
static double fork_and_write(unsigned char *memory, size_t pages)
{
	double start = seconds();
	pid_t pid = fork();
	size_t i;

	must(pid >= 0, "fork");
	if (!pid) {
		for (i = 0; i < pages; i++)
			memory[i * 4096] ^= 1;
		_exit(0);
	}
	must(waitpid(pid, NULL, 0) == pid, "wait");
	return seconds() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Interleaved, so that drift of the machine falls on both; the fastest tenth, since other
 * load on the host only ever adds.
 */
static double tracking_overhead(int rounds, double *off, double *on)
{
	static double times[2][512];
	size_t pages = 2048;
	unsigned char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i, j;

	must(memory != MAP_FAILED, "map memory");
	madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
	memset(memory, 1, pages * 4096);
	for (i = 0; i < 4; i++)
		fork_and_write(memory, pages);
	for (i = 0; i < rounds; i++) {
		if (i & 1)
			waste("start\n");
		for (j = 0; j < 4; j++)
			times[i & 1][i / 2 * 4 + j] = fork_and_write(memory, pages);
		if (i & 1)
			waste("stop\n");
	}
	for (i = 0; i < 2; i++)
		qsort(times[i], rounds / 2 * 4, sizeof(double), compare);
	*off = times[0][rounds / 5];
	*on = times[1][rounds / 5];
	return *on / *off;
}

int main(int argc, char **argv)
{
	const char *label = argc > 1 ? argv[1] : "where run";
	unsigned int batches[] = { 0, 1, 64, 1024 }, p, b;
	double rates[3][4], off, on, overhead;

	printf("speed, measured %s\n", label);
	printf("  %-44s %12.0f /s\n", "bare system call (getppid)", rate_system_call(300000));
	printf("  %-44s %12.0f /s\n", "user-space atomic XOR", rate_user_atomic(3000000));
	for (p = 1; p <= 2; p++)
		for (b = 0; b < 4; b++) {
			char name[64];

			rates[p][b] = rate_device(p, b < 2 ? 100 * 1024 : 1000 * 1024, batches[b]);
			if (b)
				snprintf(name, sizeof(name), "ring, batch %u, %u process%s", batches[b], p, p > 1 ? "es" : "");
			else
				snprintf(name, sizeof(name), "one ioctl each, %u process%s", p, p > 1 ? "es" : "");
			printf("  %-44s %12.0f /s\n", name, rates[p][b]);
		}
	for (p = 1; p <= 2; p++)
		claim(rates[p][3] >= 20 * rates[p][0], "%u process%s: a ring of 1,024 is %.1f times one ioctl each (bar: 20)", p,
		      p > 1 ? "es" : "", rates[p][3] / rates[p][0]);
	overhead = tracking_overhead(80, &off, &on);
	printf("  fork and write 2,048 pages: %.2f ms without, %.2f ms with tracking (tenth percentile of 160, interleaved)\n", 1e3 * off,
	       1e3 * on);
	claim(overhead <= 1.03, "tracking at the default rate costs %.2f %% (bar: 3 %%; a ratio under the same emulator)",
	      100 * (overhead - 1));
	return report("bench");
}
