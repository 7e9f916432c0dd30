// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Network: was this send the same as the one before on its socket?
 *
 * A kretprobe on the sendmsg of TCP, UDP and Unix sockets takes the length and a
 * keyed 64-bit SipHash of the payload on the way in, and on the way out, when the
 * whole of it was sent, compares it with the last on that socket.  It only observes: a
 * page of the payload that is not in memory is not faulted in, the send is left out.
 *
 * Why kretprobes: the tracepoint sock:sock_send_length came with 6.3 and has no
 * payload; a probe on the way in alone would call a retry after EAGAIN a repeat.
 *
 * Invariant: a socket is known by its address and inode number together, so a
 * closed socket's last message is not compared with a new socket's first (the
 * numbers wrap after 2^32 sockets, and then the address must also be the same).
 */
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/net.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "atomik_internal.h"

#define SOCKETS_BITS		12
#define FINGERPRINT_BYTES_MAX	65536	/* longer sends are counted, not compared */
#define CHUNK_BYTES		1024

struct last_send {
	raw_spinlock_t lock;
	const struct socket *socket;
	unsigned long inode;
	u64 fingerprint;
	size_t bytes;		/* 0: nothing to compare with */
};

struct send {			/* from a probe's entry to its return */
	const struct socket *socket;
	unsigned long inode;
	u64 fingerprint;
	size_t bytes;
	bool complete;
};

struct chunk { u8 bytes[CHUNK_BYTES]; };

static struct last_send *sockets;
static siphash_key_t key;
static DEFINE_PER_CPU(struct chunk, chunks);

/* Chained by chunk, with the length at the end.  False if some of it cannot be read now. */
static bool fingerprint(const struct msghdr *message, size_t bytes, u64 *result)
{
	struct iov_iter from = message->msg_iter;
	u8 *chunk = this_cpu_ptr(&chunks)->bytes;
	size_t left = bytes;
	u64 hash = 0;

	if (!user_backed_iter(&from) && !iov_iter_is_kvec(&from) && !iov_iter_is_bvec(&from))
		return false;
	while (left) {
		size_t n = min_t(size_t, left, CHUNK_BYTES), got;

		pagefault_disable();
		got = copy_from_iter(chunk, n, &from);
		pagefault_enable();
		if (got != n)
			return false;
		hash = siphash_2u64(hash, siphash(chunk, n, &key), &key);
		left -= n;
	}
	*result = siphash_2u64(hash, bytes, &key);
	return true;
}

/* int (*sendmsg)(struct socket *socket, struct msghdr *message, size_t bytes) */
static int on_send(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct socket *socket = (struct socket *)regs_get_kernel_argument(regs, 0);
	struct msghdr *message = (struct msghdr *)regs_get_kernel_argument(regs, 1);
	struct send *send = (struct send *)instance->data;

	send->bytes = regs_get_kernel_argument(regs, 2);
	if (!send->bytes)
		return 1;
	send->socket = socket;
	send->inode = SOCK_INODE(socket)->i_ino;
	send->complete = send->bytes <= FINGERPRINT_BYTES_MAX &&
			 fingerprint(message, send->bytes, &send->fingerprint);
	return 0;
}

/* Remembers this send, and says whether it equals the one before. */
static bool remember(const struct send *send, bool complete)
{
	struct last_send *last = &sockets[hash_long((unsigned long)send->socket ^ send->inode * GOLDEN_RATIO_64, SOCKETS_BITS)];
	unsigned long flags;
	bool same;

	raw_spin_lock_irqsave(&last->lock, flags);
	same = complete && last->socket == send->socket && last->inode == send->inode &&
	       last->bytes == send->bytes && last->fingerprint == send->fingerprint;
	last->socket = send->socket;
	last->inode = send->inode;
	last->bytes = complete ? send->bytes : 0;
	last->fingerprint = send->fingerprint;
	raw_spin_unlock_irqrestore(&last->lock, flags);
	return same;
}

static int on_sent(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct send *send = (struct send *)instance->data;
	int sent = (int)regs_return_value(regs);
	bool complete = send->complete && sent == send->bytes;
	u32 row;

	if (sent <= 0)
		return 0;
	row = atomik_row_of_current();
	atomik_row_add(row, ROW_SENDS, 1);
	atomik_row_add(row, ROW_SEND_BYTES, sent);
	atomik_row_add(row, ROW_COMPARED, complete);
	if (remember(send, complete)) {
		atomik_row_add(row, ROW_REPEATS, 1);
		atomik_row_add(row, ROW_REPEAT_BYTES, sent);
	}
	return 0;
}

#define SEND_PROBE(symbol) {			\
	.kp.symbol_name = symbol,		\
	.entry_handler = on_send,		\
	.handler = on_sent,			\
	.data_size = sizeof(struct send),	\
	.maxactive = 512,			\
}

/* maxactive bounds the sends that block at once; the rest are counted as missed. */
static struct kretprobe probes[] = {
	SEND_PROBE("inet_sendmsg"),
	SEND_PROBE("inet6_sendmsg"),
	SEND_PROBE("unix_stream_sendmsg"),
	SEND_PROBE("unix_dgram_sendmsg"),
};

static void stop(int registered)
{
	while (registered-- > 0)
		unregister_kretprobe(&probes[registered]);
	atomik_free(sockets, sizeof(*sockets) << SOCKETS_BITS);
	sockets = NULL;
}

int atomik_net_start(void)
{
	int i, error;

	sockets = atomik_alloc(sizeof(*sockets) << SOCKETS_BITS);
	if (!sockets)
		return -ENOMEM;
	get_random_bytes(&key, sizeof(key));
	for (i = 0; i < 1 << SOCKETS_BITS; i++)
		raw_spin_lock_init(&sockets[i].lock);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		probes[i].kp.addr = NULL;
		probes[i].kp.flags = 0;
		error = register_kretprobe(&probes[i]);
		if (error) {
			pr_err("atomik: no probe on %s: %d\n", probes[i].kp.symbol_name, error);
			stop(i);
			return error;
		}
	}
	return 0;
}

void atomik_net_stop(void)
{
	stop(ARRAY_SIZE(probes));
}

u64 atomik_net_missed(void)
{
	u64 missed = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		missed += probes[i].nmissed;
	return missed;
}
