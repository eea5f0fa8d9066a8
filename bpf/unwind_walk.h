/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The native walk: its beginning and one step, from a user frame to its caller. walk.h puts the
 * steps together.
 *
 * ELF code is left by the rows of its call frame information, code without a file (JIT compilers')
 * by frame pointer.
 */
#ifndef UNWIND_WALK_H
#define UNWIND_WALK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "unwind.h"

/* The fields that are read of the kernel's own; the loader finds where this kernel has them. */
struct task_struct___unwind {
	void *stack;
	unsigned int flags;
	int tgid;
	struct task_struct___unwind *group_leader;
	struct task_struct___unwind *real_parent;
	void *mm;
	__u64 self_exec_id;
	__u64 start_time;
	unsigned int in_execve : 1;
} __attribute__((preserve_access_index));

#include "unwind_walk_x86_64.h"

enum { FORKED_BUT_NOT_EXECUTED = 0x40 }; /* PF_FORKNOEXEC, include/linux/sched.h */

struct unwind_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union unwind_page));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8192);
	__uint(key_size, sizeof(__u32));
	__array(values, struct unwind_table);
} unwind_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct unwind_mapping);
} unwind_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct unwind_want);
	__type(value, __u64);
} unwind_wanted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind);
} unwind_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind);
} unwind_later SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} unwind_epoch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << UNWIND_FOUND_BITS);
	__type(key, __u32);
	__type(value, struct unwind_found);
} unwind_found SEC(".maps");

int unwind_next(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} unwind_programs SEC(".maps") = {.values = {[0] = (void *)&unwind_next}};

/* Asks the collector for what a stack ended without; a full map only delays the answer. */
static __always_inline enum unwind_cause unwind_want(struct unwind *u, __u32 table,
						     enum unwind_cause cause)
{
	struct unwind_want want = {.tgid = u->tgid, .table = table};
	__u64 one = 1, *count = bpf_map_lookup_elem(&unwind_wanted, &want);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&unwind_wanted, &want, &one, BPF_ANY);
	return cause;
}

/* Finds the mapping with `pc` by binary search in the slice of the process. */
static __always_inline enum unwind_cause find_mapping(struct unwind *u, __u64 pc)
{
	__u32 at = u->process.first, count = u->process.count, half, middle;
	struct unwind_mapping *mapping;

	if (pc - u->mapping.start < u->mapping.end - u->mapping.start)
		return UNWIND_GOING_ON;
	for (int i = 0; i < 16 && count > 1; i++) { /* 2^16 mappings in all */
		half = count / 2;
		middle = at + half;
		mapping = bpf_map_lookup_elem(&unwind_mappings, &middle);
		if (!mapping)
			break;
		/* start <= pc, without a branch; both are in the lower half of addresses */
		at += half * ((mapping->start - pc - 1) >> 63);
		count -= half;
	}
	mapping = bpf_map_lookup_elem(&unwind_mappings, &at);
	if (!mapping || !count || pc < mapping->start || pc >= mapping->end)
		return unwind_want(u, 0, UNWIND_NO_MAPPING);
	u->mapping = *mapping;
	return UNWIND_GOING_ON;
}

/*
 * The last of `size` sorted words, `stride` apart, that is not greater than `key`; the first where
 * all are. Without branches, so that the verifier sees one path and not 2^10.
 */
static __always_inline __u32 last_not_above(const __u32 *words, __u32 size, __u32 stride, __u64 key)
{
	__u64 at = 0;

	for (__u64 step = size / 2; step; step /= 2)
		at += step * ((words[(at + step) * stride] - key - 1) >> 63);
	return at;
}

static __always_inline enum unwind_cause search_row(struct unwind *u, __u64 place,
						    struct unwind_row *row)
{
	__u32 number = 0, table = u->mapping.table;
	/* After every rule of this place, but before unused rows at the window's last one. */
	__u64 key = place << 8 | RULES_MAX;
	void *pages = bpf_map_lookup_elem(&unwind_tables, &table);
	union unwind_page *page;

