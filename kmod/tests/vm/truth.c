// SPDX-License-Identifier: Apache-2.0
/*
 * Truth: programs whose waste is known by construction, against what the tracker says.
 *
 * Each runs its faults in a cgroup of its own, entered by the child after it has
 * warmed its stack and code and left before it exits, so that the number of copies
 * attributed there is known exactly, not about.  The shares must be within 2
 * percentage points; with cow=1 every copy is looked at, with cow=16 a sample is.
 *
 * Usage: truth EVERY   (the tracker's cow=EVERY)
 */
#include <signal.h>

#include "check.h"

#define GROUPS	"/sys/fs/cgroup"
#define PAGE	4096

struct row {
	unsigned long long copies, sampled, judged, unchanged, lines, bytes, lost;
	unsigned long long sends, compared, repeats, repeat_bytes, send_bytes, live, live_unchanged;
};

static void waste(const char *command)
{
	int file = open("/dev/atomik-waste", O_WRONLY);

	must(file >= 0 && write(file, command, strlen(command)) == (ssize_t)strlen(command), command);
	close(file);
}

static unsigned long long field(const char *line, const char *name)
{
	char pattern[40];
	const char *at;

	snprintf(pattern, sizeof(pattern), " %s=", name);
	at = strstr(line, pattern);
	return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}

static unsigned long long group_id(const char *group)
{
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), GROUPS "/%s", group);
	must(stat(path, &status) == 0, path);
	return status.st_ino;
}

/* The row of a cgroup; all zero if there is none.  `state` answers from the state line. */
static struct row row_of(const char *group, const char *state, unsigned long long *answer)
{
	FILE *file = fopen("/dev/atomik-waste", "r");
	unsigned long long id = group ? group_id(group) : ~0ULL;
	struct row row = { 0 };
	char line[1024];

	must(file, "read /dev/atomik-waste");
	while (fgets(line, sizeof(line), file)) {
		if (answer && !strncmp(line, "state ", 6))
			*answer = field(line, state);
		if (strncmp(line, "cgroup ", 7) || field(line, "id") != id)
			continue;
		row = (struct row){
			field(line, "copies"), field(line, "sampled"), field(line, "judged"),
			field(line, "unchanged"), field(line, "lines"), field(line, "bytes"),
			field(line, "lost"), field(line, "sends"), field(line, "compared"),
			field(line, "repeats"), field(line, "repeat_bytes"), field(line, "send_bytes"),
			field(line, "live"), field(line, "live_unchanged"),
		};
	}
	fclose(file);
	return row;
}

static void enter(const char *group)
{
	char path[128];
	int file;

	snprintf(path, sizeof(path), GROUPS "/%s/cgroup.procs", group);
	file = open(path, O_WRONLY);
	must(file >= 0 && write(file, "0", 1) == 1, "enter a cgroup");
	close(file);
}

static void make_group(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), GROUPS "/%s", group);
	must(mkdir(path, 0755) == 0 || errno == EEXIST, "make a cgroup");
}

/* What a child does to page i of its copies. */
enum change { SAME, LINE, WHOLE };

/* Of each `of` pages, `same` are written with what they hold, `line` in one line, the rest whole. */
struct mix { unsigned int same, line, of; };

static enum change change_of(struct mix mix, unsigned int page)
{
	unsigned int at = page % mix.of;

	return at < mix.same ? SAME : at < mix.same + mix.line ? LINE : WHOLE;
}

static void touch(volatile unsigned char *page, enum change change, unsigned int number)
{
	unsigned int i;

	if (change == SAME)
		page[0] = page[0];
	else if (change == LINE)
		for (i = 0; i < 64; i++)
			page[64 * (number % 64) + i] ^= 0xff;
	else
		for (i = 0; i < PAGE; i++)
			page[i] ^= 0xff;
}

static unsigned char *memory_of(unsigned int pages)
{
	unsigned char *memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	must(memory != MAP_FAILED, "map memory");
	must(madvise(memory, (size_t)pages * PAGE, MADV_NOHUGEPAGE) == 0, "refuse huge pages");
	for (i = 0; i < (size_t)pages * PAGE; i += 8)
		*(uint64_t *)(memory + i) = i * 0x9e3779b97f4a7c15ULL + 1;
	return memory;
}

