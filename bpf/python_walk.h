/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk over CPython's frames, woven into the native one:
 *
 *   start:  u = unwind_begin(ctx);
 *           python_begin(u);           the frames are collected
 *           bpf_tail_call(ctx, &unwind_programs, 0);
 *
 *   walk:   if (u && !python_frames(u))    in place of unwind_frames(u)
 *                   unwind_continue(ctx, u);
 *
 * The frames are collected first, from the innermost to the thread's first. Each run of the
 * interpreter's loop keeps something on the native stack that its frames lead to (see enum
 * python_runs); the native walk finds the run between the stack pointers of a frame and of its
 * caller, and puts the frames of the run behind that frame. So neither the loop's address nor its
 * prologue, clones and cold parts need to be known, but for 3.8 and 3.9.
 */
#ifndef PYTHON_WALK_H
#define PYTHON_WALK_H

#include "python.h"
#include "unwind_walk.h"

/* One frame; `run` is where its run of the loop shows on the stack, in the first of each run. */
struct python_frame {
	__u64 code;
	__u64 place; /* the second word, see python.h */
	__u64 run;
};

struct python {
	struct python_process process;
	__u32 cause; /* enum python_cause */
	__u32 count; /* of `frames` */
	__u32 next;  /* the first that is not on the stack yet */
	__s32 shift; /* frame i belongs to run i + shift: the loop was about to link or unlink one */
	__u32 copying;
	__u64 run; /* the CFrame of the run being collected */
	__u32 first; /* its first frame */
	__u64 torn; /* the CFrame that was left out for it was not filled yet */
	__u8 frame[PYTHON_FRAME_SIZE];
	__u8 code[PYTHON_CODE_SIZE];
	struct python_frame frames[PYTHON_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct python_process);
} python_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python);
} python_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PYTHON_CAUSES);
	__type(key, __u32);
	__type(value, __u64);
} python_causes SEC(".maps");

/* 16,384 code objects: those of some 30 programs that are busy at once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct python_code);
	__type(value, __u8);
} python_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} python_codes SEC(".maps");

/* What differs between machines: the thread's base, which pthread_self() returns, and sp. */
struct thread_struct___python {
	unsigned long fsbase;
} __attribute__((preserve_access_index));

struct task_struct___python {
	struct thread_struct___python thread;
} __attribute__((preserve_access_index));

static __always_inline __u64 thread_base(void)
{
	struct task_struct___python *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread.fsbase);
}

static __always_inline __u64 stack_pointer(const struct unwind *u)
{
	return u->thread.registers[REG_SP];
}

/* ------------------------------------------------------------------------------------------ */

static __always_inline __u64 read_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

static __always_inline __u64 frame_word(const struct python *p, __u32 offset)
{
	return *(const __u64 *)&p->frame[offset & (PYTHON_FRAME_SIZE - 8)];
}

static __always_inline __u64 code_word(const struct python *p, __u32 offset)
{
	return *(const __u64 *)&p->code[offset & (PYTHON_CODE_SIZE - 8)];
}

/* Differs, as good as always, for another code object at the same address. */
static __always_inline __u32 code_checksum(const struct python *p)
{
	const struct python_layout *layout = &p->process.layout;
	__u64 sum = *(const __u32 *)&p->code[layout->code_line & (PYTHON_CODE_SIZE - 4)];

	sum = (sum ^ code_word(p, layout->code_file)) * 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
	sum = (sum ^ sum >> 32 ^ code_word(p, layout->code_name)) * 0x9e3779b97f4a7c15;
	sum = (sum ^ sum >> 32 ^ code_word(p, layout->code_lines)) * 0x9e3779b97f4a7c15;
	return sum >> 32;
}

/* Tells the collector of a code object while its process is there to be asked for the names. */
static __always_inline void announce(__u32 tgid, __u64 address, __u32 checksum)
{
	struct python_code code = {.address = address, .tgid = tgid, .checksum = checksum};
	__u8 seen = 1;

	if (!bpf_map_lookup_elem(&python_seen, &code) &&
	    !bpf_ringbuf_output(&python_codes, &code, sizeof(code), 0))
		bpf_map_update_elem(&python_seen, &code, &seen, BPF_ANY);
}

/* Where the frame is in its code: an index up to 3.10, from 3.11 on a pointer. */
static __always_inline __u32 place_in_code(const struct python *p, __u64 code)
{
	const struct python_layout *layout = &p->process.layout;

	if (layout->code_instructions)
		return frame_word(p, layout->frame_place) - code - layout->code_instructions;
	return frame_word(p, layout->frame_place);
}

