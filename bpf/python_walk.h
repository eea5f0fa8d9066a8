/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Python's frames, woven into the native stack:
 *
 *   start:         u = unwind_begin(ctx);
 *                  python_begin(u);            the frames are collected
 *                  bpf_tail_call(ctx, &unwind_programs, 0);
 *
 *   unwind_next:   if (u && !python_frames(u))     in place of unwind_frames(u)
 *                          unwind_continue(ctx, u);
 *
 * Each run of the interpreter's loop keeps something on the native stack that its frames lead to.
 * The native walk finds the run between the stack pointers of a frame and of its caller, and puts
 * the frames of the run behind that frame. So neither the loop's address nor its prologue, clones
 * and cold parts need to be known, but for 3.8 and 3.9.
 */
#ifndef PYTHON_WALK_H
#define PYTHON_WALK_H

#include "python_collect.h"

static __always_inline __u64 stack_pointer(const struct unwind *u)
{
	return u->thread.registers[REG_SP];
}

static __always_inline void push_word(struct unwind *u, __u64 word)
{
	u->ips[u->count & (UNWIND_DEPTH - 1)] = word;
	u->count++;
	u->hash = (u->hash ^ word) * 0x9e3779b97f4a7c15;
	u->hash ^= u->hash >> 32;
}

static __always_inline int push_words(struct unwind *u, __u64 first, __u64 second)
{
	if (u->count > UNWIND_DEPTH - 2)
		return 0;
	push_word(u, first);
	push_word(u, second);
	return 1;
}

/*
 * Puts the next frame on the stack; goes on with it up to the end of its run. Not inlined, as
 * python_collect_frame().
 */
__noinline int python_put_frame(void)
{
	struct python *p = python_current();
	struct unwind *u = unwind_current();
	const struct python_frame *frame;

	if (!p || !u)
		return 0;
	frame = &p->frames[p->next & (PYTHON_FRAMES - 1)];
	if (!push_words(u, PYTHON_TAG | frame->code, frame->place)) {
		u->cause = UNWIND_TOO_DEEP;
		p->next = p->count;
		p->putting = 0;
		return 0;
	}
	p->next++;
	p->putting = p->next < p->count && !p->frames[p->next & (PYTHON_FRAMES - 1)].run;
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
	__u64 size = stack_pointer(u) - sp;

	if (p->torn) { /* only the innermost frame can be filling its CFrame */
		if (p->torn - sp >= size)
			p->cause = PYTHON_TORN;
		p->torn = 0;
	}
	if (p->process.layout.runs != RUNS_BY_CODE)
		p->putting = p->next < p->count &&
			     p->frames[(p->next + p->shift) & (PYTHON_FRAMES - 1)].run - sp < size;
	else if (in_loop(p, pc) && p->next < p->count)
		p->putting = 1;
	else if (in_loop(p, pc) && p->cause == PYTHON_COMPLETE)
		push_words(u, PYTHON_TAG | (__u64)PYTHON_NO_FRAME << PYTHON_KIND_SHIFT, 0);
}

/* Puts one native frame on the stack. */
__noinline int python_leave_frame(void)
{
	struct python *p = python_current();
	struct unwind *u = unwind_current();
	__u64 pc, sp;

	if (!p || !u)
		return 0;
	pc = unwind_ip(&u->thread) - !u->thread.exact;
	sp = stack_pointer(u);
	u->cause = unwind_frame(u);
	/* exact: it was the frame of a signal, perhaps on another stack */
	if (!u->cause && !u->thread.exact && p->count)
		find_run(u, p, pc, sp);
	return 0;
}

/* The native walk has ended, with frames left: they follow without what called them. */
static __always_inline void put_rest(struct unwind *u, struct python *p)
{
	if (u->cause == UNWIND_COMPLETE && p->cause == PYTHON_COMPLETE)
		p->cause = PYTHON_UNPLACED;
	p->putting = 1;
}

/* Counts how the walk over the frames ended, and says on the stack if it is cut. */
static __always_inline void python_end(struct unwind *u, const struct python *p)
{
	__u32 cause = p->cause;
	__u64 *count = bpf_map_lookup_elem(&python_causes, &cause);

	if (count)
		(*count)++;
	if (cause > PYTHON_NO_THREAD)
		push_words(u, PYTHON_TAG | (__u64)PYTHON_CUT << PYTHON_KIND_SHIFT, cause);
}

/* As unwind_frames(), with Python's frames in between. 1: the stack has ended. */
static __always_inline int python_frames(struct unwind *u)
{
	struct python *p = python_current();

	if (!p) /* never: an array has its only element */
		return 1;
	for (int i = 0; i < UNWIND_FRAMES; i++) {
		if (p->putting) {
			python_put_frame();
		} else if (!u->cause) {
			python_leave_frame();
		} else if (p->next < p->count) {
			put_rest(u, p);
		} else {
			python_end(u, p);
			return 1;
		}
	}
	return 0;
}

#endif
