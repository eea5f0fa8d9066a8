// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Off-CPU time by stacks that the kernel walks, by frame pointers: see off_cpu.h.
#include "off_cpu.h"

// Both parts of the stack into raw->words; their hash.
static __always_inline __u64 take_stack(void *ctx, struct raw_sample *raw)
{
	raw->user_size = bpf_get_stack(ctx, raw->words, STACK_SIZE, BPF_F_USER_STACK);
	raw->kernel_at = MAX_DEPTH;
	raw->kernel_size = bpf_get_stack(ctx, raw->words + MAX_DEPTH, STACK_SIZE, OWN_FRAMES);
	return hash_words(raw->words + MAX_DEPTH, raw->kernel_size,
			  hash_words(raw->words, raw->user_size, 0));
}

SEC("tp_btf/sched_switch")
int off_cpu(__u64 *ctx)
{
	struct raw_sample *raw = off_cpu_begin(ctx);
	int has_stack = 1;

	if (!raw)
		return 0;
	raw->exec_id = 0;
	raw->cause = 0;
	raw->user_stack = take_stack(ctx, raw);
	if (!is_known(raw)) {
		has_stack = make_known(raw);
		if (has_stack && bpf_ringbuf_output(&ring, raw, RAW_WALKED_SIZE, ring_wakeup())) {
			has_stack = 0;
			make_unknown(raw);
		}
	}
	off_cpu_end(raw, has_stack ? NO_STACK : NO_ROOM);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
