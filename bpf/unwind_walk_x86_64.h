/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk's steps on x86-64, for unwind_walk.h:
 *
 *   unwind_user_registers(ctx, registers)   those that the thread had in user mode
 *   unwind_ip(thread)
 *   unwind_caller(thread, row)              goes on in the caller, as a row says
 *   unwind_by_frame_pointer(thread, other)  likewise, without a row; perhaps on another stack
 *   unwind_thread_base()                    what pthread_self() returns in the current thread
 *   unwind_sp(thread)
 *
 * Who includes it may define CONTEXT_HAS_REGISTERS as what tells whether `ctx` begins with registers,
 * as that of a perf event does.
 */
#ifndef UNWIND_WALK_X86_64_H
#define UNWIND_WALK_X86_64_H

#include <linux/bpf_perf_event.h>
#include "unwind.h"

#ifndef CONTEXT_HAS_REGISTERS
#define CONTEXT_HAS_REGISTERS 1
#endif

enum {
	USER_CODE = 0x33,		 /* __USER_CS: 64-bit code */
	USER_CODE_32 = 0x23,		 /* __USER32_CS */
	SIGNAL_REGISTERS = 40,		 /* from sp: uc_flags, uc_link and uc_stack come first */
	THREAD_SIZE_BEFORE_5_15 = 16384, /* without KASAN */
	PLT_STUB_SIZE = 16,
};

static __always_inline __u64 unwind_ip(const struct unwind_thread *thread)
{
	return thread->registers[REG_IP];
}

static __always_inline __u64 unwind_sp(const struct unwind_thread *thread)
{
	return thread->registers[REG_SP];
}

struct thread_struct___unwind {
	unsigned long fsbase;
} __attribute__((preserve_access_index));

struct task_struct___thread {
	struct thread_struct___unwind thread;
} __attribute__((preserve_access_index));

static __always_inline __u64 unwind_thread_base(void)
{
	struct task_struct___thread *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread.fsbase);
}

static __always_inline __u64 unwind_saved_sp(const struct unwind_saved *saved)
{
	return saved->registers[REG_SP];
}

/* Volatile: clang would else load through a modified context pointer, which no verifier takes. */
static __always_inline void copy_registers(__u64 *to, const volatile struct pt_regs *from)
{
	to[REG_R8] = from->r8;
	to[REG_R9] = from->r9;
	to[REG_R10] = from->r10;
	to[REG_R11] = from->r11;
	to[REG_R12] = from->r12;
	to[REG_R13] = from->r13;
	to[REG_R14] = from->r14;
	to[REG_R15] = from->r15;
	to[REG_DI] = from->rdi;
	to[REG_SI] = from->rsi;
	to[REG_BP] = from->rbp;
	to[REG_BX] = from->rbx;
	to[REG_DX] = from->rdx;
	to[REG_AX] = from->rax;
	to[REG_CX] = from->rcx;
	to[REG_SP] = from->rsp;
	to[REG_IP] = from->rip;
}

static __always_inline enum unwind_cause user_code(__u64 cs, __u64 ip)
{
	cs &= 0xffff; /* FRED keeps other bits above */
	if (cs == USER_CODE && ip) /* an io_uring worker has no user code: ip is 0 */
		return UNWIND_GOING_ON;
	return cs == USER_CODE_32 ? UNWIND_FOREIGN : UNWIND_NO_USER;
}

/* The registers that the thread entered the kernel with, at the end of its kernel stack. */
static __always_inline enum unwind_cause entry_registers(__u64 *registers)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		const volatile struct pt_regs *entry =
			(void *)bpf_task_pt_regs(bpf_get_current_task_btf());

		copy_registers(registers, entry);
		return user_code(entry->cs, entry->rip);
	} else {
		struct task_struct___unwind *task = (void *)bpf_get_current_task();
		struct pt_regs entry;
		char *stack = NULL;

		bpf_core_read(&stack, sizeof(stack), &task->stack);
		stack += THREAD_SIZE_BEFORE_5_15 - sizeof(entry);
		if (bpf_probe_read_kernel(&entry, sizeof(entry), stack))
			return UNWIND_NO_USER;
		copy_registers(registers, &entry);
		return user_code(entry.cs, entry.rip);
	}
}

/* The thread's registers in user mode, wherever the sample fell. */
static __always_inline enum unwind_cause unwind_user_registers(void *ctx, __u64 *registers)
{
	const volatile struct bpf_perf_event_data *data = ctx;

	if (!CONTEXT_HAS_REGISTERS || (data->regs.cs & 3) != 3)
		return entry_registers(registers);
	copy_registers(registers, &data->regs);
	return user_code(data->regs.cs, data->regs.rip);
}

/* Reads the thread's stack: its own, or what was saved of it. */
static __always_inline int read_words(const struct unwind_thread *thread, void *to, __u32 count,
				      __u64 from)
{
	if (thread->saved) {
		from -= thread->saved_from;
		if (from > UNWIND_SAVED_BYTES || from + count * sizeof(__u64) > thread->saved_size)
			return -1;
		from += thread->saved;
	}
	return bpf_probe_read_user(to, count * sizeof(__u64), (void *)from);
}

static __always_inline enum unwind_cause read_fault(const struct unwind_thread *thread)
{
	return thread->saved ? UNWIND_NOT_SAVED : UNWIND_READ_FAULT;
}

