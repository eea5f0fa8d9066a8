/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the unwinder must know of x86-64: its registers, the rules that only it has, and how a
 * signal leaves its frame. Above the line is the ABI, below it the code that unwind_walk.h calls:
 *
 *   struct unwind_registers, unwind_ip(regs)
 *   enum unwind_cause unwind_user_registers(void *ctx, struct unwind_registers *regs)
 *   enum unwind_cause unwind_caller(regs, row, int *exact)
 *   enum unwind_cause unwind_by_frame_pointer(regs, int *exact)
 *
 * `exact` says that the registers are those of the interrupted code, all of them known, and not
 * those of a caller, whose ip is a return address and whose scratch registers are gone.
 */
#ifndef UNWIND_X86_64_H
#define UNWIND_X86_64_H

#include "unwind.h"

/* In the order of the kernel's struct sigcontext, so that a signal frame is read at once. */
enum unwind_register {
	REG_R8,
	REG_R9,
	REG_R10,
	REG_R11,
	REG_R12,
	REG_R13,
	REG_R14,
	REG_R15,
	REG_DI,
	REG_SI,
	REG_BP,
	REG_BX,
	REG_DX,
	REG_AX,
	REG_CX,
	REG_SP,
	REG_IP,
	UNWIND_REGISTERS,
};

enum unwind_rule_x86_64 {
	/* Lazy binding stubs, 16 bytes each: CFA = sp + 8, from byte `offset` of a stub on + 16. */
	RULE_PLT = RULE_MACHINE,
	/* CFA = *(sp or fp + 8 * (offset >> 8)) + 8 * (__s8)offset: realigned stacks. */
	RULE_DEREF_SP,
	RULE_DEREF_FP,
	/* + REG_x: CFA = register + offset. */
	RULE_REGISTER = 32,
	/* + REG_x: CFA = sp + offset, and the return address is in the register: vfork. */
	RULE_RETURN_IN_REGISTER = 64,
	/* + REG_x: CFA = *(sp + 8 * (offset >> 8) + 8 * register) + 8 * (__s8)offset. */
	RULE_DEREF_INDEXED = 96,
};

/* ------------------------------------------------------------------------------------------ */

#ifdef __bpf__

#include <linux/bpf_perf_event.h>

enum {
	USER_CODE = 0x33,		 /* __USER_CS: 64-bit code */
	USER_CODE_32 = 0x23,		 /* __USER32_CS */
	SIGNAL_REGISTERS = 40,		 /* from sp: uc_flags, uc_link and uc_stack come first */
	THREAD_SIZE_BEFORE_5_15 = 16384, /* without KASAN */
	PLT_STUB_SIZE = 16,
};

struct unwind_registers {
	__u64 of[UNWIND_REGISTERS];
};

static __always_inline __u64 unwind_ip(const struct unwind_registers *regs)
{
	return regs->of[REG_IP];
}

/* Volatile: clang would else load through a modified context pointer, which no verifier takes. */
static __always_inline void copy_registers(struct unwind_registers *to,
					   const volatile struct pt_regs *from)
{
	to->of[REG_R8] = from->r8;
	to->of[REG_R9] = from->r9;
	to->of[REG_R10] = from->r10;
	to->of[REG_R11] = from->r11;
	to->of[REG_R12] = from->r12;
	to->of[REG_R13] = from->r13;
	to->of[REG_R14] = from->r14;
	to->of[REG_R15] = from->r15;
	to->of[REG_DI] = from->rdi;
	to->of[REG_SI] = from->rsi;
	to->of[REG_BP] = from->rbp;
	to->of[REG_BX] = from->rbx;
	to->of[REG_DX] = from->rdx;
	to->of[REG_AX] = from->rax;
	to->of[REG_CX] = from->rcx;
	to->of[REG_SP] = from->rsp;
	to->of[REG_IP] = from->rip;
}

