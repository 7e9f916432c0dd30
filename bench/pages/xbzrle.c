/*
 * XBZRLE as QEMU documents it (docs/migration xbzrle): for each page of 4 KiB that differs, alternating run lengths of bytes that are
 * equal and bytes that are not, each as ULEB128, the latter followed by the new bytes. A page whose encoding would be as long as the page is
 * sent whole. Each page travels with 8 bytes of address and flags and, when encoded, 3 of header. Written for this benchmark from the
 * description of the format; equal and unequal runs are searched eight bytes at a time.
 *
 *   xbzrle OLD NEW OUT ROUNDS   prints: bytes, then seconds of each round to encode, then seconds to decode; verifies the result
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { page = 4096 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t put_uleb(uint8_t *to, uint32_t value)
{
	size_t n = 0;
	do {
		to[n] = value & 0x7f;
		value >>= 7;
		to[n++] |= value ? 0x80 : 0;
	} while (value);
	return n;
}

static size_t get_uleb(const uint8_t *from, uint32_t *value)
{
	size_t n = 0;
	*value = 0;
	do
		*value |= (uint32_t)(from[n] & 0x7f) << (7 * n);
	while (from[n++] & 0x80);
	return n;
}

static uint64_t load(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, 8);
	return word;
}

/* Bytes from `at` on that are equal. */
static uint32_t equal_run(const uint8_t *old, const uint8_t *new, uint32_t at)
{
	uint32_t i = at;
	while (i + 8 <= page) {
		uint64_t differ = load(old + i) ^ load(new + i);
		if (differ)
			return i + (__builtin_ctzll(differ) >> 3) - at;
		i += 8;
	}
	while (i < page && old[i] == new[i])
		i++;
	return i - at;
}

/* Bytes from `at` on that are not: up to the first zero byte of the difference. */
static uint32_t unequal_run(const uint8_t *old, const uint8_t *new, uint32_t at)
{
	uint32_t i = at;
	while (i + 8 <= page) {
		uint64_t differ = load(old + i) ^ load(new + i);
		uint64_t zeros = (differ - 0x0101010101010101ull) & ~differ & 0x8080808080808080ull;
		if (zeros)
			return i + (__builtin_ctzll(zeros) >> 3) - at;
		i += 8;
	}
	while (i < page && old[i] != new[i])
		i++;
	return i - at;
}

/* Bytes of the encoding, or −1 when the page had better travel whole. */
static long encode_page(const uint8_t *old, const uint8_t *new, uint8_t *to)
{
	uint32_t at = 0;
	size_t n = 0;
	while (at < page) {
		uint32_t run = equal_run(old, new, at);
		at += run;
		if (at == page)
			break;
		uint32_t literal = unequal_run(old, new, at);
		if (n + literal + 6 > page)
			return -1;
		n += put_uleb(to + n, run);
		n += put_uleb(to + n, literal);
		memcpy(to + n, new + at, literal);
		n += literal;
		at += literal;
	}
	return n;
}

static size_t encode(const uint8_t *old, const uint8_t *new, size_t bytes, uint8_t *to)
{
	size_t n = 0;
	for (uint64_t at = 0; at < bytes; at += page) {
		if (memcmp(old + at, new + at, page) == 0)
			continue;
		uint8_t *head = to + n;
		long length = encode_page(old + at, new + at, head + 11);
		uint64_t address = at | (length < 0 ? 1 : 0);
		memcpy(head, &address, 8);
		if (length < 0) {
			memcpy(head + 8, new + at, page);
			n += 8 + page;
		} else {
			head[8] = 1;
			head[9] = length & 255;
			head[10] = length >> 8;
			n += 11 + length;
		}
	}
	return n;
}

static void apply(uint8_t *state, const uint8_t *from, size_t bytes)
{
	for (size_t n = 0; n < bytes;) {
		uint64_t address;
		memcpy(&address, from + n, 8);
		if (address & 1) {
			memcpy(state + (address & ~1ull), from + n + 8, page);
			n += 8 + page;
			continue;
		}
		size_t length = from[n + 9] | from[n + 10] << 8;
		const uint8_t *at = from + n + 11, *end = at + length;
		for (uint8_t *to = state + address; at < end;) {
			uint32_t run;
			at += get_uleb(at, &run);
			to += run;
			at += get_uleb(at, &run);
			memcpy(to, at, run);
			to += run;
			at += run;
		}
		n += 11 + length;
	}
}

static uint8_t *read_file(const char *name, size_t *bytes)
{
	FILE *file = fopen(name, "rb");
	if (!file)
		exit(1);
	fseek(file, 0, SEEK_END);
	*bytes = ftell(file);
	rewind(file);
	/* Whole pages: what is beyond the shorter file counts as zero. */
	uint8_t *data = calloc(1, (*bytes + 2 * page) & ~(size_t)(page - 1));
	if (!data || fread(data, 1, *bytes, file) != *bytes)
		exit(1);
	fclose(file);
	return data;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	size_t old_bytes, new_bytes;
	uint8_t *old = read_file(argv[1], &old_bytes);
	uint8_t *new = read_file(argv[2], &new_bytes);
	size_t bytes = (new_bytes + page - 1) & ~(size_t)(page - 1);
	if (old_bytes < bytes) {
		old = realloc(old, bytes);
		memset(old + old_bytes, 0, bytes - old_bytes);
	}
	uint8_t *to = malloc(bytes + bytes / page * 16 + page);
	size_t n = encode(old, new, bytes, to);
	printf("%zu\n", n);
	for (int round = 0; round < atoi(argv[4]); round++) {
		double started = now();
		encode(old, new, bytes, to);
		printf("%.9f ", now() - started);
	}
	printf("\n");
	uint8_t *state = malloc(bytes);
	memcpy(state, old, bytes);
	double started = now();
	apply(state, to, n);
	printf("%.9f\n", now() - started);
	FILE *out = fopen(argv[3], "wb");
	if (!out || fwrite(to, 1, n, out) != n || fclose(out))
		return 1;
	return memcmp(state, new, bytes) ? 3 : 0;
}
