// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sampling program for libbpf that walks user stacks by their call frame information, so that
// programs without frame pointers have whole stacks, with the frames of Python in them. It needs
// BTF and Linux 5.10.
#include "profile_maps.h"
#include "sample.h"
#include "walk_later.h"

// The sample that this CPU is at, from its begin to the end of the walk.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct raw_sample);
} scratch SEC(".maps");

// How many stacks of one program are saved: what a stack waits for comes within seconds, if at all.
// Without a bound, each sample of a process whose stacks end in code that nobody can know would be
// sent, up to 28 KiB, for ever. The value is the time at which its credit will be whole again.
struct program {
	__u32 tgid;
	__u32 exec_id;
};

enum {
	SAVE_CREDIT = 1024, // stacks: those of the first 10 s of a thread at 99 Hz
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

static __always_inline struct raw_sample *current_sample(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

// Sends the first `size` bytes of the sample, so that it is kept.
static __always_inline int send(struct raw_sample *raw, struct counters *counters, __u64 size,
				__u64 wakeup)
{
	if (size > sizeof(*raw) || bpf_ringbuf_output(&ring, raw, size, wakeup))
		return 0;
	counters->of[RAW_SENT]++;
	return 1;
}

// Sends the thread's stack itself, for the collector to walk once it knows what that needs, and wakes
// it: the sooner it knows, the fewer stacks are saved. Half of the ring is left to the walks, which
// are a hundredth of its size.
static __always_inline int send_saved(void *ctx, struct raw_sample *raw, struct counters *counters)
{
	if (ring_is_filled_to(50) || !may_save(raw))
		return 0;
	raw->saved_size = save_walk(ctx, &raw->saved);
	return raw->saved_size &&
	       send(raw, counters, offsetof(struct raw_sample, saved) + raw->saved_size,
		    BPF_RB_FORCE_WAKEUP);
}

// Sends the addresses of the walk, and those of the kernel's stack if it has no id.
static __always_inline int send_walk(void *ctx, struct raw_sample *raw, struct counters *counters,
				     struct unwind *u, int kernel_is_lost)
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
	return send(raw, counters, offsetof(struct raw_sample, words) + words * sizeof(__u64),
		    ring_wakeup());
}

// Counts the sample by its key. The first of a key is sent, with the addresses that the key stands
// for, and leaves a count of 0 for the others; where that finds no room, they are sent as well.
static __always_inline void keep_sample(void *ctx, struct raw_sample *raw, struct unwind *u,
					struct counters *counters)
{
	int kernel = stack_id(ctx, raw->set, 0);
	struct count_key key = {};
	__u64 *count;

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
		if (unwind_can_go_on_later(u) && send_saved(ctx, raw, counters))
			return;
		count = find_count(raw->set, &key);
		if (count) {
			__sync_fetch_and_add(count, 1);
			return;
		}
	}
	if (!send_walk(ctx, raw, counters, u, stack_is_lost(kernel)))
		counters->of[RING_FULL]++;
	else if (!stack_is_lost(kernel))
		insert_count(raw->set, &key, 0);
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
	struct unwind *u;

	if (!counters || !raw)
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
	bpf_get_current_comm(&raw->comm, sizeof(raw->comm));
	python_begin(u);
	if (!u->cause)
		unwind_continue(ctx, u);
	return finish_sample(ctx, raw, u);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
