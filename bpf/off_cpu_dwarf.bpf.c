// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Off-CPU time by stacks that are walked by their call frame information: see off_cpu.h.
#include "off_cpu.h"

#define CONTEXT_HAS_REGISTERS 0
#include "send.h"

// Of the stack that was walked, and of the kernel's, which is put behind it into raw->words.
static __always_inline __u64 hash_of_stack(void *ctx, struct raw_sample *raw, const struct unwind *u)
{
	__u64 hash = (u->count ? u->hash : 0) ^ (__u64)u->cause << 56 ^
		     raw->exec_id * 0x9e3779b97f4a7c15; // as in profile_dwarf.bpf.c
	__u32 at = u->count;

	if (at > UNWIND_DEPTH)
		return hash;
	raw->kernel_at = at;
	raw->kernel_size = bpf_get_stack(ctx, raw->words + at, STACK_SIZE, OWN_FRAMES);
	return hash_words(raw->words + at, raw->kernel_size, hash);
}

static __always_inline int send_stack(struct raw_sample *raw, const struct unwind *u)
{
	__u64 words = u->count;

	if (words > UNWIND_DEPTH)
		return 0;
	bpf_probe_read_kernel(raw->words, words * sizeof(__u64), u->words);
	raw->user_size = words * sizeof(__u64);
	if (raw->kernel_size > 0 && raw->kernel_size <= STACK_SIZE)
		words += raw->kernel_size / sizeof(__u64);
	return send(raw, offsetof(struct raw_sample, words) + words * sizeof(__u64), ring_wakeup());
}

// Sends the stack itself, which nothing else has: its hash is of the thread and of the time.
static __always_inline int save_sleep(void *ctx, struct raw_sample *raw)
{
	int kernel = stack_id(ctx, raw->set, OWN_FRAMES);

	if (stack_is_lost(kernel))
		return 0;
	raw->kernel_stack = kernel < 0 ? NO_STACK : kernel;
	raw->user_stack = (bpf_get_current_pid_tgid() ^ raw->time_ns) * 0x9e3779b97f4a7c15;
	return send_saved(ctx, raw);
}

static __always_inline int finish(void *ctx, struct raw_sample *raw, struct unwind *u)
{
	int has_stack = 1;

	raw->cause = u->cause;
	if (!unwind_can_go_on_later(u) || !save_sleep(ctx, raw)) {
		raw->saved_size = 0;
		raw->kernel_stack = NO_STACK;
		raw->user_stack = hash_of_stack(ctx, raw, u);
		if (!is_known(raw)) {
			has_stack = make_known(raw);
			if (has_stack && !send_stack(raw, u)) {
				has_stack = 0;
				make_unknown(raw);
			}
		}
	}
	off_cpu_end(raw, has_stack ? NO_STACK : NO_ROOM);
	return 0;
}

SEC("tp_btf/sched_switch")
int unwind_next(void *ctx)
{
	struct raw_sample *raw = current_sample();
	struct unwind *u = unwind_current(NOW);

	if (!raw || !u) // never: an array has its only element
		return 0;
	if (!walk_frames(u, NOW))
		unwind_continue(ctx, u);
	return finish(ctx, raw, u);
}

SEC("tp_btf/sched_switch")
int off_cpu(__u64 *ctx)
{
	struct raw_sample *raw = off_cpu_begin(ctx);
	struct unwind *u;

	if (!raw)
		return 0;
	raw->exec_id = unwind_exec_id();
	u = unwind_begin(ctx);
	if (!u)
		return 0;
	python_begin(u);
	if (!u->cause)
		unwind_continue(ctx, u);
	return finish(ctx, raw, u);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
