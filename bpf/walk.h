/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk from the innermost user frame to the thread's root, Python's frames woven into the
 * native ones, for one BPF program to include:
 *
 *   SEC("perf_event") int start(void *ctx)
 *   {
 *           struct unwind *u = unwind_begin(ctx);
 *           python_begin(u);
 *           bpf_tail_call(ctx, &unwind_programs, 0);
 *           ...
 *   }
 *
 *   SEC("perf_event") int unwind_next(void *ctx)
 *   {
 *           struct unwind *u = unwind_current(NOW);
 *
 *           if (u && !walk_frames(u, NOW))
 *                   unwind_continue(ctx, u);
 *           ... u->words, u->count, u->cause
 *   }
 *
 * Each run of Python's loop keeps something on the native stack that its frames lead to. The native
 * walk finds the run between the stack pointers of a frame and of its caller, and puts the frames
 * of the run behind that frame. So neither the loop's address nor its prologue, clones and cold
 * parts need to be known, but for 3.8 and 3.9.
 *
 * The steps are functions of their own, so that the verifier sees each once and not for every
 * frame: of a stack of 1,024 words it would else see 32 a program.
 */
#ifndef WALK_H
#define WALK_H

#include "python_collect.h"

enum { NOW, LATER }; /* which walk: of the sampled thread, or of a saved stack */

static __always_inline int push_words(struct unwind *u, __u64 first, __u64 second)
{
	if (u->count > UNWIND_DEPTH - 2)
		return 0;
	push_word(u, first);
	push_word(u, second);
	return 1;
}

/* Puts the next Python frame on the stack; goes on with it up to the end of its run. */
__noinline int walk_python_frame(int later)
{
	struct python *p = python_current(later);
	struct unwind *u = unwind_current(later);
	const struct python_frame *frame;
	struct python_chain *chain;

	if (!p || !u)
		return 0;
	chain = &p->chain;
	frame = &p->frames[chain->next & (PYTHON_FRAMES - 1)];
	if (!push_words(u, PYTHON_TAG | frame->code, frame->place)) {
		u->cause = UNWIND_TOO_DEEP;
		chain->next = chain->count;
		p->putting = 0;
		return 0;
	}
	chain->next++;
	p->putting = chain->next < chain->count &&
		     !p->frames[chain->next & (PYTHON_FRAMES - 1)].run;
	return 0;
}

static __always_inline int in_loop(const struct python *p, __u64 pc)
{
	for (int i = 0; i < PYTHON_EVAL_RANGES; i++)
		if (pc >= p->process.eval[i].start && pc < p->process.eval[i].end)
			return 1;
	return 0;
}

/*
 * The walk has left the native frame that was at `pc` and whose stack begins at `sp`. If it is the
 * next run of the loop, the frames of the run are put from now on.
 */
static __always_inline void find_run(struct unwind *u, struct python *p, __u64 pc, __u64 sp)
{
	struct python_chain *chain = &p->chain;
	__u64 size = unwind_sp(&u->thread) - sp;

	if (chain->torn) { /* only the innermost frame can be filling its CFrame */
		if (chain->torn - sp >= size)
			chain->cause = PYTHON_TORN;
		chain->torn = 0;
	}
	if (p->process.layout.runs != RUNS_BY_CODE)
		p->putting =
			chain->next < chain->count &&
			p->frames[(chain->next + chain->shift) & (PYTHON_FRAMES - 1)].run - sp < size;
	else if (in_loop(p, pc) && chain->next < chain->count)
		p->putting = 1;
	else if (in_loop(p, pc) && chain->cause == PYTHON_COMPLETE)
		push_words(u, PYTHON_TAG | (__u64)PYTHON_NO_FRAME << PYTHON_KIND_SHIFT, 0);
}

/* Puts one native frame on the stack. */
__noinline int walk_native_frame(int later)
{
	struct python *p = python_current(later);
	struct unwind *u = unwind_current(later);
	__u64 pc, sp;

	if (!p || !u)
		return 0;
	pc = unwind_ip(&u->thread) - !u->thread.exact;
	sp = unwind_sp(&u->thread);
	u->cause = unwind_frame(u);
	/* exact: it was the frame of a signal, perhaps on another stack */
	if (!u->cause && !u->thread.exact && p->chain.count)
		find_run(u, p, pc, sp);
	return 0;
}

/* The native walk has ended, with frames left: they follow without what called them. */
static __always_inline void put_rest(struct unwind *u, struct python *p)
{
	if (u->cause == UNWIND_COMPLETE && p->chain.cause == PYTHON_COMPLETE)
		p->chain.cause = PYTHON_UNPLACED;
	p->putting = 1;
}

/* Counts how the walk over the frames ended, and says on the stack if it is cut. */
static __always_inline void end_python(struct unwind *u, const struct python *p)
{
	__u32 cause = p->chain.cause;
	__u64 *count = bpf_map_lookup_elem(&python_causes, &cause);

	if (count)
		(*count)++;
	if (cause > PYTHON_NO_THREAD)
		push_words(u, PYTHON_TAG | (__u64)PYTHON_CUT << PYTHON_KIND_SHIFT, cause);
}

/* Up to UNWIND_FRAMES frames. 1: the stack has ended, and u->cause says why. */
static __always_inline int walk_frames(struct unwind *u, int later)
{
	struct python *p = python_current(later);

	if (!p) /* never: an array has its only element */
		return 1;
	for (int i = 0; i < UNWIND_FRAMES; i++) {
		if (p->putting) {
			walk_python_frame(later);
		} else if (!u->cause) {
			walk_native_frame(later);
		} else if (p->chain.next < p->chain.count) {
			put_rest(u, p);
		} else {
			end_python(u, p);
			return 1;
		}
	}
	return 0;
}

#endif
