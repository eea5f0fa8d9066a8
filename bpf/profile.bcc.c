// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sampling program for bcc, which compiles it on the node. The loader defines STACKS, COUNTS,
// DEPTH, RING_BYTES (0: the kernel has no ring buffers) and PERIOD.
#define BPF_LICENSE Dual BSD/GPL
#include "profile.h"

struct stack {
	__u64 address[DEPTH];
};

BPF_TABLE("stacktrace", __u32, struct stack, stacks_0, STACKS);
BPF_TABLE("stacktrace", __u32, struct stack, stacks_1, STACKS);
BPF_TABLE("hash", struct count_key, struct count, counts_0, COUNTS);
BPF_TABLE("hash", struct count_key, struct count, counts_1, COUNTS);
BPF_TABLE("percpu_array", __u32, struct counters, counters, SETS);
BPF_TABLE("array", __u32, __u32, active, 2);
BPF_TABLE("percpu_array", __u32, __u64, hits, 1);

static const struct settings settings = {.use_ring = RING_BYTES > 0, .period = PERIOD};

static __always_inline __u32 active_set(void)
{
	__u32 zero = 0, *set = active.lookup(&zero);

	return set ? *set & 1 : 0;
}

static __always_inline struct counters *counters_of(__u32 set)
{
	return counters.lookup(&set);
}

static __always_inline int stack_id(void *ctx, __u32 set, __u64 flags)
{
	if (set)
		return stacks_1.get_stackid(ctx, flags);
	return stacks_0.get_stackid(ctx, flags);
}

static __always_inline struct count *find_count(__u32 set, struct count_key *key)
{
	if (set)
		return counts_1.lookup(key);
	return counts_0.lookup(key);
}

static __always_inline long insert_count(__u32 set, struct count_key *key, struct count *count)
{
	if (set)
		return counts_1.insert(key, count);
	return counts_0.insert(key, count);
}

#if RING_BYTES
BPF_RINGBUF_OUTPUT(ring, RING_BYTES / PAGE_SIZE);

static __always_inline int has_ring(void)
{
	return 1;
}

static __always_inline struct raw_sample *reserve_raw(void)
{
	return ring.ringbuf_reserve(RAW_WALKED_SIZE);
}

static __always_inline void submit_raw(struct raw_sample *raw)
{
	ring.ringbuf_submit(raw, 0);
}
#else
static __always_inline int has_ring(void)
{
	return 0;
}

static __always_inline struct raw_sample *reserve_raw(void)
{
	return 0;
}

static __always_inline void submit_raw(struct raw_sample *raw)
{
}
#endif

static __always_inline __u64 *hits_of_cpu(void)
{
	__u32 zero = 0;

	return hits.lookup(&zero);
}

/* Never called: the loader leaves such programs to libbpf. */
static __always_inline int is_target(__u32 tgid)
{
	return 1;
}

static __always_inline __u64 events_since(void *ctx)
{
	return 0;
}

#include "sample.h"

int sample(void *ctx)
{
	take_sample(ctx);
	return 0;
}
