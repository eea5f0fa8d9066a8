/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ABI between the sampling program and the collector. Its mirror in user space is
 * collector/kernel/abi.py; a test compares the two as the C compiler lays this file out.
 *
 * Maps, by name. There are two sets of them, 0 and 1, so that the collector reads and clears one
 * while the program fills the other:
 *
 *   stacks_0, stacks_1   stack trace: id -> up to MAX_DEPTH addresses, leaf first
 *   counts_0, counts_1   hash: struct count_key -> __u64 samples
 *   counters             per-CPU array: set -> struct counters
 *   active               array: 0 -> __u32, the set that the program fills
 *   ring                 ring buffer of struct raw_sample, tagged with their set
 *   scratch              per-CPU array: 0 -> struct raw_sample; of the unwinding program alone
 *
 * The program profile.bpf.c (and profile.bcc.c) has the kernel walk user stacks by frame pointers
 * and keeps them in stacks_0 and stacks_1. The program profile_dwarf.bpf.c walks them by their
 * call frame information (see unwind.h) and names a user stack by its hash, into which go the
 * addresses and the exec_id: the first sample of a key goes through the ring with what is hashed,
 * those after it are counted.
 *
 * For every set, once no CPU writes to it any more:
 *
 *   TAKEN == sum of its counts + RAW_SENT + RING_FULL + STACK_COLLISION + COUNTS_FULL
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

enum counter {
	TAKEN,		 /* samples, idle left out */
	IDLE,		 /* events that fell on an idle CPU */
	RAW_SENT,	 /* samples sent through the ring */
	RING_FULL,	 /* lost: a sample for the ring found no room in it */
	STACK_COLLISION, /* lost, without a ring: another stack holds the slot */
	COUNTS_FULL,	 /* lost, without a ring: no room for another key */
	SPENT_NS,	 /* no samples: the time that the program took for those of TAKEN */
	COUNTERS,
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
	__s32 kernel_stack; /* id in the set's stacks, or NO_STACK */
	__u32 exec_id;	    /* of the process and the program that it executes */
	__u32 cause;	    /* enum unwind_cause; 0: walked by the kernel */
	__s32 user_size;    /* bytes used of `words`; negative: there is no such stack */
	__s32 kernel_size;  /* likewise from kernel_at on, if the stack has no id */
	__u32 kernel_at;    /* the first of `words` that is of the kernel's stack */
	__u32 saved_size;   /* bytes of `saved`, which is there in place of `words`; 0: none */
	__u32 padding;
	union {
		__u64 words[UNWIND_DEPTH + MAX_DEPTH];
		struct unwind_saved saved;
	};
};

/* The bytes of a record of the kernel's own walk. */
#define RAW_WALKED_SIZE (__builtin_offsetof(struct raw_sample, words) + 2 * MAX_DEPTH * sizeof(__u64))

#endif
