// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sampling program for libbpf that walks user stacks by their call frame information, so that
// programs without frame pointers have whole stacks, with the frames of Python in them. It needs
// BTF and Linux 5.10. The loader makes it one of tracepoints or of probes, where it shall be called by
// them.
#include "stack_maps.h"
#include "targets.h"
#include "perf_context.h"
#include "sample.h"

#define CONTEXT_HAS_REGISTERS (settings.context == CONTEXT_REGISTERS)
#include "send.h"

// Counts the sample by its key. The first of a key is sent, with the addresses that the key stands
// for, and leaves a count of 0 for the others; where that finds no room, they are sent as well.
static __always_inline void keep_sample(void *ctx, struct raw_sample *raw, struct unwind *u,
					struct counters *counters)
{
	int kernel = stack_id(ctx, raw->set, 0);
	struct count first = {}, *count;
	struct count_key key = {};

	raw->cause = u->cause;
	// With the cause: the same addresses may have ended for want of a table, then for good. And with
	// the program: the same addresses are other functions in another.
	raw->user_stack = (u->count ? u->hash : 0) ^ (__u64)u->cause << 56 ^
			  raw->exec_id * 0x9e3779b97f4a7c15; // 2^64 / golden ratio
	raw->kernel_stack = kernel < 0 ? NO_STACK : kernel;
	key.tgid = raw->tgid;
	key.kernel_stack = raw->kernel_stack;
	key.user_stack = raw->user_stack;
	__builtin_memcpy(key.comm, raw->comm, COMM_LEN);
	if (!stack_is_lost(kernel)) {
		if (unwind_can_go_on_later(u) && send_saved(ctx, raw)) {
			counters->of[RAW_SENT]++;
			return;
		}
		count = find_count(raw->set, &key);
		if (count) {
			__sync_fetch_and_add(&count->samples, 1);
			__sync_fetch_and_add(&count->value, raw->value);
			return;
		}
	}
	if (!send_walk(ctx, raw, u, stack_is_lost(kernel))) {
		counters->of[RING_FULL]++;
		return;
	}
	counters->of[RAW_SENT]++;
	if (!stack_is_lost(kernel))
		insert_count(raw->set, &key, &first);
}

static __always_inline int finish_sample(void *ctx, struct raw_sample *raw, struct unwind *u)
{
	struct counters *counters = counters_of(raw->set);

	if (!counters)
		return 0;
	keep_sample(ctx, raw, u, counters);
	counters->of[SPENT_NS] += bpf_ktime_get_ns() - raw->time_ns;
	return 0;
}

SEC("perf_event")
int unwind_next(void *ctx)
{
	struct raw_sample *raw = current_sample();
	struct unwind *u = unwind_current(NOW);

	if (!raw || !u) // never: an array has its only element
		return 0;
	if (!walk_frames(u, NOW))
		unwind_continue(ctx, u);
	return finish_sample(ctx, raw, u);
}

SEC("perf_event")
int sample(void *ctx)
{
	__u64 begun_ns = bpf_ktime_get_ns(), pid_tgid = bpf_get_current_pid_tgid();
	struct raw_sample *raw = current_sample();
	__u32 set = active_set();
	struct counters *counters = counters_of(set);
	__u64 value = sample_value(ctx);
	struct unwind *u;

	if (!counters || !raw || !is_sample(pid_tgid >> 32))
		return 0;
	if ((__u32)pid_tgid == 0) {
		counters->of[IDLE]++;
		return 0;
	}
	u = unwind_begin(ctx);
	if (!u)
		return 0;
	counters->of[TAKEN]++;
	raw->set = set;
	raw->tgid = pid_tgid >> 32;
	raw->exec_id = unwind_exec_id();
	raw->time_ns = begun_ns;
	raw->value = value;
	bpf_get_current_comm(&raw->comm, sizeof(raw->comm));
	python_begin(u);
	if (!u->cause)
		unwind_continue(ctx, u);
	return finish_sample(ctx, raw, u);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
