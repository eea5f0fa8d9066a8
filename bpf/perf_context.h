/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a program of a perf event is told of it. */
#ifndef PERF_CONTEXT_H
#define PERF_CONTEXT_H

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} weighed SEC(".maps");

/*
 * What the perf event has counted since its last sample. The period that the kernel says is changed
 * while it runs: of a short burst of software events, their sum was 18 times the events.
 */
static __always_inline __u64 events_since(void *ctx)
{
	const volatile struct bpf_perf_event_data *data = ctx; /* see copy_registers() */
	struct bpf_perf_event_value value;
	__u64 before = 0, *known;
	__u32 zero = 0;

	if (settings.weighs == WEIGHS_PERIOD)
		return data->sample_period;
	known = bpf_map_lookup_elem(&weighed, &zero);
	if (!known || bpf_perf_prog_read_value(ctx, &value, sizeof(value)))
		return 0;
	if (*known <= value.counter) /* else it is another event, which began at 0 */
		before = *known;
	*known = value.counter;
	return value.counter - before;
}

#endif
