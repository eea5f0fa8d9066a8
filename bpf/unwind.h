/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ABI between the native unwinder and the collector. Its mirror in user space is
 * collector/unwind/abi.py; a test compares the two as the C compiler lays this file out.
 *
 * Maps, by name:
 *
 *   unwind_processes   hash: tgid -> struct unwind_process
 *   unwind_mappings    array of struct unwind_mapping, mapped by the collector; a process owns a
 *                      slice, sorted by address
 *   unwind_tables      array of arrays of struct unwind_page: the rows of one window of one file
 *   unwind_wanted      hash: struct unwind_want -> __u64, the stacks that ended for want of it
 *   unwind_epoch       array: 0 -> __u32, another one after each change of a table
 *   unwind_found       per-CPU array of struct unwind_found: rows that were found before
 *   unwind_state       per-CPU array: 0 -> struct unwind
 *   unwind_programs    program array: 0 -> unwind_next, which goes on where a program ran out of
 *                      frames. The kernel empties it when its last descriptor is closed
 *   unwind_later, unwind_later_programs   likewise for walks of saved stacks: see walk_later.h
 *
 * The maps of the walk of Python's frames stand in python.h.
 *
 * A file is cut into windows of 16 MiB. The addresses in a table are offsets in its window, so that
 * neither load address nor segment needs to be known in the kernel.
 */
#ifndef UNWIND_H
#define UNWIND_H

#include <linux/types.h>
#include "python.h"
#include "unwind_x86_64.h"

enum {
	UNWIND_WINDOW_BITS = 24,
	UNWIND_PAGE_ROWS = 512,
	UNWIND_INDEX_SIZE = 1024, /* pages of rows that one table can have */
	UNWIND_FOUND_BITS = 12,	  /* of 4,096 rows found before: 64 KiB a CPU */
	UNWIND_FRAMES = 32,	  /* steps a program: each a frame, native or Python's */
	UNWIND_PROGRAMS = 32,	  /* one more would pass the kernel's limit of tail calls */
	UNWIND_DEPTH = UNWIND_FRAMES * UNWIND_PROGRAMS,
	UNWIND_SAVED_PIECE = 1024,
	UNWIND_SAVED_BYTES = 28 * UNWIND_SAVED_PIECE, /* with what else is sent: up to 32 KiB, */
						      /* where a per-CPU value ends */
};

/*
 * From the address at_rule >> 8 of the window on, up to the next row: the rule at_rule & 255, with
 * the offset cfa_fp >> 8 (signed, in bytes) and the place of the caller's frame pointer
 * (__s8)cfa_fp, in words from the CFA.
 */
struct unwind_row {
	__u32 at_rule;
	__s32 cfa_fp;
};

/* What a search has found; `key` is made of the epoch, the table and the place in its window. */
struct unwind_found {
	__u64 key;
	struct unwind_row row;
};

/* Page 0 of a table holds the first at_rule of every other page, in order; unused: all ones. */
union unwind_page {
	struct unwind_row rows[UNWIND_PAGE_ROWS];
	__u32 first[UNWIND_INDEX_SIZE];
};

enum unwind_rule {
	RULE_NONE,	    /* no function here: small gaps between functions */
	RULE_ROOT,	    /* the outermost frame of a thread */
	RULE_UNSUPPORTED,   /* the offset is the enum unwind_cause */
	RULE_FRAME_POINTER, /* by frame pointer; offset 1: it may lead to another stack */
	RULE_SIGNAL,	    /* the return trampoline of a signal handler */
	RULE_CFA_SP,	    /* CFA = sp + offset */
	RULE_CFA_FP,	    /* CFA = fp + offset */
	RULES_MAX = 127,    /* 7 and more are the machine's own */
};

enum unwind_fp {
	FP_SAME = 0,	 /* the caller's is still in the register */
	FP_AT_FP = 127,	 /* saved where the frame pointer points to */
	FP_LOST = -128,	 /* not to be found; a later frame that needs it ends the stack */
};

