/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes that a tracepoint, a probe or off-CPU time is wanted of. The kernel calls programs for
 * all; those of targets.bpf.c add what the targets start.
 */
#ifndef TARGETS_H
#define TARGETS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum {
	TARGET_WAITS, /* for its exec */
	TARGET_RUNS,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

static __always_inline int is_target(__u32 tgid)
{
	__u8 *target = bpf_map_lookup_elem(&targets, &tgid);

	return target && *target == TARGET_RUNS;
}

#endif
