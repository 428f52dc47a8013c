/* Which instructions of a BPF function can run, as the verifier sees it: branches on constants are
 * decided. That is how a program's code for another kernel is told from code that would be refused.
 */
#ifndef MOONWATCH_TEST_REACH_H
#define MOONWATCH_TEST_REACH_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

/* What relocation writes into an instruction. */
enum reach_known { REACH_AS_IS, REACH_UNKNOWN, REACH_FALSE, REACH_TRUE };

/* `known` has one entry for each instruction; sets `ret_reached` (as many) to what can run from the
 * first on. Calls are not followed. 0, or -ENOMEM. */
int reach_mark(const struct bpf_insn *code, size_t count, const enum reach_known *known,
               bool *ret_reached);

#endif