/* One child that changes its copies by the mix, inside the group. */
static void child(const char *group, unsigned char *memory, unsigned int pages, struct mix mix)
{
	unsigned char warm[PAGE];
	unsigned int i;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid) {
		must(waitpid(pid, NULL, 0) == pid, "wait");
		return;
	}
	/* Everything the loop and both moves touch is copied before the group is entered. */
	enter("outside");
	for (i = 0; i < 3; i++)
		touch(warm, i, i);
	enter(group);
	for (i = 0; i < pages; i++)
		touch(memory + (size_t)i * PAGE, change_of(mix, i), i);
	enter("outside");
	_exit(0);
}

static double points(double share, double truth)
{
	double off = 100 * (share - truth);

	return off < 0 ? -off : off;
}

static void judge(const char *name, const char *group, unsigned int pages, unsigned int children, struct mix mix)
{
	double same = (double)mix.same / mix.of, line = (double)mix.line / mix.of;
	double lines = line / 64 + (1 - same - line), unchanged, changed, bytes;
	struct row row = row_of(group, NULL, NULL);
	unsigned long long want = (unsigned long long)pages * children;

	claim(row.copies == want, "%s: %llu copies attributed to its cgroup, truth %llu", name, row.copies, want);
	claim(row.lost == 0 && row.judged == row.sampled && row.judged > 0, "%s: %llu sampled, %llu judged, %llu lost",
	      name, row.sampled, row.judged, row.lost);
	if (!row.judged)
		return;
	unchanged = (double)row.unchanged / row.judged;
	changed = (double)row.lines / row.judged / 64;
	bytes = (double)row.bytes / row.judged / PAGE;
	claim(points(unchanged, same) <= 2, "%s: never changed %.2f %%, truth %.2f %%", name, 100 * unchanged, 100 * same);
	claim(points(changed, lines) <= 2, "%s: lines changed %.2f %%, truth %.2f %%", name, 100 * changed, 100 * lines);
	claim(points(bytes, lines) <= 2, "%s: bytes changed %.2f %%, truth %.2f %%", name, 100 * bytes, 100 * lines);
}

static void copies(const char *name, unsigned int pages, unsigned int children, struct mix mix)
{
	unsigned char *memory = memory_of(pages);
	unsigned int i;

	make_group(name);
	for (i = 0; i < children; i++)
		child(name, memory, pages, mix);
	judge(name, name, pages, children, mix);
	munmap(memory, (size_t)pages * PAGE);
}

/* A parent that serves each request in a child; requests of three kinds in a known order. */
static void server(unsigned int pages, unsigned int requests)
{
	static const struct mix kinds[4] = { { 1, 0, 1 }, { 1, 0, 1 }, { 0, 1, 1 }, { 0, 0, 1 } };
	unsigned char *memory = memory_of(pages);
	unsigned int i;

	make_group("server");
	for (i = 0; i < requests; i++)
		child("server", memory, pages, kinds[i % 4]);
	/* Two of four requests write back what was there, one a line, one all. */
	judge("server", "server", pages, requests, (struct mix){ 2, 1, 4 });
	munmap(memory, (size_t)pages * PAGE);
}

/* Two groups at once, in turns of one child each, with different mixes. */
static void two_groups(unsigned int pages, unsigned int children)
{
	struct mix red = { 3, 1, 5 }, blue = { 1, 3, 10 };
	unsigned char *memory = memory_of(pages);
	pid_t pid;
	unsigned int i;

	make_group("red");
	make_group("blue");
	pid = fork();
	must(pid >= 0, "fork");
	for (i = 0; i < children; i++)
		child(pid ? "red" : "blue", memory, pages, pid ? red : blue);
	if (!pid)
		_exit(0);
	must(waitpid(pid, NULL, 0) == pid, "wait");
	judge("red", "red", pages, children, red);
	judge("blue", "blue", pages, children, blue);
	munmap(memory, (size_t)pages * PAGE);
}

static void settle(const char *ms)
{
	int file = open("/sys/module/atomik/parameters/settle_ms", O_WRONLY);

	must(file >= 0 && write(file, ms, strlen(ms)) == (ssize_t)strlen(ms), "set settle_ms");
	close(file);
}

