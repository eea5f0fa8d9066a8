/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <bpf/bpf_helpers.h>
#include "profile.h"

/* The sample that this CPU is at, from its begin to the end of the walk. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct raw_sample);
} scratch SEC(".maps");

static __always_inline struct raw_sample *current_sample(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

#endif
