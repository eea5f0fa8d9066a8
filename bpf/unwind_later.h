/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same walk over a stack that was saved, at the collector's call and in its memory. It fills in
 * `thread` and `tgid` of unwind_later and runs the program unwind_later_start (BPF_PROG_TEST_RUN of
 * a raw tracepoint, 5.10); the result is in the same place. One thread may do so at a time.
 */
#ifndef UNWIND_LATER_H
#define UNWIND_LATER_H

#include "unwind_walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind);
} unwind_later SEC(".maps");

int unwind_later_next(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} unwind_later_programs SEC(".maps") = {.values = {[0] = (void *)&unwind_later_next}};

SEC("raw_tp")
int unwind_later_next(void *ctx)
{
	__u32 zero = 0;
	struct unwind *u = bpf_map_lookup_elem(&unwind_later, &zero);

	if (!u || unwind_frames(u))
		return 0;
	bpf_tail_call(ctx, &unwind_later_programs, 0);
	u->cause = UNWIND_TOO_DEEP;
	return 0;
}

SEC("raw_tp")
int unwind_later_start(void *ctx)
{
	__u32 zero = 0;
	struct unwind *u = bpf_map_lookup_elem(&unwind_later, &zero);

	if (!u)
		return 0;
	start_walk(u, bpf_map_lookup_elem(&unwind_processes, &u->tgid));
	if (!u->cause)
		bpf_tail_call(ctx, &unwind_later_programs, 0);
	return 0;
}

#endif
