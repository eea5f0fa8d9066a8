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
 *
 * For every set, once no CPU writes to it any more:
 *
 *   TAKEN == sum of its counts + RAW_SENT + RING_FULL + STACK_COLLISION + COUNTS_FULL
 */
#ifndef PROFILE_H
#define PROFILE_H

#include <linux/types.h>

enum {
	COMM_LEN = 16,	 /* TASK_COMM_LEN of the kernel */
	MAX_DEPTH = 127, /* PERF_MAX_STACK_DEPTH: the kernel's default and bcc's own limit */
	SETS = 2,
	NO_STACK = -1,	 /* the sample has no stack of this kind: kernel thread, user mode */
};

struct count_key {
	__u32 tgid;	    /* the process as user space numbers it */
	__s32 user_stack;   /* id in the set's stacks, or NO_STACK */
	__s32 kernel_stack; /* likewise */
	char comm[COMM_LEN];
};

enum counter {
	TAKEN,		 /* samples, idle left out */
	IDLE,		 /* events that fell on an idle CPU */
	RAW_SENT,	 /* samples sent through the ring */
	RING_FULL,	 /* lost: a sample for the ring found no room in it */
	STACK_COLLISION, /* lost, without a ring: another stack holds the slot */
	COUNTS_FULL,	 /* lost, without a ring: no room for another key */
	COUNTERS,
};

/* Never reset: the collector takes differences, so it need not write what the program writes. */
struct counters {
	__u64 of[COUNTERS];
};

/* A sample that did not fit into the maps of its set. */
struct raw_sample {
	__u32 set;
	__u32 tgid;
	char comm[COMM_LEN];
	__s32 user_size;   /* bytes used of `user`; negative: there is no such stack */
	__s32 kernel_size; /* likewise of `kernel` */
	__u64 user[MAX_DEPTH];
	__u64 kernel[MAX_DEPTH];
};

#endif