/* Judged at munmap, and while it lives on: not at exit only. */
static void living(unsigned int pages, double slack)
{
	unsigned char *memory = memory_of(pages);
	unsigned int i;
	int go[2], done[2];
	char byte = 0;
	pid_t pid;
	struct row row;

	make_group("living");
	must(pipe(go) == 0 && pipe(done) == 0, "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		enter("outside");
		touch((unsigned char[PAGE]){ 0 }, WHOLE, 0);
		enter("living");
		for (i = 0; i < pages; i++)
			touch(memory + (size_t)i * PAGE, i % 2 ? SAME : WHOLE, i);
		enter("outside");
		munmap(memory, (size_t)pages * PAGE / 2);
		(void)!write(done[1], &byte, 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	must(read(done[0], &byte, 1) == 1, "hear of the child");
	row = row_of("living", NULL, NULL);
	claim(row.copies == pages, "living: %llu copies, truth %u", row.copies, pages);
	claim(row.judged > 0 && row.judged < row.sampled && points((double)row.judged / row.sampled, 0.5) <= slack,
	      "living: of %llu held, the %llu unmapped are judged", row.sampled, row.judged);
	claim(points((double)row.unchanged / row.judged, 0.5) <= slack, "living: unmapped %.1f %% unchanged, truth 50 %%",
	      100.0 * row.unchanged / row.judged);
	claim(row.live + row.judged == row.sampled && points((double)row.live_unchanged / row.live, 0.5) <= slack,
	      "living: the %llu still mapped are looked at as they are, %.1f %% unchanged, truth 50 %%", row.live,
	      100.0 * row.live_unchanged / row.live);
	settle("100");
	sleep(3);
	row = row_of("living", NULL, NULL);
	claim(row.judged == row.sampled && row.live == 0 && kill(pid, 0) == 0, "living: past settle_ms all are judged while it lives");
	settle("30000");
	must(write(go[1], &byte, 1) == 1, "let the child go");
	must(waitpid(pid, NULL, 0) == pid, "wait");
	row = row_of("living", NULL, NULL);
	claim(row.judged == row.sampled, "living: all %llu judged after exit", row.judged);
	munmap(memory, (size_t)pages * PAGE);
}

/* A copy that is itself shared and copied over is judged then: it was changed, its own copy is not. */
static void copied_over(unsigned int pages)
{
	unsigned char *memory = memory_of(pages);
	struct row row;
	unsigned int i;
	pid_t pid;

	make_group("over");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		pid_t sharer;

		enter("outside");
		touch((unsigned char[PAGE]){ 0 }, WHOLE, 0);
		enter("over");
		for (i = 0; i < pages; i++)
			touch(memory + (size_t)i * PAGE, WHOLE, i);
		enter("outside");
		sharer = fork();
		must(sharer >= 0, "fork");
		if (!sharer)
			pause();
		touch((unsigned char[PAGE]){ 0 }, SAME, 0);
		enter("outside");
		enter("over");
		for (i = 0; i < pages; i++)
			touch(memory + (size_t)i * PAGE, SAME, i);
		enter("outside");
		kill(sharer, SIGKILL);
		waitpid(sharer, NULL, 0);
		_exit(0);
	}
	must(waitpid(pid, NULL, 0) == pid, "wait");
	row = row_of("over", NULL, NULL);
	claim(row.copies == 2 * pages, "copied over: %llu copies, truth %u", row.copies, 2 * pages);
	if (row.sampled == row.copies)
		claim(row.judged == 2 * pages && row.unchanged == pages, "copied over: %llu of %llu unchanged, truth %u of %u",
		      row.unchanged, row.judged, pages, 2 * pages);
	munmap(memory, (size_t)pages * PAGE);
}

/* `total` messages on one socket pair, of which every fourth repeats the one before. */
static void sender(const char *group, int domain, int type, unsigned int total, unsigned int bytes, bool nonblocking)
{
	static unsigned char message[8192], sink[8192];
	unsigned int i, repeats = total / 4;
	int ends[2];
	struct row row;
	pid_t pid;

	make_group(group);
	must(socketpair(domain, type, 0, ends) == 0, "make a socket pair");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		enter(group);
		for (i = 0; i < total; i++) {
			if (i % 4 != 3)
				memset(message, i * 7 + 1, bytes), memcpy(message, &i, sizeof(i));
			/* A full socket refuses; what is sent again then was not sent before. */
			while (nonblocking && send(ends[0], message, bytes, MSG_DONTWAIT) < 0)
				must(errno == EAGAIN, "send"), sched_yield();
			if (!nonblocking)
				must(send(ends[0], message, bytes, 0) == (ssize_t)bytes, "send");
		}
		enter("outside");
		_exit(0);
	}
	close(ends[0]);
	/* A datagram socket has no end to read: count. */
	for (i = 0; type == SOCK_STREAM || i < total; i++)
		if (read(ends[1], sink, sizeof(sink)) <= 0)
			break;
	must(waitpid(pid, NULL, 0) == pid, "wait");
	close(ends[1]);
	row = row_of(group, NULL, NULL);
	claim(row.sends == total && row.compared == total, "%s: %llu sends, %llu compared, truth %u", group, row.sends,
	      row.compared, total);
	claim(row.repeats == repeats, "%s: %llu repeats, truth %u", group, row.repeats, repeats);
	claim(row.repeat_bytes == (unsigned long long)repeats * bytes, "%s: %llu bytes repeated, truth %llu", group,
	      row.repeat_bytes, (unsigned long long)repeats * bytes);
}

