/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is sent through the ring once the stack of a thread was walked by us, for a program with the
 * maps of profile_maps.h.
 */
#ifndef SEND_H
#define SEND_H

#include "scratch.h"
#include "walk_later.h"

/*
 * How many stacks of one program are saved: what a stack waits for comes within seconds, if at all.
 * Without a bound, each sample of a process whose stacks end in code that nobody can know would be
 * sent, up to 28 KiB, for ever. The value is the time at which its credit will be whole again.
 */
struct program {
	__u32 tgid;
	__u32 exec_id;
};

enum {
	SAVE_CREDIT = 1024, /* stacks: those of the first 10 s of a thread at 99 Hz */
	SAVE_PERIOD_NS = 250000000,
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct program);
	__type(value, __u64);
} save_credit SEC(".maps");

static __always_inline int may_save(const struct raw_sample *raw)
{
	struct program program = {raw->tgid, raw->exec_id};
	__u64 now = raw->time_ns, *known = bpf_map_lookup_elem(&save_credit, &program);
	__u64 whole = known && *known > now ? *known : now;

	if (whole - now >= (__u64)SAVE_CREDIT * SAVE_PERIOD_NS)
		return 0;
	whole += SAVE_PERIOD_NS;
	if (known)
		*known = whole;
	else
		bpf_map_update_elem(&save_credit, &program, &whole, BPF_ANY);
	return 1;
}

/* Sends the first `size` bytes of the sample. */
static __always_inline int send(struct raw_sample *raw, __u64 size, __u64 wakeup)
{
	return size <= sizeof(*raw) && !bpf_ringbuf_output(&ring, raw, size, wakeup);
}

/*
 * Sends the thread's stack itself, for the collector to walk once it knows what that needs, and wakes
 * it: the sooner it knows, the fewer stacks are saved. Half of the ring is left to the walks, which
 * are a hundredth of its size.
 */
static __always_inline int send_saved(void *ctx, struct raw_sample *raw)
{
	if (ring_is_filled_to(50) || !may_save(raw))
		return 0;
	raw->saved_size = save_walk(ctx, &raw->saved);
	return raw->saved_size &&
	       send(raw, offsetof(struct raw_sample, saved) + raw->saved_size, BPF_RB_FORCE_WAKEUP);
}

/* Sends the addresses of the walk, and those of the kernel's stack if it has no id. */
static __always_inline int send_walk(void *ctx, struct raw_sample *raw, struct unwind *u,
				     int kernel_is_lost)
{
	__u64 words = u->count;

	if (words > UNWIND_DEPTH)
		return 0;
	bpf_probe_read_kernel(raw->words, words * sizeof(__u64), u->words);
	raw->saved_size = 0;
	raw->user_size = words * sizeof(__u64);
	raw->kernel_at = words;
	raw->kernel_size = 0;
	if (kernel_is_lost) {
		raw->kernel_size = bpf_get_stack(ctx, raw->words + words, STACK_SIZE, 0);
		if (raw->kernel_size > 0 && raw->kernel_size <= STACK_SIZE)
			words += raw->kernel_size / sizeof(__u64);
	}
	return send(raw, offsetof(struct raw_sample, words) + words * sizeof(__u64), ring_wakeup());
}

#endif
