// SPDX-License-Identifier: Apache-2.0
/*
 * Replays spec/vectors through the device: every case by ioctl, and those of at most
 * 64 bits through a ring as well.  Cases of the lane `max`, which the device does not
 * have, are counted as not run.
 *
 * Usage: vectors FILE   (as flatten.js writes it)
 */
#include "check.h"

#define WORDS_MAX 64

static unsigned int words_of(char *text, uint64_t *words)
{
	unsigned int n = 0;
	char *next;

	for (; n < WORDS_MAX; text = next + 1) {
		words[n++] = strtoull(text, &next, 16);
		if (*next != ',')
			break;
	}
	return n;
}

struct step {
	uint32_t opcode, flags;
	uint64_t address;
	bool expects;
	uint64_t value[WORDS_MAX], expect[WORDS_MAX];
};

static struct step step_of(const char *name, uint64_t address, char *value, char *expect)
{
	struct step step = { .address = address };

	step.opcode = !strcmp(name, "load") ? ATOMIK_OP_LOAD : !strcmp(name, "accum") ? ATOMIK_OP_ACCUM :
		      !strcmp(name, "read") ? ATOMIK_OP_READ : !strcmp(name, "swap") ? ATOMIK_OP_SWAP : 0;
	if (strcmp(value, "-"))
		words_of(value, step.value);
	if (step.opcode == ATOMIK_OP_SWAP)
		step.flags = strcmp(value, "-") ? ATOMIK_SWAP_REPLACE : ATOMIK_SWAP_KEEP;
	step.expects = strcmp(expect, "-");
	if (step.expects)
		words_of(expect, step.expect);
	return step;
}

static bool by_ioctl(int file, unsigned int words, const struct step *step)
{
	struct atomik_op args = { .version = 1, .opcode = step->opcode, .flags = step->flags, .address = step->address };
	uint64_t buffer[WORDS_MAX];

	memcpy(buffer, step->value, sizeof(buffer));
	if (words > 1)
		args.words = (uintptr_t)buffer;
	else
		args.value = buffer[0];
	if (call(file, ATOMIK_IOC_OP, &args))
		return false;
	if (words == 1)
		buffer[0] = args.value;
	return !step->expects || !memcmp(buffer, step->expect, words * sizeof(uint64_t));
}

static bool by_ring(struct ring *ring, const struct step *step)
{
	struct atomik_cqe cqe;

	ring_put(ring, (struct atomik_sqe){ step->opcode, step->flags, step->address, step->value[0], 1 });
	if (ring_enter(ring, 1) != 1 || !ring_take(ring, &cqe) || cqe.result)
		return false;
	return !step->expects || cqe.value == step->expect[0];
}

int main(int argc, char **argv)
{
	static char line[16384], name[128], lane[16], op_name[16], value[8192], expect[8192];
	unsigned int width, contexts, words = 0, cases = 0, steps = 0, ringed = 0, not_run = 0, bad = 0;
	FILE *file = fopen(argc > 1 ? argv[1] : "", "r");
	int direct = -1, through = -1;
	unsigned long long address;
	struct ring ring = { 0 };

	must(file, "open the vectors");
	while (fgets(line, sizeof(line), file)) {
		struct step step;

		if (sscanf(line, "case %127s %15s %u %u", name, lane, &width, &contexts) == 4) {
			if (direct >= 0)
				close(direct), close(through);
			if (ring.head)
				munmap(ring.head, ring.bytes);
			ring.head = NULL;
			direct = through = -1;
			if (!strcmp(lane, "max")) {
				not_run++;
				continue;
			}
			cases++;
			words = (width + 63) / 64;
			direct = table(strcmp(lane, "xor") ? ATOMIK_LANE_ADD : ATOMIK_LANE_XOR, width, contexts);
			through = table(strcmp(lane, "xor") ? ATOMIK_LANE_ADD : ATOMIK_LANE_XOR, width, contexts);
			if (words == 1)
				must(ring_make(&ring, through, 4) == 0, "make a ring");
			continue;
		}
		must(strncmp(line, "case ", 5) != 0, "read a case: its line has another form");
		if (direct < 0)
			continue;
		must(sscanf(line, "%15s %llu %8191s %8191s", op_name, &address, value, expect) == 4, "read a step");
		step = step_of(op_name, address, value, expect);
		steps++;
		if (!by_ioctl(direct, words, &step)) {
			claim(false, "%s by ioctl: %.80s", name, line);
			bad++;
		}
		if (words == 1) {
			ringed++;
			if (!by_ring(&ring, &step)) {
				claim(false, "%s by ring: %.80s", name, line);
				bad++;
			}
		}
	}
	claim(bad == 0 && cases > 0 && steps > 0, "%u cases of xor and add, %u steps by ioctl, %u also by ring (%u cases of max not run: the device has no such lane)",
	      cases, steps, ringed, not_run);
	return report("vectors");
}
