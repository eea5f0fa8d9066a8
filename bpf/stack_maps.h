/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps that the kernel walks stacks into, beside those of profile_maps.h. */
#ifndef STACK_MAPS_H
#define STACK_MAPS_H

#include "profile_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MAX_DEPTH * sizeof(__u64));
} stacks_0 SEC(".maps"), stacks_1 SEC(".maps");

/* Of a tracepoint or probe, up to now. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

static __always_inline int stack_id(void *ctx, __u32 set, __u64 flags)
{
	if (set)
		return bpf_get_stackid(ctx, &stacks_1, flags);
	return bpf_get_stackid(ctx, &stacks_0, flags);
}

static __always_inline __u64 *hits_of_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&hits, &zero);
}

#endif
