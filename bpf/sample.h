/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sampling itself, once for every loader. It reads no kernel structure, only helpers' answers,
 * so there is nothing to relocate and one object serves every kernel.
 *
 * The including file says how its loader reaches the maps (`set` is 0 or 1):
 *
 *   __u32 active_set(void);
 *   struct counters *counters_of(__u32 set);
 *   int stack_id(void *ctx, __u32 set, __u64 flags);
 *   struct count *find_count(__u32 set, struct count_key *key);
 *   long insert_count(__u32 set, struct count_key *key, struct count *count);   unless it is there
 *   int has_ring(void);
 *   struct raw_sample *reserve_raw(void);                     RAW_WALKED_SIZE bytes
 *   void submit_raw(struct raw_sample *raw);
 *   __u64 *hits_of_cpu(void);
 *   int is_target(__u32 tgid);
 *   __u64 events_since(void *ctx);                            the last sample
 *   settings                                                  struct settings
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "count.h"

/* Whether a hit of the event is a sample: of what is wanted, and a period after the last one. */
static __always_inline int is_sample(__u32 tgid)
{
	__u64 *hits;

	if (settings.targeted && !is_target(tgid))
		return 0;
	if (settings.period <= 1)
		return 1;
	hits = hits_of_cpu();
	return hits && ++*hits % settings.period == 0;
}

static __always_inline __u64 sample_value(void *ctx)
{
	return settings.weighs ? events_since(ctx) : 0;
}

/* Sends the sample itself, so that it is kept. `cause` counts it where there is no ring. */
static __always_inline void send_raw(void *ctx, __u32 set, struct count_key *key, __u64 value,
				     struct counters *counters, enum counter cause)
{
	struct raw_sample *raw;

	if (!has_ring()) {
		counters->of[cause]++;
		return;
	}
	raw = reserve_raw();
	if (!raw) {
		counters->of[RING_FULL]++;
		return;
	}
	raw->set = set;
	raw->tgid = key->tgid;
	__builtin_memcpy(raw->comm, key->comm, COMM_LEN);
	raw->user_stack = 0;
	raw->time_ns = 0;
	raw->value = value;
	raw->exec_id = 0;
	raw->kernel_stack = NO_STACK;
	raw->cause = 0;
	raw->saved_size = 0;
	raw->kernel_at = MAX_DEPTH;
	raw->user_size = bpf_get_stack(ctx, raw->words, STACK_SIZE, BPF_F_USER_STACK);
	raw->kernel_size = bpf_get_stack(ctx, raw->words + MAX_DEPTH, STACK_SIZE, 0);
	submit_raw(raw);
	counters->of[RAW_SENT]++;
}

/*
 * The kernel runs no tracing program within another on the same CPU, so plain additions to the
 * CPU's own counters are exact; counts are shared between CPUs and need the atomic one.
 */
static __always_inline void take_sample(void *ctx)
{
	__u64 begun_ns = bpf_ktime_get_ns();
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 set = active_set();
	struct counters *counters = counters_of(set);
	__u64 value = sample_value(ctx);
	struct count_key key = {};
	int user, kernel;

	if (!counters || !is_sample(pid_tgid >> 32))
		return;
	if ((__u32)pid_tgid == 0) {
		counters->of[IDLE]++;
		return;
	}
	counters->of[TAKEN]++;

	key.tgid = pid_tgid >> 32;
	bpf_get_current_comm(&key.comm, sizeof(key.comm));
	user = stack_id(ctx, set, BPF_F_USER_STACK);
	kernel = stack_id(ctx, set, 0);
	key.user_stack = user < 0 ? NO_STACK : (__s64)user;
	key.kernel_stack = kernel < 0 ? NO_STACK : kernel;
	if (stack_is_lost(user) || stack_is_lost(kernel))
		send_raw(ctx, set, &key, value, counters, STACK_COLLISION);
	else if (!add_to_count(set, &key, value))
		send_raw(ctx, set, &key, value, counters, COUNTS_FULL);
	counters->of[SPENT_NS] += bpf_ktime_get_ns() - begun_ns;
}

#endif
