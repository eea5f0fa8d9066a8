/*
 * One function for each rule that compilers seldom write. Each takes the address of a function to
 * call, or spins where the rule only holds in the innermost frame.
 */
	.text

/* CFA = *(rsp + 16) + 8: OpenSSL's way to keep the old stack pointer on a realigned stack. */
	.globl rule_deref_sp
	.type rule_deref_sp, @function
rule_deref_sp:
	.cfi_startproc
	movq %rsp, %rax
	.cfi_def_cfa_register %rax
	subq $64, %rsp
	andq $-64, %rsp
	movq %rax, 16(%rsp)
	.cfi_escape 0x0f, 5, 0x77, 16, 0x06, 0x23, 8
	call *%rdi
	movq 16(%rsp), %rsp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size rule_deref_sp, . - rule_deref_sp

/* CFA = *(rsp + 8 + 8 * r9) + 8: OpenSSL's Montgomery multiplication. */
	.globl rule_deref_indexed
	.type rule_deref_indexed, @function
rule_deref_indexed:
	.cfi_startproc
	movq %rsp, %rax
	.cfi_def_cfa_register %rax
	movl $5, %r9d
	subq $64, %rsp
	movq %rax, 8(%rsp, %r9, 8)
	.cfi_escape 0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8
1:	jmp 1b
	.cfi_endproc
	.size rule_deref_indexed, . - rule_deref_indexed

/* CFA = r10 + 8, as GCC has it while it realigns a stack. */
	.globl rule_register
	.type rule_register, @function
rule_register:
	.cfi_startproc
	leaq 8(%rsp), %r10
	.cfi_def_cfa %r10, 0
	andq $-64, %rsp
1:	jmp 1b
	.cfi_endproc
	.size rule_register, . - rule_register

/* The return address is in rdi, as while vfork is in the kernel. */
	.globl rule_return_in_register
	.type rule_return_in_register, @function
rule_return_in_register:
	.cfi_startproc
	popq %rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
1:	jmp 1b
	.cfi_endproc
	.size rule_return_in_register, . - rule_return_in_register

/* A lazy binding stub before its push (at 0) and after it (at 11). */
	.macro stub name, pushes
	.globl \name
	.type \name, @function
	.p2align 4
\name:
	.cfi_startproc
	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22
	.if \pushes
	pushq $1
	.nops 9
	.endif
1:	jmp 1b
	.p2align 4
	.cfi_endproc
	.size \name, . - \name
	.endm
	stub rule_stub_before, 0
	stub rule_stub_after, 1

/* An expression of a form that nobody writes: CFA = rsp + 8, negated twice. */
	.globl rule_expression
	.type rule_expression, @function
rule_expression:
	.cfi_startproc
	.cfi_escape 0x0f, 4, 0x77, 8, 0x1f, 0x1f
1:	jmp 1b
	.cfi_endproc
	.size rule_expression, . - rule_expression

/* Nothing says how to leave this one. */
	.globl rule_none
	.type rule_none, @function
	.p2align 6
	.skip 64, 0xf4
rule_none:
1:	jmp 1b
	.skip 64, 0xf4
	.size rule_none, . - rule_none

	.section .note.GNU-stack, "", @progbits