static __always_inline enum unwind_cause user_code(__u64 cs, __u64 ip)
{
	cs &= 0xffff; /* FRED keeps other bits above */
	if (cs == USER_CODE && ip) /* an io_uring worker has no user code: ip is 0 */
		return UNWIND_GOING_ON;
	return cs == USER_CODE_32 ? UNWIND_FOREIGN : UNWIND_NO_USER;
}

/* The registers that the thread entered the kernel with, at the end of its kernel stack. */
static __always_inline enum unwind_cause entry_registers(struct unwind_registers *regs)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		const volatile struct pt_regs *entry =
			(void *)bpf_task_pt_regs(bpf_get_current_task_btf());

		copy_registers(regs, entry);
		return user_code(entry->cs, entry->rip);
	} else {
		struct task_struct___unwind *task = (void *)bpf_get_current_task();
		struct pt_regs entry;
		char *stack = NULL;

		bpf_core_read(&stack, sizeof(stack), &task->stack);
		stack += THREAD_SIZE_BEFORE_5_15 - sizeof(entry);
		if (bpf_probe_read_kernel(&entry, sizeof(entry), stack))
			return UNWIND_NO_USER;
		copy_registers(regs, &entry);
		return user_code(entry.cs, entry.rip);
	}
}

/* The thread's registers in user mode, wherever the sample fell. */
static __always_inline enum unwind_cause unwind_user_registers(void *ctx,
							       struct unwind_registers *regs)
{
	const volatile struct bpf_perf_event_data *data = ctx;

	if ((data->regs.cs & 3) != 3)
		return entry_registers(regs);
	copy_registers(regs, &data->regs);
	return user_code(data->regs.cs, data->regs.rip);
}

static __always_inline int read_words(void *to, int count, __u64 from)
{
	return bpf_probe_read_user(to, count * sizeof(__u64), (void *)from);
}

/* Goes on in the caller, which continues at `ip`. */
static __always_inline enum unwind_cause enter_caller(struct unwind_registers *regs, __u64 cfa,
						      __u64 fp, __u64 ip, int *exact)
{
	if (!ip) /* what starts a thread without a caller pushes 0 for it */
		return UNWIND_COMPLETE;
	if (ip == regs->of[REG_IP] && cfa == regs->of[REG_SP])
		return UNWIND_NO_PROGRESS;
	regs->of[REG_IP] = ip;
	regs->of[REG_SP] = cfa;
	regs->of[REG_BP] = fp;
	*exact = 0;
	return UNWIND_GOING_ON;
}

/*
 * Where the frame pointer of the innermost function is not yet, or no longer, its own: the
 * distance from sp to the return address, in words; -1 anywhere else.
 */
static __always_inline int words_to_return_address(__u64 ip)
{
	__u8 code[4];

	if (bpf_probe_read_user(code, sizeof(code), (void *)ip))
		return -1;
	if (code[0] == 0x55 || code[0] == 0xc3) /* push %rbp; ret */
		return 0;
	if (code[0] == 0x48 && ((code[1] == 0x89 && code[2] == 0xe5) ||
				(code[1] == 0x8b && code[2] == 0xec))) /* mov %rsp,%rbp */
		return 1;
	return -1;
}

static __always_inline enum unwind_cause
unwind_by_frame_pointer(struct unwind_registers *regs, int *exact)
{
	__u64 sp = regs->of[REG_SP], fp = regs->of[REG_BP], frame[2];
	int words = *exact ? words_to_return_address(regs->of[REG_IP]) : -1;

	if (words >= 0) {
		__u64 at = sp + 8 * words;

		if (read_words(&frame[1], 1, at))
			return UNWIND_READ_FAULT;
		return enter_caller(regs, at + 8, fp, frame[1], exact);
	}
	if (!fp) /* the ABI: the outermost frame has none */
		return UNWIND_COMPLETE;
	if (fp & 7 || fp < sp)
		return UNWIND_BAD_FRAME_POINTER;
	if (read_words(frame, 2, fp))
		return UNWIND_READ_FAULT;
	return enter_caller(regs, fp + 16, frame[0], frame[1], exact);
}

