/* What the verifier objects to, found in logs of several kernels. */
#include "probe/reason.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DUMP                                                                                       \
    "0: R1=ctx() R10=fp0\n"                                                                        \
    "; return load(ctx); @ refused.bpf.c:12\n"                                                     \
    "0: (61) r0 = *(u32 *)(r1 +4)\n"
#define OBJECTION "invalid bpf_context access off=4 size=4"
#define PROCESSED                                                                                  \
    "processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 "        \
    "mark_read 0\n"

static void the_objection_is_found_whatever_follows(void **state)
{
    static const char *const logs[] = {
        DUMP OBJECTION "\n" PROCESSED,
        DUMP OBJECTION "\n" PROCESSED "-- END PROG LOAD LOG --\n",
        DUMP OBJECTION "\n"
                       "verification time 31 usec\nstack depth 0+8\n" PROCESSED,
        DUMP OBJECTION "\n\nVerification failed: access to the context\n"
                       "  at refused.bpf.c:12\nhint: use a field that may be read\n" PROCESSED,
        DUMP OBJECTION "\nVerification failed:\n" PROCESSED,
        DUMP OBJECTION "\n" PROCESSED "what no kernel says yet: 17\nnor this\n",
        DUMP OBJECTION,
        OBJECTION "\r\n \n\n",
    };
    char said[REASON_LINE_BYTES];

    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        reason_of_log(logs[i], said);
        assert_string_equal(said, OBJECTION);
    }
}

static void a_log_that_says_nothing_has_none(void **state)
{
    static const char *const logs[] = {"", "\n\n", PROCESSED, "-- END PROG LOAD LOG --\n"};
    char said[REASON_LINE_BYTES];

    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        reason_of_log(logs[i], said);
        assert_string_equal(said, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_objection_is_found_whatever_follows),
        cmocka_unit_test(a_log_that_says_nothing_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
