/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of the ABI in unwind.h that only x86-64 has: registers and rules. */
#ifndef UNWIND_X86_64_H
#define UNWIND_X86_64_H

#include <linux/types.h>

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
	RULE_PLT = 7,
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

#endif