/* TCP and UDP over loopback, one in four repeated. */
static void internet(const char *group, int type, unsigned int total, unsigned int bytes)
{
	struct { uint16_t family, port; uint32_t address; char zero[8]; } to = { AF_INET, 0, 0x0100007f, { 0 } };
	static unsigned char message[4096], sink[4096];
	socklen_t length = sizeof(to);
	int listener = socket(AF_INET, type, 0), out, in = listener;
	unsigned int i;
	struct row row;
	pid_t pid;

	make_group(group);
	must(bind(listener, (void *)&to, sizeof(to)) == 0, "bind");
	must(getsockname(listener, (void *)&to, &length) == 0, "getsockname");
	out = socket(AF_INET, type, 0);
	if (type == SOCK_STREAM)
		must(listen(listener, 1) == 0, "listen");
	must(connect(out, (void *)&to, sizeof(to)) == 0, "connect");
	if (type == SOCK_STREAM)
		in = accept(listener, NULL, NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		enter(group);
		for (i = 0; i < total; i++) {
			if (i % 4 != 3)
				memset(message, i * 5 + 3, bytes), memcpy(message, &i, sizeof(i));
			/* write(2) on odd, send(2) on even: both must be seen. */
			must((i & 1 ? write(out, message, bytes) : send(out, message, bytes, 0)) == (ssize_t)bytes, "send");
		}
		enter("outside");
		_exit(0);
	}
	close(out);
	if (type == SOCK_STREAM)
		while (read(in, sink, sizeof(sink)) > 0)
			;
	must(waitpid(pid, NULL, 0) == pid, "wait");
	close(listener);
	row = row_of(group, NULL, NULL);
	claim(row.sends == total && row.repeats == total / 4, "%s: %llu repeats of %llu sends, truth %u of %u", group,
	      row.repeats, row.sends, total / 4, total);
}

int main(int argc, char **argv)
{
	unsigned int every = argc > 1 ? atoi(argv[1]) : 1;
	/*
	 * Sampled, a share of one half needs 10,000 samples for two points to be four deviations
	 * (one run in 16,000 falls outside): the pages are chosen for about that many.
	 */
	unsigned int scale = every == 1 ? 1 : every / 2;
	unsigned long long no_slot = 0, missed = 0;
	char command[64];

	must(every >= 1, "use that sampling rate");
	printf("truth, one copy in %u looked at\n", every);
	make_group("outside");
	make_group("idle");
	snprintf(command, sizeof(command), "start cow=%u slots=8192 net=1\n", every);
	waste(command);

	copies("same", 4096, 1, (struct mix){ 1, 0, 1 });
	copies("whole", 2048, 1, (struct mix){ 0, 0, 1 });
	copies("line", 4096, 1, (struct mix){ 0, 1, 1 });
	copies("period", 4096, 4 * scale, (struct mix){ 1, 0, 4 });
	server(1024, 20 * scale);
	two_groups(4000, 5 * scale);
	/* Here the moment is tested, not the share: few samples, so four deviations of slack. */
	living(every == 1 ? 2048 : 8192, every == 1 ? 0 : 13);
	copied_over(1024);
	sender("unix-stream", AF_UNIX, SOCK_STREAM, 4000, 512, false);
	sender("unix-dgram", AF_UNIX, SOCK_DGRAM, 4000, 100, false);
	sender("unix-again", AF_UNIX, SOCK_STREAM, 4000, 2048, true);
	sender("unix-long", AF_UNIX, SOCK_STREAM, 400, 8000, false);
	internet("tcp", SOCK_STREAM, 4000, 256);
	internet("udp", SOCK_DGRAM, 400, 64);

	claim(row_of("idle", NULL, NULL).copies == 0, "idle: nothing attributed to a cgroup that did nothing");
	row_of(NULL, "no_slot", &no_slot);
	row_of(NULL, "net_missed", &missed);
	claim(no_slot == 0 && missed == 0, "nothing missed: %llu samples without a slot, %llu sends without a probe",
	      no_slot, missed);
	waste("reset\n");
	claim(row_of("same", NULL, NULL).copies == 0, "reset empties the rows");
	waste("stop\n");
	return report("truth");
}
