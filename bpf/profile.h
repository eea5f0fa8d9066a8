/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ABI between the sampling program and the collector. Its mirror in user space is
 * collector/kernel/abi.py; a test compares the two as the C compiler lays this file out.
 *
 * Maps, by name. There are two sets of them, 0 and 1, so that the collector reads and clears one
 * while the program fills the other:
 *
 *   stacks_0, stacks_1   stack trace: id -> up to MAX_DEPTH addresses, leaf first
 *   counts_0, counts_1   hash: struct count_key -> struct count
 *   counters             per-CPU array: set -> struct counters
 *   active               array: 0 -> __u32 that grows with each drain; its lowest bit is the set that
 *                        the program fills; 1 -> of off-CPU time: one sleep in so many has its
 *                        stack walked
 *   ring                 ring buffer of struct raw_sample, tagged with their set
 *   scratch              per-CPU array: 0 -> struct raw_sample; of the unwinding program alone
 *   weighed              per-CPU array: 0 -> __u64, what the perf event had counted at the last sample
 *   hits                 per-CPU array: 0 -> __u64, hits of a tracepoint or probe up to now
 *   targets              hash: process -> __u8; 0: it has not executed its program yet. See targets.h
 *
 * The program profile.bpf.c (and profile.bcc.c) has the kernel walk user stacks by frame pointers
 * and keeps them in stacks_0 and stacks_1. The program profile_dwarf.bpf.c walks them by their
 * call frame information (see unwind.h) and names a user stack by its hash, into which go the
 * addresses and the exec_id: the first sample of a key goes through the ring with what is hashed,
 * those after it are counted.
 *
 * The program off_cpu.bpf.c has no stack maps. It adds up, in nanoseconds, sleeps: times that a thread
 * was off its CPU. Its stack is that at the beginning; the hash of count_key.user_stack is over both the
 * user's and the kernel's part, and the ring carries what it stands for, which is no sample by itself.
 *
 *   sleeping                 hash: thread -> struct sleep
 *   spanning_0, spanning_1   hash: struct spanning_key -> struct count, one sample each: sleeps that
 *                            ended in another drain than they began in
 *
 * For every set, once no CPU writes to it any more:
 *
 *   TAKEN == sum of its counts + RAW_SENT + RING_FULL + STACK_COLLISION + COUNTS_FULL
 *
 * and of off-CPU time, where RAW_SENT counts no samples:
 *
 *   TAKEN == sum of its counts and spanning sleeps + COUNTS_FULL + SLEEPING_FULL + END_UNSEEN
 *   TAKEN_NS == sum of their values + COUNTS_FULL_NS + END_UNSEEN_NS
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <linux/types.h>
#include "unwind.h"

enum {
	COMM_LEN = 16,	 /* TASK_COMM_LEN of the kernel */
	MAX_DEPTH = 127, /* PERF_MAX_STACK_DEPTH: the kernel's default and bcc's own limit */
	SETS = 2,
	NO_STACK = -1,	 /* the sample has no stack of this kind: kernel thread, user mode */
};

struct count_key {
	__u32 tgid;	    /* the process as user space numbers it */
	__s32 kernel_stack; /* id in the set's stacks, or NO_STACK */
	__u64 user_stack;   /* likewise, sign-extended; or the hash of a stack walked by us */
	char comm[COMM_LEN];
};

struct count {
	__u64 samples;
	__u64 value; /* 0 where each sample has the same */
};

enum counter {
	TAKEN,		 /* samples, idle left out */
	IDLE,		 /* events that fell on an idle CPU */
	RAW_SENT,	 /* samples sent through the ring */
	RING_FULL,	 /* lost: a sample for the ring found no room in it */
	STACK_COLLISION, /* lost, without a ring: another stack holds the slot */
	COUNTS_FULL,	 /* lost, without a ring: no room for another key */
	SPENT_NS,	 /* no samples: the time that the program took for those of TAKEN */
	SLEEPING_FULL,	 /* lost, of off-CPU time: no room for another thread in `sleeping` */
	TAKEN_NS,	 /* no samples: the off-CPU time of TAKEN, of SLEEPING_FULL not known */
	COUNTS_FULL_NS,	 /* no samples: that of COUNTS_FULL */
	END_UNSEEN,	 /* lost, of off-CPU time: the rest of a sleep whose end was not told */
	END_UNSEEN_NS,	 /* no samples: that of END_UNSEEN, at most */
	COUNTERS,
};

