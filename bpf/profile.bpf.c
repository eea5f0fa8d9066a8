// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sampling program for libbpf that walks user stacks by frame pointers, as the kernel does. The
// loader makes it one of tracepoints or of probes, where it shall be called by them.
#include "stack_maps.h"
#include "targets.h"
#include "perf_context.h"
#include "sample.h"

SEC("perf_event")
int sample(void *ctx)
{
	take_sample(ctx);
	return 0;
}

// The kernel's word for GPL-2.0 or BSD: the stack helpers demand a licence that includes the GPL.
char LICENSE[] SEC("license") = "Dual BSD/GPL";