/* Goes on in the caller, which continues at `ip`. */
static __always_inline enum unwind_cause enter_caller(struct unwind_thread *thread, __u64 cfa,
						      __u64 fp, __u64 ip)
{
	__u64 *registers = thread->registers;

	if (!ip) /* what starts a thread without a caller pushes 0 for it */
		return UNWIND_COMPLETE;
	if (ip == registers[REG_IP] && cfa == registers[REG_SP])
		return UNWIND_NO_PROGRESS;
	registers[REG_IP] = ip;
	registers[REG_SP] = cfa;
	registers[REG_BP] = fp;
	thread->exact = 0;
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

static __always_inline enum unwind_cause unwind_by_frame_pointer(struct unwind_thread *thread,
								 int other_stack)
{
	__u64 sp = thread->registers[REG_SP], fp = thread->registers[REG_BP], frame[2];
	int words = -1;

	if (thread->exact && !thread->saved) /* what was saved is the stack, not the code */
		words = words_to_return_address(thread->registers[REG_IP]);
	if (words >= 0) {
		__u64 at = sp + 8 * words;

		if (read_words(thread, &frame[1], 1, at))
			return read_fault(thread);
		return enter_caller(thread, at + 8, fp, frame[1]);
	}
	if (!fp) /* the ABI: the outermost frame has none */
		return UNWIND_COMPLETE;
	if (fp & 7 || (fp < sp && !other_stack))
		return UNWIND_BAD_FRAME_POINTER;
	if (read_words(thread, frame, 2, fp))
		return read_fault(thread);
	return enter_caller(thread, fp + 16, frame[0], frame[1]);
}

/* The code that the signal interrupted goes on with the registers in the signal's frame. */
static __always_inline enum unwind_cause leave_signal(struct unwind_thread *thread)
{
	__u64 frame = thread->registers[REG_SP] + SIGNAL_REGISTERS;

	if (read_words(thread, thread->registers, UNWIND_REGISTERS, frame))
		return read_fault(thread);
	thread->exact = 1;
	return UNWIND_GOING_ON;
}

static __always_inline enum unwind_cause dereference(const struct unwind_thread *thread, __u64 base,
						     __s64 offset, __u64 *cfa)
{
	if (read_words(thread, cfa, 1, base + (offset >> 8) * 8))
		return read_fault(thread);
	*cfa += (__s8)offset * 8;
	return UNWIND_GOING_ON;
}

/* The rules that only x86-64 has: the CFA, and the return address if a register holds it. */
static __always_inline enum unwind_cause machine_rule(const struct unwind_thread *thread,
						      __u32 rule, __s64 offset, __u64 *cfa,
						      __u64 *ip)
{
	const __u64 *registers = thread->registers;
	__u64 sp = registers[REG_SP], value;
	__u32 number = rule & 31;

	if (rule == RULE_PLT) {
		int pushed = (registers[REG_IP] & (PLT_STUB_SIZE - 1)) >= (__u64)offset;

		*cfa = sp + 8 + 8 * pushed;
		return UNWIND_GOING_ON;
	}
	if (rule == RULE_DEREF_SP)
		return dereference(thread, sp, offset, cfa);
	if (rule == RULE_DEREF_FP)
		return dereference(thread, registers[REG_BP], offset, cfa);
	if (number >= UNWIND_REGISTERS)
		return UNWIND_BROKEN;
	if (!thread->exact)
		return UNWIND_REGISTER;
	value = registers[number];
	switch (rule - number) {
	case RULE_REGISTER:
		*cfa = value + offset;
		return UNWIND_GOING_ON;
	case RULE_RETURN_IN_REGISTER:
		*cfa = sp + offset;
		*ip = value;
		return UNWIND_GOING_ON;
	case RULE_DEREF_INDEXED:
		return dereference(thread, sp + value * 8, offset, cfa);
	}
	return UNWIND_BROKEN;
}

/* Replaces the registers by those of the caller, as the row says. */
static __always_inline enum unwind_cause unwind_caller(struct unwind_thread *thread,
						       struct unwind_row row)
{
	__u64 cfa, ip = 0, fp = thread->registers[REG_BP], frame[2];
	__u32 rule = row.at_rule & 0xff;
	__s64 offset = row.cfa_fp >> 8, place = (__s8)row.cfa_fp;
	enum unwind_cause cause;

	if (rule == RULE_CFA_SP)
		cfa = thread->registers[REG_SP] + offset;
	else if (rule == RULE_CFA_FP)
		cfa = fp + offset;
	else if (rule == RULE_SIGNAL)
		return leave_signal(thread);
	else if (rule == RULE_ROOT)
		return UNWIND_COMPLETE;
	else if (rule == RULE_FRAME_POINTER)
		return unwind_by_frame_pointer(thread, offset);
	else if (rule == RULE_UNSUPPORTED)
		return offset;
	else if (rule == RULE_NONE)
		return UNWIND_NO_ROW;
	else {
		cause = machine_rule(thread, rule, offset, &cfa, &ip);
		if (cause)
			return cause;
	}

	if (place == -2) { /* as by push %rbp at entry: beside the return address */
		if (read_words(thread, frame, 2, cfa - 16))
			return read_fault(thread);
		return enter_caller(thread, cfa, frame[0], ip ? ip : frame[1]);
	}
	if (!ip && read_words(thread, &ip, 1, cfa - 8))
		return read_fault(thread);
	if (place == FP_LOST)
		fp = 0;
	else if (place && read_words(thread, &fp, 1, place == FP_AT_FP ? fp : cfa + place * 8))
		return read_fault(thread);
	return enter_caller(thread, cfa, fp, ip);
}

#endif