/* Adds the frame that was read to `frames`. */
static __always_inline enum python_cause add_frame(struct python *p, __u32 tgid)
{
	const struct python_layout *layout = &p->process.layout;
	/* From 3.14 on the lowest bits say how the reference is counted. */
	__u64 code = frame_word(p, layout->frame_code) & ~7ULL;
	struct python_frame *frame;
	__u32 checksum, size = layout->code_size;

	if (size > PYTHON_CODE_SIZE || bpf_probe_read_user(p->code, size, (void *)code))
		return PYTHON_READ_FAULT;
	if (code_word(p, layout->code_type) != p->process.code_type)
		return PYTHON_NOT_CODE;
	/* From 3.13 on, a frame of CPython's own stands below every __init__. */
	if (code_word(p, layout->code_file) == code_word(p, layout->code_name))
		return PYTHON_GOING_ON;
	checksum = code_checksum(p);
	announce(tgid, code, checksum);
	frame = &p->frames[p->count & (PYTHON_FRAMES - 1)];
	frame->code = code;
	frame->place = (__u64)checksum << 32 | place_in_code(p, code);
	frame->run = 0;
	p->count++;
	return PYTHON_GOING_ON;
}

/* The frames since `first` belong to the run that shows at `run`. */
static __always_inline void end_run(struct python *p, __u64 run)
{
	if (p->first < p->count)
		p->frames[p->first & (PYTHON_FRAMES - 1)].run = run;
	p->first = p->count;
}

/* Collects one frame; *next becomes the frame before it. */
static __always_inline enum python_cause collect_frame(struct python *p, __u32 tgid, __u64 *next)
{
	const struct python_layout *layout = &p->process.layout;
	__u32 size = layout->frame_size, runs = layout->runs;
	enum python_cause cause;
	__u64 frame = *next;
	__u8 owner;

	if (size > PYTHON_FRAME_SIZE || bpf_probe_read_user(p->frame, size, (void *)frame))
		return PYTHON_READ_FAULT;
	*next = frame_word(p, layout->frame_previous);
	owner = p->frame[layout->frame_owner & (PYTHON_FRAME_SIZE - 1)];
	if (runs == RUNS_BY_FRAME && owner >= OWNER_STACK) {
		end_run(p, frame);
		return PYTHON_GOING_ON;
	}
	cause = add_frame(p, tgid);
	if (cause || runs == RUNS_BY_FRAME || (runs == RUNS_BY_FLAG && !owner))
		return cause;
	end_run(p, p->run);
	if (runs != RUNS_BY_CODE)
		p->run = read_word(p->run + layout->cframe_previous);
	return PYTHON_GOING_ON;
}

/*
 * A thread that is about to begin or to leave a run has linked only one of CFrame and frame: there
 * is a CFrame too many or too few before the one that PyThreadState itself ends with.
 */
static __always_inline void match_cframes(struct python *p, __u64 thread)
{
	__u32 last = (p->count - 1) & (PYTHON_FRAMES - 1);

	if (p->frames[last].run - thread < THREAD_STATE_SIZE) {
		p->shift = -1;
		p->next = 1;
	} else if (p->run - thread >= THREAD_STATE_SIZE) {
		p->shift = 1;
		p->frames[p->count & (PYTHON_FRAMES - 1)].run = p->run;
	}
}

/* Finds where the run shows whose outer frames are too many to be kept. */
static __always_inline void find_run(struct python *p, __u64 frame)
{
	const struct python_layout *layout = &p->process.layout;
	__u32 size = layout->frame_size;

	if (layout->runs != RUNS_BY_FRAME) {
		end_run(p, p->run);
		return;
	}
	for (int i = 0; i < PYTHON_MORE_FRAMES; i++) {
		if (size > PYTHON_FRAME_SIZE ||
		    bpf_probe_read_user(p->frame, size, (void *)frame))
			return;
		if (p->frame[layout->frame_owner & (PYTHON_FRAME_SIZE - 1)] >= OWNER_STACK) {
			end_run(p, frame);
			return;
		}
		frame = frame_word(p, layout->frame_previous);
	}
}

/*
 * 3.11 and 3.12 link a new CFrame some instructions before they fill it. What stands in it then is
 * what happened to lie on the stack, at best the CFrame before it; 0 where that is lost too.
 */
static __always_inline __u64 leave_torn(struct python *p)
{
	const struct python_layout *layout = &p->process.layout;

	p->torn = p->run;
	p->count = 0;
	p->run = read_word(p->run + layout->cframe_previous);
	return read_word(p->run + layout->cframe_frame);
}

/* Collects the frames of the thread with this PyThreadState. */
static __always_inline enum python_cause collect_frames(struct python *p, __u32 tgid, __u64 thread)
{
	const struct python_layout *layout = &p->process.layout;
	enum python_cause cause;
	__u64 frame;
	int torn;

	p->run = layout->runs == RUNS_BY_CODE ? 1 : read_word(thread + layout->thread_cframe);
	frame = layout->thread_frame ? read_word(thread + layout->thread_frame)
				     : read_word(p->run + layout->cframe_frame);
	for (int i = 0; i < PYTHON_FRAMES; i++) {
		/* Within the first run, whose CFrame is not that of a thread without any. */
		torn = !layout->thread_frame && !p->first && p->run - thread >= THREAD_STATE_SIZE;
		if (!frame && !torn) {
			if (layout->runs == RUNS_BY_CFRAME)
				match_cframes(p, thread);
			return PYTHON_COMPLETE;
		}
		cause = frame ? collect_frame(p, tgid, &frame) : PYTHON_READ_FAULT;
		if (cause && torn && p->torn)
			return PYTHON_TORN;
		if (cause && torn)
			frame = leave_torn(p);
		else if (cause)
			return cause;
	}
	find_run(p, frame);
	return PYTHON_TOO_DEEP;
}