struct unwind_process {
	__u32 first; /* its slice of unwind_mappings */
	__u32 count;
};

struct unwind_mapping {
	__u64 start; /* below 2^63: the old vsyscall page is left out */
	__u64 end;
	__u32 table; /* in unwind_tables; 0: code without a file, walked by frame pointer */
	__u32 at;    /* the offset of `start` in the table's window */
};

struct unwind_want {
	__u32 tgid;
	__u32 table; /* 0: the mappings of the process, which are unknown or out of date */
};

/* Why a stack ends where it ends. */
enum unwind_cause {
	UNWIND_GOING_ON,
	UNWIND_COMPLETE,	  /* the thread's root was reached */
	UNWIND_NO_USER,		  /* a kernel thread, or one that exits: there is no user stack */
	UNWIND_NO_PROCESS,	  /* the collector does not know the process yet */
	UNWIND_NO_MAPPING,	  /* an address outside of all known mappings */
	UNWIND_NO_TABLE,	  /* the table is not loaded yet */
	UNWIND_NO_ROW,		  /* an address between functions */
	UNWIND_BAD_FRAME_POINTER, /* the frame pointer does not point into the stack */
	UNWIND_READ_FAULT,	  /* the stack could not be read */
	UNWIND_NO_PROGRESS,	  /* a frame is its own caller */
	UNWIND_TOO_DEEP,	  /* UNWIND_DEPTH words */
	UNWIND_TAIL_CALL,	  /* the next program could not be called */
	UNWIND_FOREIGN,		  /* 32-bit code */
	UNWIND_EXPRESSION,	  /* a rule that is an expression of an unknown form */
	UNWIND_REGISTER,	  /* a rule on a register that only the innermost frame has */
	UNWIND_RETURN_ADDRESS,	  /* a return address in an unusual place */
	UNWIND_OFFSET,		  /* a rule with a number that a row cannot hold */
	UNWIND_BROKEN,		  /* the function's frame instructions cannot be read */
	UNWIND_NOT_SAVED,	  /* a saved stack that goes on beyond what was saved of it */
	UNWIND_CAUSES,
};

/* A thread in user mode, while its stack is walked. */
struct unwind_thread {
	__u64 registers[UNWIND_REGISTERS];
	/*
	 * 1: the registers are those of interrupted code, all of them known; 0: of a caller, whose
	 * ip is a return address and whose scratch registers are gone.
	 */
	__u64 exact;
	/* Where there is a copy of the stack to read, in our own memory; 0: read the stack itself. */
	__u64 saved;
	__u64 saved_from; /* the address of its first byte in the thread's memory */
	__u64 saved_size;
};

/* A walk: its result is words, count and cause. */
struct unwind {
	struct unwind_thread thread;
	struct unwind_mapping mapping; /* of the last frame: most callers are in the same */
	struct unwind_process process;
	__u32 tgid;
	__u32 cause; /* enum unwind_cause */
	__u32 count; /* of `words` that are used */
	__u32 epoch; /* of the tables, at the beginning */
	__u64 hash; /* of `words` */
	/*
	 * Addresses, innermost first, and Python's frames among them: see python.h. All addresses
	 * but the first are return addresses, so the call is at one less; what a signal interrupted
	 * is stored as one more than its address, so that this holds there too.
	 */
	__u64 words[UNWIND_DEPTH];
};

/* What a walk needs that ended for want of something, so that it can be done later. */
struct unwind_saved {
	__u64 registers[UNWIND_REGISTERS];
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 from;    /* the address of the first byte of `stack` */
	__u32 size; /* bytes of `stack` */
	__u32 tgid;
	struct python_chain python;
	/* Behind its used bytes, the frames of `python`. */
	__u8 stack[UNWIND_SAVED_BYTES + PYTHON_SAVED_FRAMES * sizeof(struct python_frame)];
};

#endif
