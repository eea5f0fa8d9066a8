/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a program on a perf event is given, as the kernel lays it out on x86-64 (asm/ptrace.h). */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
struct bpf_perf_event_data {
	struct pt_regs regs;
	u64 sample_period, addr;
};
