/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Python frames of the current thread, innermost first, by runs of the interpreter's loop:
 *
 *   python_begin(u)   after unwind_begin(); walk_frames() then puts them on the stack
 *
 * CPython keeps them in a linked list that begins in PyThreadState, which a thread finds under a
 * key of the C library's thread-specific data. What marks the end of a run differs from version to
 * version: see enum python_runs.
 */
#ifndef PYTHON_COLLECT_H
#define PYTHON_COLLECT_H

#include "python.h"
#include "unwind_walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python);
} python_later SEC(".maps");

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

static __always_inline struct python *python_current(int later)
{
	__u32 zero = 0;

	if (later)
		return bpf_map_lookup_elem(&python_later, &zero);
	return bpf_map_lookup_elem(&python_state, &zero);
}

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
static __always_inline void announce(const struct python *p, __u64 address, __u32 checksum)
{
	struct python_code code = {.address = address, .tgid = p->tgid, .checksum = checksum};
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
static __always_inline enum python_cause add_frame(struct python *p)
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
	announce(p, code, checksum);
	frame = &p->frames[p->chain.count & (PYTHON_FRAMES - 1)];
	frame->code = code;
	frame->place = (__u64)checksum << 32 | place_in_code(p, code);
	frame->run = 0;
	p->chain.count++;
	return PYTHON_GOING_ON;
}

/* The frames since `first` belong to the run that shows at `run`. */
static __always_inline void end_run(struct python *p, __u64 run)
{
	if (p->first < p->chain.count)
		p->frames[p->first & (PYTHON_FRAMES - 1)].run = run;
	p->first = p->chain.count;
}

/* Reads one frame and goes on to the one that called it. */
static __always_inline enum python_cause collect_frame(struct python *p)
{
	const struct python_layout *layout = &p->process.layout;
	__u32 size = layout->frame_size, runs = layout->runs;
	int full = p->chain.count >= PYTHON_FRAMES;
	enum python_cause cause;
	__u64 frame = p->at;
	__u8 owner;

	if (size > PYTHON_FRAME_SIZE || bpf_probe_read_user(p->frame, size, (void *)frame))
		return PYTHON_READ_FAULT;
	p->at = frame_word(p, layout->frame_previous);
	owner = p->frame[layout->frame_owner & (PYTHON_FRAME_SIZE - 1)];
	if (runs == RUNS_BY_FRAME && owner >= OWNER_STACK) {
		end_run(p, frame);
		return full ? PYTHON_TOO_DEEP : PYTHON_GOING_ON;
	}
	cause = full ? PYTHON_GOING_ON : add_frame(p);
	/* Of a run that is too deep, only the end is still looked for. */
	if (cause || runs == RUNS_BY_FRAME || (runs == RUNS_BY_FLAG && !owner && !full))
		return cause;
	end_run(p, p->run);
	if (runs != RUNS_BY_CODE)
		p->run = read_word(p->run + layout->cframe_previous);
	return full ? PYTHON_TOO_DEEP : PYTHON_GOING_ON;
}

/*
 * A thread that is about to begin or to leave a run has linked only one of CFrame and frame: there
 * is a CFrame too many or too few before the one that PyThreadState itself ends with.
 */
static __always_inline void match_cframes(struct python *p)
{
	__u32 last = (p->chain.count - 1) & (PYTHON_FRAMES - 1);

	if (p->frames[last].run - p->thread < THREAD_STATE_SIZE) {
		p->chain.shift = -1;
		p->chain.next = 1;
	} else if (p->run - p->thread >= THREAD_STATE_SIZE) {
		p->chain.shift = 1;
		p->frames[p->chain.count & (PYTHON_FRAMES - 1)].run = p->run;
	}
}

/*
 * 3.11 and 3.12 link a new CFrame some instructions before they fill it. What stands in it then is
 * what happened to lie on the stack, at best the CFrame before it.
 */
