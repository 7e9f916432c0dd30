// SPDX-License-Identifier: Apache-2.0
/*
 * Every allocation fails once.  The module built with ATOMIK_FAULTS=y has a parameter
 * that fails the n-th; each scenario is run with n = 1, 2, ... until it succeeds, and
 * before that must fail with ENOMEM and leave not a byte behind.
 */
#include "check.h"

static void fail_nth(int n)
{
	int file = open("/sys/module/atomik/parameters/fail_nth", O_WRONLY);
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	must(file >= 0 && write(file, text, strlen(text)) > 0, "set fail_nth");
	close(file);
}

static unsigned long long bytes_live(void)
{
	struct atomik_info info = { .version = 1 };
	int file = open("/dev/atomik", O_RDWR);

	errno = call(file, ATOMIK_IOC_INFO, &info);
	must(file >= 0 && errno == 0, "ask the device");
	close(file);
	return info.bytes_live;
}

static int do_open(void)
{
	int file = open("/dev/atomik", O_RDWR), error = file < 0 ? errno : 0;

	if (file >= 0)
		close(file);
	return error;
}

static int do_table(void)
{
	int file = open("/dev/atomik", O_RDWR), error;

	if (file < 0)
		return errno;
	error = attach(file, "fault", ATOMIK_TABLE_CREATE, 0, 64, 100);
	close(file);
	return error;
}

static int do_ring(void)
{
	int file = open("/dev/atomik", O_RDWR), error;
	struct atomik_ring args = { .version = 1, .entries = 256 };

	if (file < 0)
		return errno;
	error = attach(file, "", ATOMIK_TABLE_CREATE, 0, 64, 100);
	if (!error)
		error = call(file, ATOMIK_IOC_RING, &args);
	close(file);
	return error;
}

static int do_wide(void)
{
	int file = open("/dev/atomik", O_RDWR), error;
	uint64_t words[64] = { 1 };
	struct atomik_op args = { .version = 1, .opcode = ATOMIK_OP_ACCUM, .words = (uintptr_t)words };

	if (file < 0)
		return errno;
	error = attach(file, "", ATOMIK_TABLE_CREATE, 1, 4096, 2);
	if (!error)
		error = call(file, ATOMIK_IOC_OP, &args);
	close(file);
	return error;
}

static int command(const char *line)
{
	int file = open("/dev/atomik-waste", O_WRONLY), error;

	must(file >= 0, "open /dev/atomik-waste");
	error = write(file, line, strlen(line)) < 0 ? errno : 0;
	close(file);
	return error;
}

static int do_waste(void)
{
	int error = command("start\n");

	return error ? error : command("stop\n");
}

static void scenario(const char *name, int (*run)(void), int fewest)
{
	unsigned long long before = bytes_live();
	int n, error, wrong = 0, leaks = 0;

	for (n = 1; n < 1000; n++) {
		fail_nth(n);
		error = run();
		fail_nth(0);
		if (!error)
			break;
		wrong += error != ENOMEM;
		leaks += bytes_live() != before;
	}
	claim(n > fewest && n < 1000 && !wrong && !leaks, "%s: %d allocations, each refused once with ENOMEM, nothing left behind",
	      name, n - 1);
}

int main(void)
{
	/* The rows of the tracker stay once made: they are the scenario's first allocations. */
	scenario("open", do_open, 1);
	scenario("table", do_table, 5);
	scenario("ring", do_ring, 7);
	scenario("wide operation", do_wide, 6);
	fail_nth(2);
	claim(command("start\n") == ENOMEM, "waste: a refused first start");
	fail_nth(0);
	must(do_waste() == 0, "start and stop the tracker");
	scenario("waste", do_waste, 2);
	return report("faults");
}