	if (!pages)
		return unwind_want(u, table, UNWIND_NO_TABLE);
	page = bpf_map_lookup_elem(pages, &number);
	if (!page)
		return UNWIND_NO_TABLE;
	number = 1 + last_not_above(page->first, UNWIND_INDEX_SIZE, 1, key);
	page = bpf_map_lookup_elem(pages, &number);
	if (!page)
		return UNWIND_NO_TABLE;
	*row = page->rows[last_not_above(&page->rows[0].at_rule, UNWIND_PAGE_ROWS, 2, key)];
	return UNWIND_GOING_ON;
}

/*
 * The row for `pc`. A search reads some 12 cache lines, which are seldom in the cache; callers are
 * mostly those of samples before, whose rows are found in one. The walk of a saved stack can be
 * interrupted by one of a sample, so it leaves them alone.
 */
static __always_inline enum unwind_cause find_row(struct unwind *u, __u64 pc, struct unwind_row *row)
{
	__u64 place = u->mapping.at + (pc - u->mapping.start);
	__u64 key = (__u64)u->epoch << 40 | (__u64)u->mapping.table << UNWIND_WINDOW_BITS | place;
	__u32 slot = key * 0x9e3779b97f4a7c15 >> (64 - UNWIND_FOUND_BITS); /* 2^64 / golden ratio */
	struct unwind_found *found = bpf_map_lookup_elem(&unwind_found, &slot);
	enum unwind_cause cause;

	if (!found || u->thread.saved)
		return search_row(u, place, row);
	if (found->key == key) {
		*row = found->row;
		return UNWIND_GOING_ON;
	}
	cause = search_row(u, place, row);
	if (!cause) {
		found->key = key;
		found->row = *row;
	}
	return cause;
}

static __always_inline void push_word(struct unwind *u, __u64 word)
{
	u->words[u->count & (UNWIND_DEPTH - 1)] = word;
	u->count++;
	u->hash = (u->hash ^ word) * 0x9e3779b97f4a7c15; /* 2^64 / golden ratio: spreads bits up */
	u->hash ^= u->hash >> 32;
}

static __always_inline void push_frame(struct unwind *u)
{
	push_word(u, unwind_ip(&u->thread) + (u->thread.exact && u->count));
}

/* Records the current frame and goes on to its caller. */
static __always_inline enum unwind_cause unwind_frame(struct unwind *u)
{
	struct unwind_row row;
	enum unwind_cause cause;
	__u64 pc;

	if (u->count >= UNWIND_DEPTH)
		return UNWIND_TOO_DEEP;
	push_frame(u);
	pc = unwind_ip(&u->thread) - !u->thread.exact;
	cause = find_mapping(u, pc);
	if (cause)
		return cause;
	if (!u->mapping.table)
		return unwind_by_frame_pointer(&u->thread, 0);
	cause = find_row(u, pc, &row);
	if (cause)
		return cause;
	/* A handler was not called: it returns to the first byte, and not behind a call. */
	if ((row.at_rule & 0xff) == RULE_SIGNAL && !u->thread.exact)
		u->words[(u->count - 1) & (UNWIND_DEPTH - 1)]++;
	return unwind_caller(&u->thread, row);
}

/* Goes on in unwind_next; it only returns where that cannot be called. */
static __always_inline void unwind_continue(void *ctx, struct unwind *u)
{
	bpf_tail_call(ctx, &unwind_programs, 0);
	u->cause = u->count >= UNWIND_DEPTH ? UNWIND_TOO_DEEP : UNWIND_TAIL_CALL;
}

/* The walk that this CPU is at, or that of a saved stack; NULL never happens. */
static __always_inline struct unwind *unwind_current(int later)
{
	__u32 zero = 0;

	if (later)
		return bpf_map_lookup_elem(&unwind_later, &zero);
	return bpf_map_lookup_elem(&unwind_state, &zero);
}

/* The parent of the current process, if it has executed no other program since the fork; else 0. */
static __always_inline __u32 still_as_parent(void)
{
	struct task_struct___unwind *task = (void *)bpf_get_current_task();

	if (!(BPF_CORE_READ(task, group_leader, flags) & FORKED_BUT_NOT_EXECUTED))
		return 0;
	return BPF_CORE_READ(task, group_leader, real_parent, tgid);
}