static __always_inline void leave_torn(struct python *p)
{
	const struct python_layout *layout = &p->process.layout;

	p->chain.torn = p->run;
	p->chain.count = 0;
	p->outside = 0;
	p->run = read_word(p->run + layout->cframe_previous);
	p->at = read_word(p->run + layout->cframe_frame);
}

/* Collects one frame. Not inlined, so that the verifier sees it once and not for every frame. */
__noinline int python_collect_frame(void)
{
	struct python *p = python_current(0);
	enum python_cause cause;
	int may_be_torn;

	if (!p)
		return PYTHON_READ_FAULT;
	/* In the first run, if its CFrame is not that of a thread without any. */
	may_be_torn = !p->process.layout.thread_frame && !p->first &&
		      p->run - p->thread >= THREAD_STATE_SIZE;
	if (!p->at && !may_be_torn) {
		if (p->process.layout.runs == RUNS_BY_CFRAME && p->chain.count)
			match_cframes(p);
		return PYTHON_COMPLETE;
	}
	cause = p->at && !(may_be_torn && p->at == p->outside) ? collect_frame(p) : PYTHON_READ_FAULT;
	if (!cause || cause == PYTHON_TOO_DEEP || !may_be_torn)
		return cause;
	if (p->chain.torn)
		return PYTHON_TORN;
	leave_torn(p);
	return PYTHON_GOING_ON;
}

/*
 * What stands in a CFrame that is not filled can also be that of an earlier run in its place, with
 * the frame of the new one; 3.11 sets the flag of that frame last. The first run then seems to go on
 * with the frames of the run outside.
 */
static __always_inline __u64 frame_outside(const struct python *p)
{
	const struct python_layout *layout = &p->process.layout;

	if (layout->runs != RUNS_BY_FLAG)
		return 0;
	return read_word(read_word(p->run + layout->cframe_previous) + layout->cframe_frame);
}

/* The PyThreadState of this thread, 0 where it has none. */
static __always_inline __u64 thread_state(const struct python *p, __u64 base)
{
	__u32 block = p->process.slot_block;

	if (block)
		base = read_word(base + block);
	return read_word(base + p->process.slot);
}

static __always_inline enum python_cause collect_frames(struct python *p)
{
	const struct python_layout *layout = &p->process.layout;
	__u64 base = unwind_thread_base();
	enum python_cause cause;

	p->thread = thread_state(p, base);
	if (!p->thread)
		return PYTHON_NO_THREAD;
	if (read_word(p->thread + layout->thread_id) != base)
		return PYTHON_WRONG_THREAD;
	p->run = layout->runs == RUNS_BY_CODE ? 1 : read_word(p->thread + layout->thread_cframe);
	p->at = layout->thread_frame ? read_word(p->thread + layout->thread_frame)
				     : read_word(p->run + layout->cframe_frame);
	p->outside = frame_outside(p);
	for (int i = 0; i < PYTHON_FRAMES + PYTHON_MORE_FRAMES; i++) {
		cause = python_collect_frame();
		if (cause)
			return cause;
	}
	return PYTHON_TOO_DEEP;
}

/* As find_process(). */
static __always_inline struct python_process *find_python(__u32 tgid)
{
	struct python_process *process = bpf_map_lookup_elem(&python_processes, &tgid);

	if (process)
		return process;
	tgid = still_as_parent();
	return tgid ? bpf_map_lookup_elem(&python_processes, &tgid) : NULL;
}

/* Collects the frames of the current thread. */
static __always_inline void python_begin(const struct unwind *u)
{
	struct python *p = python_current(0);
	struct python_process *process = find_python(u->tgid);

	if (!p)
		return;
	p->tgid = u->tgid;
	p->chain = p->collected = (struct python_chain){};
	p->first = p->putting = 0;
	if (!process)
		return;
	p->process = *process;
	p->chain.cause = collect_frames(p);
	p->collected = p->chain;
}

#endif
