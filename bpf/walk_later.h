/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A stack that ends for want of something is saved, and walked by the same code at the collector's
 * call, in its memory:
 *
 *   save_walk(ctx, u, saved)   keeps what the walk needs; the bytes of `saved` that are used
 *
 * The collector fills in `thread` and `tgid` of unwind_later, `chain` and `frames` of python_later,
 * and runs the program unwind_later_start (BPF_PROG_TEST_RUN of a raw tracepoint, 5.10); the result
 * is in unwind_later. One thread may do so at a time.
 */
#ifndef WALK_LATER_H
#define WALK_LATER_H

#include "walk.h"

/* Keeps the frames of Python behind the stack; their bytes. */
static __always_inline __u64 save_python(struct unwind_saved *saved)
{
	struct python_chain *chain = &saved->python;
	struct python *p = python_current(NOW);
	__u64 size, at = saved->size;

	if (!p || at > UNWIND_SAVED_BYTES)
		return 0;
	*chain = p->collected;
	if (chain->count > PYTHON_SAVED_FRAMES) {
		chain->count = PYTHON_SAVED_FRAMES;
		chain->cause = PYTHON_TOO_DEEP;
	}
	size = chain->count * sizeof(struct python_frame);
	if (size > PYTHON_SAVED_FRAMES * sizeof(struct python_frame) ||
	    bpf_probe_read_kernel(saved->stack + at, size, p->frames))
		return 0;
	return size;
}

static __always_inline __u64 save_walk(void *ctx, struct unwind_saved *saved)
{
	__u64 size;

	if (!save_stack(ctx, saved))
		return 0;
	size = save_python(saved);
	return offsetof(struct unwind_saved, stack) + saved->size + size;
}

int unwind_later_next(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} unwind_later_programs SEC(".maps") = {.values = {[0] = (void *)&unwind_later_next}};

SEC("raw_tp")
int unwind_later_next(void *ctx)
{
	struct unwind *u = unwind_current(LATER);

	if (!u || walk_frames(u, LATER))
		return 0;
	bpf_tail_call(ctx, &unwind_later_programs, 0);
	u->cause = UNWIND_TOO_DEEP;
	return 0;
}

/* The frames that were collected are of use only with the layout that they were collected by. */
static __always_inline void resume_python(struct python *p, __u32 tgid)
{
	struct python_process *process = bpf_map_lookup_elem(&python_processes, &tgid);

	p->tgid = tgid;
	p->putting = 0;
	if (!process)
		p->chain = (struct python_chain){};
	else if (!p->chain.cause)
		p->chain.cause = PYTHON_TOO_EARLY;
	if (process)
		p->process = *process;
}

SEC("raw_tp")
int unwind_later_start(void *ctx)
{
	struct unwind *u = unwind_current(LATER);
	struct python *p = python_current(LATER);

	if (!u || !p)
		return 0;
	start_walk(u, bpf_map_lookup_elem(&unwind_processes, &u->tgid));
	resume_python(p, u->tgid);
	bpf_tail_call(ctx, &unwind_later_programs, 0);
	return 0;
}

#endif
