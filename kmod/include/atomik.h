/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/*
 * The user interface of /dev/atomik: tables of contexts, four operations, a
 * ring.  Every structure starts with its version and has the same layout on 32
 * and 64 bits.  A reserved field that is not zero is refused with EINVAL, so
 * that it can mean something later.
 *
 * One file is attached to at most one table.  A word is 64 bits.  A context is
 * `width` bits: the low bits of ceil(width / 64) words, least significant first.
 */
#ifndef ATOMIK_H
#define ATOMIK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ATOMIK_VERSION		1

#define ATOMIK_WIDTH_MAX	4096
#define ATOMIK_CONTEXTS_MAX	(1u << 24)
#define ATOMIK_NAME_BYTES	32	/* with the terminating zero */
#define ATOMIK_RING_ENTRIES_MAX	4096	/* a power of two, 1 or more */

enum atomik_lane { ATOMIK_LANE_XOR = 0, ATOMIK_LANE_ADD = 1 };

enum atomik_opcode {
	ATOMIK_OP_LOAD	= 1,	/* reference = value, accumulator = 0 */
	ATOMIK_OP_ACCUM	= 2,	/* accumulator = accumulator (.) value */
	ATOMIK_OP_READ	= 3,	/* value = reference (.) accumulator */
	ATOMIK_OP_SWAP	= 4,	/* value = old state; says what follows */
};

/* SWAP must say exactly one of these; the others must say neither. */
#define ATOMIK_SWAP_KEEP	(1u << 0)	/* the state becomes the reference */
#define ATOMIK_SWAP_REPLACE	(1u << 1)	/* the given value does, also zero */
#define ATOMIK_SWAP_MASK	(ATOMIK_SWAP_KEEP | ATOMIK_SWAP_REPLACE)
/* In a ring, for LOAD and ACCUM: no completion if the operation succeeds. */
#define ATOMIK_SQE_SILENT	(1u << 8)

struct atomik_info {
	__u32 version;		/* in: ATOMIK_VERSION */
	__u32 lanes;		/* out: bit set of 1 << enum atomik_lane */
	__u32 width_max;
	__u32 contexts_max;
	__u64 table_bytes_max;	/* the module's parameter */
	__u32 stripes;		/* accumulators a context has (CPUs, 64 at most) */
	__u32 ring_entries_max;
	__u64 tables_live;	/* over all users: 0 after the last close */
	__u64 bytes_live;
};

#define ATOMIK_TABLE_CREATE	(1u << 0)	/* make it */
#define ATOMIK_TABLE_EXCLUSIVE	(1u << 1)	/* with CREATE: refuse an existing name */
#define ATOMIK_TABLE_READONLY	(1u << 2)	/* attach for READ only */

/*
 * Attach this file to a table.  An empty name makes a private one.  A named
 * table belongs to its creator's user and group, has the permission bits of
 * `mode` (r: READ, w: the rest), and lives while somebody is attached.
 * Without CREATE the last four fields are answers.
 */
struct atomik_table_args {
	__u32 version;
	__u32 flags;
	char  name[ATOMIK_NAME_BYTES];
	__u32 mode;
	__u32 lane;
	__u32 width;
	__u32 contexts;
};

/*
 * One operation.  Up to 64 bits the word is in `value`; wider contexts name
 * their words in the caller's memory with `words` (in for LOAD, ACCUM and
 * SWAP_REPLACE, out for READ and SWAP), and `value` is 0.
 */
struct atomik_op {
	__u32 version;
	__u32 opcode;
	__u32 flags;
	__u32 reserved;
	__u64 address;
	__u64 value;
	__u64 words;
};

/*
 * Rings, for contexts of at most 64 bits.  ATOMIK_IOC_RING makes them and says
 * where in a shared mapping of this file (offset 0, `map_bytes` long) they are.
 * The process fills sqes[sq_tail & mask], then stores sq_tail with release;
 * ATOMIK_IOC_ENTER runs them in order and stores sq_head.  Completions stand in
 * cqes[cq_head & mask] up to cq_tail.  The completion ring has twice the
 * entries; the kernel stops early, losing nothing, when it has no room.  The kernel
 * keeps its own sq_head and cq_tail and copies an entry once before it looks at it.
 */
struct atomik_ring_head {
	__u32 sq_head __attribute__((aligned(64)));	/* kernel writes */
	__u32 sq_tail __attribute__((aligned(64)));	/* process writes */
	__u32 cq_head __attribute__((aligned(64)));	/* process writes */
	__u32 cq_tail __attribute__((aligned(64)));	/* kernel writes */
};

struct atomik_sqe {
	__u32 opcode;
	__u32 flags;
	__u64 address;
	__u64 value;
	__u64 user;		/* comes back in the completion */
};

struct atomik_cqe {
	__u64 user;
	__u64 value;		/* READ and SWAP */
	__s32 result;		/* 0 or -errno */
	__u32 reserved;
};

struct atomik_ring {
	__u32 version;
	__u32 entries;		/* in: power of two */
	__u64 map_bytes;	/* out */
	__u32 sqes_offset;	/* out; the head is at 0 */
	__u32 cqes_offset;	/* out */
	__u64 reserved;
};

/* Answers how many entries it consumed, which may be fewer than `count`. */
struct atomik_enter {
	__u32 version;
	__u32 count;
	__u64 reserved;
};

#define ATOMIK_IOC_INFO		_IOWR('A', 0x40, struct atomik_info)
#define ATOMIK_IOC_TABLE	_IOWR('A', 0x41, struct atomik_table_args)
#define ATOMIK_IOC_OP		_IOWR('A', 0x42, struct atomik_op)
#define ATOMIK_IOC_RING		_IOWR('A', 0x43, struct atomik_ring)
#define ATOMIK_IOC_ENTER	_IOW('A', 0x44, struct atomik_enter)

/*
 * poll: POLLIN while completions wait; POLLPRI once anybody has changed the
 * table since this file last polled it; POLLOUT while the completion ring has room.
 */

#endif
