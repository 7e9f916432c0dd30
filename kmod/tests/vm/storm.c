// SPDX-License-Identifier: Apache-2.0
/*
 * Under a kernel with failslab and fail_page_alloc: a process whose allocations fail one
 * time in ten does everything the device offers, over and over.  Every call succeeds or
 * says ENOMEM, and afterwards not a byte is left.  The tracker is left out: its own
 * allocations fail one by one in faults.c, and the kernel's kprobes do not survive a failed
 * allocation while they are unregistered (seen: WARNING in __disarm_kprobe_ftrace).
 */
#include <sys/mount.h>

#include "check.h"

/* Tries again where memory is refused: to end the storm is done in the storm. */
static void put(const char *path, const char *text)
{
	ssize_t written = -1;

	do {
		int file = open(path, O_WRONLY);

		if (file >= 0) {
			written = write(file, text, strlen(text));
			close(file);
		}
	} while (written < 0 && errno == ENOMEM);
	must(written == (ssize_t)strlen(text), path);
}

static int odd, refused, done;

static int count(int error)
{
	odd += error != 0 && error != ENOMEM;
	refused += error == ENOMEM;
	done += error == 0;
	return error;
}

static void one_round(void)
{
	int file = open("/dev/atomik", O_RDWR);
	uint64_t words[64] = { 1 };
	struct atomik_op op = { .version = 1, .opcode = ATOMIK_OP_ACCUM, .words = (uintptr_t)words };
	struct ring ring;

	if (count(file < 0 ? errno : 0))
		return;
	if (!count(attach(file, "storm", ATOMIK_TABLE_CREATE, 1, 4096, 64)))
		count(call(file, ATOMIK_IOC_OP, &op));
	close(file);
	file = open("/dev/atomik", O_RDWR);
	if (file >= 0 && !count(attach(file, "", ATOMIK_TABLE_CREATE, 0, 64, 4096)) && !count(ring_make(&ring, file, 512)))
		/* munmap allocates too, and a mapping that stays holds the file: that is no leak of the module's. */
		while (munmap(ring.head, ring.bytes))
			must(errno == ENOMEM, "unmap the ring");
	if (file >= 0)
		close(file);
}

int main(void)
{
	struct atomik_info info = { .version = 1 };
	unsigned long long before;
	int file, i;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	one_round();
	file = open("/dev/atomik", O_RDWR);
	must(call(file, ATOMIK_IOC_INFO, &info) == 0, "ask the device");
	before = info.bytes_live;
	for (i = 0; i < 2; i++) {
		char path[96];
		const char *injector = i ? "fail_page_alloc" : "failslab";

		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/task-filter", injector);
		put(path, "Y");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/probability", injector);
		put(path, "10");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times", injector);
		put(path, "-1");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", injector);
		put(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait", injector);
		put(path, "N");
	}
	put("/proc/self/make-it-fail", "1");
	for (i = 0; i < 60; i++)
		one_round();
	put("/proc/self/make-it-fail", "0");
	must(call(file, ATOMIK_IOC_INFO, &info) == 0, "ask the device");
	claim(odd == 0 && refused > 20 && done > 20, "%d calls refused with ENOMEM, %d done, %d refused otherwise", refused, done, odd);
	claim(info.bytes_live == before, "%llu bytes left, as before", (unsigned long long)info.bytes_live);
	put("/sys/kernel/debug/kmemleak", "scan");
	sleep(6);
	put("/sys/kernel/debug/kmemleak", "scan");
	{
		static char text[4096];
		int leaks = open("/sys/kernel/debug/kmemleak", O_RDONLY), atomik;

		must(leaks >= 0 && read(leaks, text, sizeof(text) - 1) >= 0, "read kmemleak");
		atomik = strstr(text, "[atomik]") != NULL;
		if (text[0])
			printf("%s\n", text);
		claim(!atomik, "kmemleak names no leak of this module");
	}
	return report("storm");
}