/* The code that the signal interrupted goes on with the registers in the signal's frame. */
static __always_inline enum unwind_cause leave_signal(struct unwind_registers *regs, int *exact)
{
	if (read_words(regs->of, UNWIND_REGISTERS, regs->of[REG_SP] + SIGNAL_REGISTERS))
		return UNWIND_READ_FAULT;
	*exact = 1;
	return UNWIND_GOING_ON;
}

static __always_inline enum unwind_cause dereference(__u64 base, __s64 offset, __u64 *cfa)
{
	if (read_words(cfa, 1, base + (offset >> 8) * 8))
		return UNWIND_READ_FAULT;
	*cfa += (__s8)offset * 8;
	return UNWIND_GOING_ON;
}

/* The rules that only x86-64 has: the CFA, and the return address if a register holds it. */
static __always_inline enum unwind_cause machine_rule(const struct unwind_registers *regs,
						      __u32 rule, __s64 offset, int exact,
						      __u64 *cfa, __u64 *ip)
{
	__u64 sp = regs->of[REG_SP], value;
	__u32 number = rule & 31;

	if (rule == RULE_PLT) {
		int pushed = (regs->of[REG_IP] & (PLT_STUB_SIZE - 1)) >= (__u64)offset;

		*cfa = sp + 8 + 8 * pushed;
		return UNWIND_GOING_ON;
	}
	if (rule == RULE_DEREF_SP)
		return dereference(sp, offset, cfa);
	if (rule == RULE_DEREF_FP)
		return dereference(regs->of[REG_BP], offset, cfa);
	if (number >= UNWIND_REGISTERS)
		return UNWIND_BROKEN;
	if (!exact)
		return UNWIND_REGISTER;
	value = regs->of[number];
	switch (rule - number) {
	case RULE_REGISTER:
		*cfa = value + offset;
		return UNWIND_GOING_ON;
	case RULE_RETURN_IN_REGISTER:
		*cfa = sp + offset;
		*ip = value;
		return UNWIND_GOING_ON;
	case RULE_DEREF_INDEXED:
		return dereference(sp + value * 8, offset, cfa);
	}
	return UNWIND_BROKEN;
}

/* Replaces the registers by those of the caller, as the row says. */
static __always_inline enum unwind_cause unwind_caller(struct unwind_registers *regs,
						       struct unwind_row row, int *exact)
{
	__u64 cfa, ip = 0, fp = regs->of[REG_BP], frame[2];
	__u32 rule = row.at_rule & 0xff;
	__s64 offset = row.cfa_fp >> 8, place = (__s8)row.cfa_fp;
	enum unwind_cause cause;

	if (rule == RULE_CFA_SP)
		cfa = regs->of[REG_SP] + offset;
	else if (rule == RULE_CFA_FP)
		cfa = fp + offset;
	else if (rule == RULE_SIGNAL)
		return leave_signal(regs, exact);
	else if (rule == RULE_ROOT)
		return UNWIND_COMPLETE;
	else if (rule == RULE_FRAME_POINTER)
		return unwind_by_frame_pointer(regs, exact);
	else if (rule == RULE_UNSUPPORTED)
		return offset;
	else if (rule == RULE_NONE)
		return UNWIND_NO_ROW;
	else {
		cause = machine_rule(regs, rule, offset, *exact, &cfa, &ip);
		if (cause)
			return cause;
	}

	if (place == -2) { /* as by push %rbp at entry: beside the return address */
		if (read_words(frame, 2, cfa - 16))
			return UNWIND_READ_FAULT;
		return enter_caller(regs, cfa, frame[0], ip ? ip : frame[1], exact);
	}
	if (!ip && read_words(&ip, 1, cfa - 8))
		return UNWIND_READ_FAULT;
	if (place == FP_LOST)
		fp = 0;
	else if (place && read_words(&fp, 1, place == FP_AT_FP ? fp : cfa + place * 8))
		return UNWIND_READ_FAULT;
	return enter_caller(regs, cfa, fp, ip, exact);
}

#endif
#endif
