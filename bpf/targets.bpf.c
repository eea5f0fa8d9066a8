// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Follows the processes of targets.h to their children. It needs BTF.
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include "targets.h"

struct task_struct___targets {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

SEC("tp_btf/sched_process_fork")
int follow_fork(__u64 *ctx)
{
	struct task_struct___targets *parent = (void *)ctx[0], *child = (void *)ctx[1];
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid);
	__u8 *target = bpf_map_lookup_elem(&targets, &from), same;

	if (from == to)
		return 0;
	if (!target) { // it may have the number of a process that was one
		bpf_map_delete_elem(&targets, &to);
		return 0;
	}
	same = *target;
	bpf_map_update_elem(&targets, &to, &same, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int follow_exec(__u64 *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u8 *target = bpf_map_lookup_elem(&targets, &tgid);

	if (target)
		*target = TARGET_RUNS;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
