// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Adds up the time that each CPU spends in timer interrupts, where the samples of a cpu-clock event
// are taken, and in the deferred work that sampling causes (irq_work: wake-ups of readers).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct spent {
	__u64 since; // the begin of the interrupt that this CPU is in
	__u64 ns;
	__u64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spent);
} spent SEC(".maps");

static __always_inline struct spent *of_this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&spent, &zero);
}

static __always_inline int enter(void)
{
	struct spent *spent = of_this_cpu();

	if (spent)
		spent->since = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int leave(void)
{
	struct spent *spent = of_this_cpu();

	if (spent && spent->since) {
		spent->ns += bpf_ktime_get_ns() - spent->since;
		spent->number++;
		spent->since = 0;
	}
	return 0;
}

SEC("raw_tp/local_timer_entry")
int local_timer_entry(void *ctx)
{
	return enter();
}

SEC("raw_tp/local_timer_exit")
int local_timer_exit(void *ctx)
{
	return leave();
}

SEC("raw_tp/irq_work_entry")
int irq_work_entry(void *ctx)
{
	return enter();
}

SEC("raw_tp/irq_work_exit")
int irq_work_exit(void *ctx)
{
	return leave();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
