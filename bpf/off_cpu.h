/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Off-CPU time, for a program that the kernel calls when it switches from one thread to another:
 *
 *   SEC("tp_btf/sched_switch") int off_cpu(__u64 *ctx)
 *   {
 *           struct raw_sample *raw = off_cpu_begin(ctx);
 *
 *           if (raw) {
 *                   raw->user_stack = ...the hash of the stack, which add_kernel_stack() goes on with...
 *                   off_cpu_end(raw, sent_or_known);
 *           }
 *           return 0;
 *   }
 *
 * The thread that comes back is counted first; then the one that leaves, which still is the current one,
 * has its stack walked.
 *
 * The kernel does not tell every switch: none on a CPU that is being taken offline, and some kernels none
 * away from threads that they protect. Who comes then is not seen to come. It is found out when it leaves,
 * or by the program off_cpu_look, which the collector runs on each CPU before it swaps the sets.
 */
#ifndef OFF_CPU_H
#define OFF_CPU_H

#include <bpf/bpf_core_read.h>
#include "stack_maps.h"
#include "count.h"
#include "scratch.h"
#include "targets.h"

enum {
	STATE_DEAD = 0x80, /* TASK_DEAD, include/linux/sched.h */
	ERROR_EXISTS = -17, /* -EEXIST: the same on another CPU was first */
	OWN_FRAMES = 2,	   /* of the kernel's stack: this program, and what the tracepoint calls */
};

struct task_struct___switch {
	int pid;
	unsigned int __state;
} __attribute__((preserve_access_index));

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct sleep);
} sleeping SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct spanning_key);
	__type(value, struct count);
} spanning_0 SEC(".maps"), spanning_1 SEC(".maps");

static __always_inline int is_dead(struct task_struct___switch *task)
{
	struct task_struct___before_5_14 *older = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return task->__state & STATE_DEAD;
	return older->state & STATE_DEAD;
}

static __always_inline int keep_spanning(__u32 set, __u32 tid, const struct sleep *sleep, __u64 ns)
{
	struct spanning_key key = {.key = sleep->key, .since_ns = sleep->since_ns, .tid = tid};
	struct count count = {1, ns};

	if (set)
		return !bpf_map_update_elem(&spanning_1, &key, &count, BPF_NOEXIST);
	return !bpf_map_update_elem(&spanning_0, &key, &count, BPF_NOEXIST);
}

/* The sleep has no stack to be shown, for a reason of enum no_stack. */
static __always_inline void leave_out(struct count_key *key, enum no_stack why)
{
	key->user_stack = 0;
	key->kernel_stack = why;
}

static __always_inline int keep_sleep(__u32 set, const struct sleep *sleep, __u64 ns)
{
	struct count_key key = sleep->key;

	if (ns < settings.minimum_ns)
		leave_out(&key, BELOW_MINIMUM);
	return add_to_count(set, &key, ns);
}

/* Counts a sleep that has ended. The thread's entry stays, for it will sleep again. */
static __always_inline void tell_sleep(__u32 tid, struct sleep *sleep, __u32 drain,
				       struct counters *counters, __u64 ended_ns)
{
	__u64 ns = ended_ns - sleep->since_ns;
	int kept;

	counters->of[TAKEN]++;
	counters->of[TAKEN_NS] += ns;
	kept = sleep->drain == drain ? keep_sleep(drain & 1, sleep, ns)
				     : keep_spanning(drain & 1, tid, sleep, ns);
	if (!kept) {
		counters->of[COUNTS_FULL]++;
		counters->of[COUNTS_FULL_NS] += ns;
	}
	*(volatile __u64 *)&sleep->since_ns = 0;
}

/* Of the thread that now runs. */
static __always_inline void end_sleep(__u32 tid, __u32 drain, struct counters *counters, __u64 now_ns)
{
	struct sleep *sleep = bpf_map_lookup_elem(&sleeping, &tid);

	if (sleep && sleep->since_ns)
		tell_sleep(tid, sleep, drain, counters, now_ns);
}

/*
 * Of the current thread, if it was not seen to come: it still slept at the last switch of this CPU that
 * was told. What has passed since then is lost, as it is not known when it came.
 */
static __always_inline void end_unseen(__u32 tid, __u32 drain, struct counters *counters,
				       __u64 switched_ns, __u64 now_ns)
{
	struct sleep *sleep = bpf_map_lookup_elem(&sleeping, &tid);
	__u64 known_ns;

	if (!sleep || !sleep->since_ns)
		return;
	known_ns = switched_ns > sleep->since_ns ? switched_ns : sleep->since_ns;
	counters->of[TAKEN]++;
	counters->of[TAKEN_NS] += now_ns - known_ns;
	counters->of[END_UNSEEN]++;
	counters->of[END_UNSEEN_NS] += now_ns - known_ns;
	tell_sleep(tid, sleep, drain, counters, known_ns);
}

/* The thread whose sleep is about to begin; its entry is made where it has none. */
static __always_inline void begin_sleep(__u32 tid, const struct count_key *key, __u32 drain,
					struct counters *counters, __u64 now_ns)
{
	struct sleep *sleep = bpf_map_lookup_elem(&sleeping, &tid);
	struct sleep first = {.key = *key, .drain = drain, .since_ns = now_ns};

	if (!sleep) {
		if (bpf_map_update_elem(&sleeping, &tid, &first, BPF_NOEXIST)) {
			counters->of[TAKEN]++;
			counters->of[SLEEPING_FULL]++;
		}
		return;
	}
	sleep->key = *key;
	sleep->drain = drain;
	*(volatile __u64 *)&sleep->since_ns = now_ns;
}

