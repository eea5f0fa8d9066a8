/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ABI between the walk of CPython's frames and the collector. Its mirror in user space is
 * collector/unwind/python/abi.py; a test compares the two as the C compiler lays this file out.
 *
 * Maps, by name:
 *
 *   python_processes   hash: tgid -> struct python_process
 *   python_codes       ring buffer of struct python_code: code objects not seen before
 *   python_seen        LRU hash: struct python_code -> __u8, those that were seen
 *   python_state       per-CPU array: 0 -> struct python
 *   python_later       array, mapped by the collector: likewise for walks of saved stacks
 *   python_causes      per-CPU array: enum python_cause -> __u64 walks that ended so
 *
 * A Python frame stands among the addresses of a stack as two words, innermost first like they:
 *
 *   PYTHON_TAG | kind << PYTHON_KIND_SHIFT | address of the code object
 *   checksum of the code object << 32 | place in its instructions
 *
 * The frames that one run of the interpreter's loop executes follow the address of that run.
 */
#ifndef PYTHON_H
#define PYTHON_H

#include <linux/types.h>

#define PYTHON_TAG (1ULL << 63) /* no address in user space has it */

enum {
	PYTHON_KIND_SHIFT = 56, /* user addresses end at 2^56, with five levels of page tables */
	PYTHON_FRAMES = 256,	/* of one stack; two words each */
	PYTHON_SAVED_FRAMES = 128, /* of a stack that is saved */
	PYTHON_MORE_FRAMES = 1024, /* beyond them, passed over: Python's own limit is 1,000 */
	PYTHON_FRAME_SIZE = 128, /* bytes read of a frame and of a code object, at most */
	PYTHON_CODE_SIZE = 256,
	PYTHON_EVAL_RANGES = 2,	/* the loop's function and its .cold part */
	THREAD_STATE_SIZE = 360, /* of 3.11, the largest that has a CFrame in it */
};

enum python_kind {
	PYTHON_FRAME,	 /* as above */
	PYTHON_NO_FRAME, /* a run of the loop whose frame is not linked yet, or no longer */
	PYTHON_CUT,	 /* frames are missing from here on; the second word is enum python_cause */
};

/* How runs of the loop show in the frames that they execute. */
enum python_runs {
	RUNS_BY_CODE,	/* 3.8, 3.9: one frame each; a run is told by its return address */
	RUNS_BY_CFRAME, /* 3.10: one frame each, and a CFrame on the stack */
	RUNS_BY_FLAG,	/* 3.11: a flag in the last frame of a run, and a CFrame on the stack */
	RUNS_BY_FRAME,	/* from 3.12 on: a frame on the stack, whose owner is OWNER_STACK or above */
	OWNER_STACK = 3,
};

/* Offsets in bytes into CPython's structures. */
struct python_layout {
	__u16 runs;		/* enum python_runs */
	__u16 thread_id;	/* PyThreadState: pthread_self() of the thread that it belongs to */
	__u16 thread_frame;	/* PyThreadState: the innermost frame; 0: it is in the CFrame */
	__u16 thread_cframe;	/* PyThreadState: the innermost CFrame */
	__u16 cframe_frame;
	__u16 cframe_previous;
	__u16 frame_size;
	__u16 frame_previous;
	__u16 frame_code;
	__u16 frame_place;	/* index, or where code_instructions is set, a pointer into the code */
	__u16 frame_owner;	/* the owner, or the flag */
	__u16 code_size;
	__u16 code_type;
	__u16 code_line;
	__u16 code_file;
	__u16 code_name;
	__u16 code_lines;
	__u16 code_instructions;
};

struct python_process {
	__u64 code_type; /* the address of PyCode_Type */
	/*
	 * Where a thread keeps its PyThreadState: `slot` bytes behind its base, or where slot_block
	 * is not 0, behind what base + slot_block points to.
	 */
	__u32 slot_block;
	__u32 slot;
	struct {
		__u64 start;
		__u64 end;
	} eval[PYTHON_EVAL_RANGES]; /* of _PyEval_EvalFrameDefault, for RUNS_BY_CODE */
	struct python_layout layout;
	__u32 padding;
};

struct python_code {
	__u64 address;
	__u32 tgid;
	__u32 checksum;
};

/* Why the walk over the frames of a thread ended. */
enum python_cause {
	PYTHON_GOING_ON,     /* in the end: the process has no interpreter that is known */
	PYTHON_COMPLETE,
	PYTHON_NO_THREAD,    /* the thread has no PyThreadState: it runs no Python */
	PYTHON_WRONG_THREAD, /* the PyThreadState found belongs to another thread */
	PYTHON_READ_FAULT,   /* a frame or code object could not be read */
	PYTHON_NOT_CODE,     /* what should be a code object is none */
	PYTHON_TORN,	     /* 3.11, 3.12: a run of the loop was about to link its first frame */
	PYTHON_TOO_DEEP,     /* PYTHON_FRAMES frames */
	PYTHON_UNPLACED,     /* frames whose run of the loop is not on the native stack */
	PYTHON_TOO_EARLY,    /* a saved stack from before the interpreter was known */
	PYTHON_CAUSES,
};

/* One frame; `run` is where its run of the loop shows on the stack, in the first of each run. */
struct python_frame {
	__u64 code;
	__u64 place; /* the second word, see above */
	__u64 run;
};

/* The Python frames of a thread, which are yet to be woven into its native stack. */
struct python_chain {
	__u64 torn;  /* a CFrame that was left out, for it was not filled yet */
	__u32 cause; /* enum python_cause */
	__u32 count; /* of frames */
	__u32 next;  /* the first that is not on the stack yet */
	__s32 shift; /* frame i belongs to run i + shift: the loop was about to link or unlink one */
};

struct python {
	struct python_process process;
	struct python_chain chain;
	__u32 tgid;
	__u32 putting; /* the frames of a run follow */
	struct python_frame frames[PYTHON_FRAMES];
	struct python_chain collected; /* `chain` before the walk */
	/* While they are collected: */
	__u64 first;  /* of the current run */
	__u64 thread; /* PyThreadState */
	__u64 at;     /* the frame to be read next */
	__u64 run;    /* the CFrame of the current run */
	__u64 outside; /* the frame that the run outside the first one executes; 0: not asked for */
	__u8 frame[PYTHON_FRAME_SIZE];
	__u8 code[PYTHON_CODE_SIZE];
};

#endif
