// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the user stack of every sample of one process, or of all, and sends it, with the time that
// it took and with the kernel's own walk by frame pointers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "walk_later.h"

#define NATIVE_DEPTH 127

struct event {
	__u32 tgid;
	__u32 cause;
	__u32 count;
	__s32 native_size; // bytes of `native`, or the error of bpf_get_stack
	__u64 ns;
	__u64 words[UNWIND_DEPTH];
	__u64 native[NATIVE_DEPTH];
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps"); // tgid; 0 for all

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_saved);
} saving SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} saved_ring SEC(".maps");

static __always_inline void save(void *ctx)
{
	__u32 zero = 0;
	struct unwind_saved *saved = bpf_map_lookup_elem(&saving, &zero);
	__u64 size = saved ? save_walk(ctx, saved) : 0;

	if (size && size <= sizeof(*saved))
		bpf_ringbuf_output(&saved_ring, saved, size, 0);
}

static __always_inline int finish(void *ctx, struct unwind *u)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	__u64 *missed;

	if (!s)
		return 0;
	s->event.ns = bpf_ktime_get_ns() - s->started;
	s->event.tgid = u->tgid;
	s->event.cause = u->cause;
	s->event.count = u->count;
	bpf_probe_read_kernel(s->event.words, sizeof(s->event.words), u->words);
	if (unwind_can_go_on_later(u))
		save(ctx);
	s->event.native_size =
		bpf_get_stack(ctx, s->event.native, sizeof(s->event.native), BPF_F_USER_STACK);
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
	return finish(ctx, u);
}

SEC("perf_event")
int start(void *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	__u32 *tgid = bpf_map_lookup_elem(&target, &zero);
	struct unwind *u;

	if (!s || !(__u32)pid_tgid || !tgid || (*tgid && *tgid != pid_tgid >> 32))
		return 0;
	s->started = bpf_ktime_get_ns();
	u = unwind_begin(ctx);
	if (!u || u->cause == UNWIND_NO_USER)
		return 0;
	python_begin(u);
	if (!u->cause)
		bpf_tail_call(ctx, &unwind_programs, 0);
	return finish(ctx, u);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