/*
 * A sleep: a thread that is off its CPU, or was. In place of a hash, key.kernel_stack may have an enum
 * no_stack. The collector reads it while it changes: `since_ns` is cleared first and set last.
 */
struct sleep {
	struct count_key key;
	__u32 drain; /* in which it began */
	__u32 padding;
	__u64 since_ns; /* CLOCK_MONOTONIC; 0: the thread runs */
};

/* A sleep that did not end in the drain in which it began. */
struct spanning_key {
	struct count_key key;
	__u64 since_ns;
	__u32 tid;
	__u32 padding;
};

enum no_stack {
	BELOW_MINIMUM = -2, /* it was shorter than asked for */
	NOT_SAMPLED = -3,   /* it is none of the sleeps whose stacks are walked */
	NO_ROOM = -4,	    /* the ring had no room for the stack */
};

/* What the loader says before it loads: constants to the program. */
struct settings {
	__u32 use_ring;	     /* 0: the kernel has no ring buffers (before 5.8) */
	__u32 context;	     /* enum context: what the program is called with */
	__u32 weighs;	     /* enum weighs: what a sample's value is */
	__u32 targeted;	     /* 1: only processes in the map `targets` */
	__u64 period;	     /* of a tracepoint or probe: every so manyth hit of a CPU is a sample */
	__u64 minimum_ns;    /* of off-CPU time: shorter sleeps have no stack */
};

/* Events between two samples, where the kernel steers their period towards a frequency. */
enum weighs {
	WEIGHS_SAME,   /* known without looking */
	WEIGHS_COUNT,  /* what the perf event of this CPU has counted since the last one */
	WEIGHS_PERIOD, /* the period: a perf event that threads inherit cannot be asked */
};

enum context {
	CONTEXT_REGISTERS, /* those of the interrupted code come first: perf events, probes */
	CONTEXT_RECORD,	   /* a tracepoint's */
};

/* Never reset: the collector takes differences, so it need not write what the program writes. */
struct counters {
	__u64 of[COUNTERS];
};

/*
 * One sample, which is not counted elsewhere. Only the used part of it is sent, so that `user` and
 * `kernel` say what is in `words`.
 */
struct raw_sample {
	__u32 set;
	__u32 tgid;
	char comm[COMM_LEN];
	__u64 user_stack;   /* the hash that later samples are counted by; 0: none */
	__u64 time_ns;	    /* CLOCK_MONOTONIC; 0: not told */
	__u64 value;	    /* as in struct count */
	__s32 kernel_stack; /* id in the set's stacks, or NO_STACK */
	__u32 exec_id;	    /* of the process and the program that it executes */
	__u32 cause;	    /* enum unwind_cause; 0: walked by the kernel */
	__s32 user_size;    /* bytes used of `words`; negative: there is no such stack */
	__s32 kernel_size;  /* likewise from kernel_at on, if the stack has no id */
	__u32 kernel_at;    /* the first of `words` that is of the kernel's stack */
	__u32 saved_size;   /* bytes of `saved`, which is there in place of `words`; 0: none */
	__u32 drain;	    /* of a sleep: in which it began */
	union {
		__u64 words[UNWIND_DEPTH + MAX_DEPTH];
		struct unwind_saved saved;
	};
};

/* The bytes of a record of the kernel's own walk. */
#define RAW_WALKED_SIZE (__builtin_offsetof(struct raw_sample, words) + 2 * MAX_DEPTH * sizeof(__u64))

#endif