/* The PyThreadState of this thread, 0 where it has none. */
static __always_inline __u64 thread_state(const struct python *p, __u64 base)
{
	__u32 block = p->process.slot_block;

	if (block)
		base = read_word(base + block);
	return read_word(base + p->process.slot);
}

static __always_inline enum python_cause collect_thread(struct python *p, __u32 tgid)
{
	__u64 base = thread_base(), thread = thread_state(p, base);

	if (!thread)
		return PYTHON_NO_THREAD;
	if (read_word(thread + p->process.layout.thread_id) != base)
		return PYTHON_WRONG_THREAD;
	return collect_frames(p, tgid, thread);
}

static __always_inline struct python *python_current(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&python_state, &zero);
}

/* As find_process(): until it executes another program, a child runs what its parent runs. */
static __always_inline struct python_process *find_python(__u32 tgid)
{
	struct task_struct___unwind *task = (void *)bpf_get_current_task();
	struct python_process *process = bpf_map_lookup_elem(&python_processes, &tgid);

	if (process || !(BPF_CORE_READ(task, group_leader, flags) & FORKED_BUT_NOT_EXECUTED))
		return process;
	tgid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	return bpf_map_lookup_elem(&python_processes, &tgid);
}

/* Collects the frames of the current thread. 1: there are some to be put on the stack. */
static __always_inline int python_begin(const struct unwind *u)
{
	struct python *p = python_current();
	struct python_process *process;
	__u32 tgid = u->tgid;

	if (!p)
		return 0;
	p->cause = PYTHON_GOING_ON;
	p->count = p->next = p->first = p->copying = 0;
	p->shift = 0;
	p->torn = 0;
	process = find_python(tgid);
	if (!process)
		return 0;
	p->process = *process;
	p->cause = collect_thread(p, tgid);
	return p->count > 0;
}

/* ------------------------------------------------------------------------------------------ */

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

/* Puts the next frame on the stack; goes on with it up to the end of its run. */
static __always_inline void put_frame(struct unwind *u, struct python *p)
{
	const struct python_frame *frame = &p->frames[p->next & (PYTHON_FRAMES - 1)];

	if (!push_words(u, PYTHON_TAG | frame->code, frame->place)) {
		u->cause = UNWIND_TOO_DEEP;
		p->next = p->count;
		p->copying = 0;
		return;
	}
	p->next++;
	p->copying = p->next < p->count && !p->frames[p->next & (PYTHON_FRAMES - 1)].run;
}

static __always_inline int in_loop(const struct python *p, __u64 pc)
{
	for (int i = 0; i < PYTHON_EVAL_RANGES; i++)
		if (pc >= p->process.eval[i].start && pc < p->process.eval[i].end)
			return 1;
	return 0;
}

/* One native frame; begins to put the frames of the run that it is. */
static __always_inline void step(struct unwind *u, struct python *p)
{
	__u64 pc = unwind_ip(&u->thread) - !u->thread.exact, sp = stack_pointer(u);
	const struct python_frame *first = &p->frames[(p->next + p->shift) & (PYTHON_FRAMES - 1)];

	u->cause = unwind_frame(u);
	if (u->cause || u->thread.exact)
		return;
	if (p->torn) { /* only the innermost frame can be filling its CFrame */
		if (p->torn - sp >= stack_pointer(u) - sp)
			p->cause = PYTHON_TORN;
		p->torn = 0;
	}
	if (!p->count)
		return;
	if (p->process.layout.runs != RUNS_BY_CODE)
		p->copying = p->next < p->count && first->run - sp < stack_pointer(u) - sp;
	else if (in_loop(p, pc) && p->next < p->count)
		p->copying = 1;
	else if (in_loop(p, pc) && p->cause == PYTHON_COMPLETE)
		push_words(u, PYTHON_TAG | (__u64)PYTHON_NO_FRAME << PYTHON_KIND_SHIFT, 0);
}

/* The native walk has ended, with frames left: they follow without what called them. */
static __always_inline void put_rest(struct unwind *u, struct python *p)
{
	if (u->cause == UNWIND_COMPLETE && p->cause == PYTHON_COMPLETE)
		p->cause = PYTHON_UNPLACED;
	p->copying = 1;
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

	if (!p)
		return unwind_frames(u);
	for (int i = 0; i < UNWIND_FRAMES; i++) {
		if (p->copying) {
			put_frame(u, p);
		} else if (!u->cause) {
			step(u, p);
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