/* The sleep of the current thread begins; it has the stack of raw->user_stack, or none for a reason. */
static __always_inline void off_cpu_end(const struct raw_sample *raw, __s32 kernel_stack)
{
	struct count_key key = {.tgid = raw->tgid, .kernel_stack = kernel_stack};
	struct counters *counters = counters_of(raw->set);

	if (!counters)
		return;
	key.user_stack = kernel_stack == NO_STACK ? raw->user_stack : 0;
	__builtin_memcpy(key.comm, raw->comm, COMM_LEN);
	begin_sleep(bpf_get_current_pid_tgid(), &key, raw->drain, counters, raw->time_ns);
	counters->of[SPENT_NS] += bpf_ktime_get_ns() - raw->time_ns;
}

static __always_inline int is_sampled(void)
{
	__u32 one = 1, *sleeps = bpf_map_lookup_elem(&active, &one);

	/* By chance: two threads that take turns would else be in step with the number. */
	return !sleeps || *sleeps <= 1 || bpf_get_prandom_u32() % *sleeps == 0;
}

/*
 * Ends the sleep of the thread that comes back. The sample that the leaving one's sleep begins with;
 * NULL: its stack is not wanted.
 */
static __always_inline struct raw_sample *off_cpu_begin(__u64 *ctx)
{
	struct task_struct___switch *leaving = (void *)ctx[1], *coming = (void *)ctx[2];
	/* The drain before the time: no sleep seems to begin in another drain than it is seen in. */
	__u32 drain = active_drain();
	__u64 pid_tgid = bpf_get_current_pid_tgid(), now_ns = bpf_ktime_get_ns();
	__u32 tid = pid_tgid;
	struct raw_sample *raw = current_sample();
	struct counters *counters = counters_of(drain & 1);
	__u64 switched_ns;

	if (!counters || !raw)
		return NULL;
	switched_ns = raw->time_ns;
	raw->time_ns = now_ns;
	end_sleep(coming->pid, drain, counters, now_ns);
	if (!tid)
		return NULL;
	end_unseen(tid, drain, counters, switched_ns, now_ns);
	if (is_dead(leaving)) {
		bpf_map_delete_elem(&sleeping, &tid);
		return NULL;
	}
	if (settings.targeted && !is_target(pid_tgid >> 32))
		return NULL;
	raw->set = drain & 1;
	raw->drain = drain;
	raw->tgid = pid_tgid >> 32;
	raw->value = 0;
	raw->saved_size = 0;
	raw->kernel_stack = NO_STACK;
	bpf_get_current_comm(&raw->comm, sizeof(raw->comm));
	if (is_sampled())
		return raw;
	off_cpu_end(raw, NOT_SAMPLED);
	return NULL;
}

/*
 * A thread that executes a program becomes the first of its process, and takes over its number: what was
 * kept under its own is of nobody any more. No sleep is ended by this, it just ran. But somebody else may
 * have that number by now, who sleeps.
 */
SEC("tp_btf/sched_process_exec")
int off_cpu_exec(__u64 *ctx)
{
	__u32 before = ctx[1], tid = bpf_get_current_pid_tgid();
	struct sleep *sleep = bpf_map_lookup_elem(&sleeping, &before);

	if (before != tid && sleep && !sleep->since_ns)
		bpf_map_delete_elem(&sleeping, &before);
	return 0;
}

SEC("raw_tp")
int off_cpu_look(void *ctx)
{
	__u32 drain = active_drain();
	struct raw_sample *raw = current_sample();
	struct counters *counters = counters_of(drain & 1);

	if (counters && raw)
		end_unseen(bpf_get_current_pid_tgid(), drain, counters, raw->time_ns, bpf_ktime_get_ns());
	return 0;
}

/* Whether what the hash of the stack stands for was sent in this drain. */
static __always_inline int is_known(const struct raw_sample *raw)
{
	struct count_key key = {
		.tgid = raw->tgid, .kernel_stack = NO_STACK, .user_stack = raw->user_stack};

	__builtin_memcpy(key.comm, raw->comm, COMM_LEN);
	return find_count(raw->set, &key) != NULL;
}

/*
 * Before it is sent: the key has a count now, of nothing yet. 0: there is no room for one, so the stack is not
 * sent either. On a crowded node nearly every stack is new, and in a long drain they would fill the
 * collector's memory, to stand for sleeps that have no count.
 */
static __always_inline int make_known(const struct raw_sample *raw)
{
	struct count_key key = {
		.tgid = raw->tgid, .kernel_stack = NO_STACK, .user_stack = raw->user_stack};
	struct count nothing = {};
	long error;

	__builtin_memcpy(key.comm, raw->comm, COMM_LEN);
	error = insert_count(raw->set, &key, &nothing);
	return !error || error == ERROR_EXISTS;
}

/* It could not be sent. */
static __always_inline void make_unknown(const struct raw_sample *raw)
{
	struct count_key key = {
		.tgid = raw->tgid, .kernel_stack = NO_STACK, .user_stack = raw->user_stack};

	__builtin_memcpy(key.comm, raw->comm, COMM_LEN);
	delete_count(raw->set, &key);
}

/* The hash of some words of the stack, and of what comes before them. */
static __always_inline __u64 hash_words(const __u64 *words, long size, __u64 hash)
{
	for (int i = 0; i < MAX_DEPTH; i++) {
		if (i * (long)sizeof(__u64) >= size)
			break;
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
		hash ^= hash >> 32;
	}
	return hash;
}

#endif
