// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the native and Python frames of every sample of one process and sends them, with the time
// that it took.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "walk_later.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps"); // tgid

struct event {
	__u32 cause;
	__u32 python_cause;
	__u32 count;
	__u32 padding;
	__u64 ns;
	__u64 words[UNWIND_DEPTH];
};

struct scratch {
	__u64 started;
	struct event event;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

static __always_inline int finish(struct unwind *u)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	struct python *p = python_current(NOW);
	__u64 *missed;

	if (!s || !p)
		return 0;
	s->event.ns = bpf_ktime_get_ns() - s->started;
	s->event.cause = u->cause;
	s->event.python_cause = p->chain.cause;
	s->event.count = u->count;
	bpf_probe_read_kernel(s->event.words, sizeof(s->event.words), u->words);
	missed = bpf_map_lookup_elem(&lost, &zero);
	if (bpf_ringbuf_output(&ring, &s->event, sizeof(s->event), 0) && missed)
		__sync_fetch_and_add(missed, 1);
	return 0;
}

SEC("perf_event")
int unwind_next(void *ctx)
{
	struct unwind *u = unwind_current(NOW);

	if (!u)
		return 0;
	if (!walk_frames(u, NOW))
		unwind_continue(ctx, u);
	return finish(u);
}

SEC("perf_event")
int start(void *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	__u32 *tgid = bpf_map_lookup_elem(&target, &zero);
	struct unwind *u;

	if (!s || !tgid || pid_tgid >> 32 != *tgid)
		return 0;
	s->started = bpf_ktime_get_ns();
	u = unwind_begin(ctx);
	if (!u || u->cause == UNWIND_NO_USER)
		return 0;
	python_begin(u);
	bpf_tail_call(ctx, &unwind_programs, 0);
	return finish(u);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