/*
 * The mappings of the process; until it executes another program, a child has its parent's, even
 * before the collector has heard of it.
 */
static __always_inline struct unwind_process *find_process(__u32 tgid)
{
	struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &tgid);

	if (process)
		return process;
	tgid = still_as_parent();
	return tgid ? bpf_map_lookup_elem(&unwind_processes, &tgid) : NULL;
}

static __always_inline __u32 unwind_tables_epoch(void)
{
	__u32 zero = 0, *epoch = bpf_map_lookup_elem(&unwind_epoch, &zero);

	return epoch ? *epoch : 0;
}

/* Starts a walk from u->thread in a process that may be unknown (NULL). */
static __always_inline void start_walk(struct unwind *u, struct unwind_process *process)
{
	u->thread.exact = 1;
	u->mapping = (struct unwind_mapping){};
	u->count = 0;
	u->hash = 0;
	u->epoch = unwind_tables_epoch();
	u->cause = UNWIND_GOING_ON;
	if (process) {
		u->process = *process;
	} else {
		push_frame(u);
		u->cause = unwind_want(u, 0, UNWIND_NO_PROCESS);
	}
}

/*
 * Which program the current process executes. The kernel counts executions over a process and its
 * ancestors, so two processes that have a number one after the other may have equal counts; the
 * nanosecond of their birth is another.
 */
static __always_inline __u32 unwind_exec_id(void)
{
	struct task_struct___unwind *task = (void *)bpf_get_current_task();

	task = BPF_CORE_READ(task, group_leader);
	return BPF_CORE_READ(task, self_exec_id) + BPF_CORE_READ(task, start_time);
}

/*
 * Whether the memory that the registers are about is gone: the thread is exiting, or has left one
 * program and not yet entered another.
 */
static __always_inline int without_memory(const struct unwind *u)
{
	struct task_struct___unwind *task = (void *)bpf_get_current_task();
	__u64 word;

	if (!BPF_CORE_READ(task, mm))
		return 1;
	return BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) &&
	       bpf_probe_read_user(&word, sizeof(word), (void *)unwind_sp(&u->thread));
}

/* Starts a walk at the user registers of the current thread; without any, u->cause says why. */
static __always_inline struct unwind *unwind_begin(void *ctx)
{
	struct unwind *u = unwind_current(0);

	if (!u)
		return NULL;
	u->tgid = bpf_get_current_pid_tgid() >> 32;
	u->thread.saved = 0;
	u->count = 0;
	u->cause = unwind_user_registers(ctx, u->thread.registers);
	if (!u->cause && without_memory(u))
		u->cause = UNWIND_NO_USER;
	if (!u->cause)
		start_walk(u, find_process(u->tgid));
	return u;
}

/* Whether the walk ended for want of something that the collector can still supply. */
static __always_inline int unwind_can_go_on_later(const struct unwind *u)
{
	return u->cause == UNWIND_NO_PROCESS || u->cause == UNWIND_NO_MAPPING ||
	       u->cause == UNWIND_NO_TABLE;
}

/* Keeps the thread's registers and the top of its stack; 0 where it has none. */
static __always_inline int save_stack(void *ctx, struct unwind_saved *saved)
{
	__u64 from;

	if (unwind_user_registers(ctx, saved->registers))
		return 0;
	/* Whole pieces: the stack ends with a page, and a piece that passes its end cannot be read. */
	from = unwind_saved_sp(saved) & ~(__u64)(UNWIND_SAVED_PIECE - 1);
	saved->tgid = bpf_get_current_pid_tgid() >> 32;
	saved->time_ns = bpf_ktime_get_ns();
	saved->from = from;
	saved->size = 0;
	for (__u32 at = 0; at < UNWIND_SAVED_BYTES; at += UNWIND_SAVED_PIECE) {
		/* Pages that were never written to are not there, and are left out as zeros. */
		if (!bpf_probe_read_user(saved->stack + at, UNWIND_SAVED_PIECE, (void *)(from + at)))
			saved->size = at + UNWIND_SAVED_PIECE;
	}
	return 1;
}

#endif
