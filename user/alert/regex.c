#include "alert/regex.h"
#include "alert/regex_syntax.h"
#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* The matcher goes through the value once and keeps the states it may be in: its time is at most
 * the length times the square of their number. Both together are within a few milliseconds. */
#define VALUE_BYTES_MAX 4096
#define LONG_VALUE_BYTES 512
#define STATES_MAX 200
#define LONG_VALUE_STATES_MAX 100
/* Of pcre2_dfa_match(): two lists of states of three ints, and two more. */
#define WORKSPACE(states) (6 * (size_t)(states) + 2)
#define OPTIONS                                                                                    \
    (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |  \
     PCRE2_NO_AUTO_POSSESS)

struct regex {
    size_t bytes;
    pcre2_general_context *general;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    pcre2_code *code;
};

static const char replacement[3] = {(char)0xef, (char)0xbf, (char)0xbd}; /* U+FFFD */
static uint64_t undecided_total;

/* What is allocated for a regex, behind its size. */
union block {
    size_t bytes;
    max_align_t align;
};

static void *take(PCRE2_SIZE bytes, void *ctx)
{
    struct regex *regex = ctx;
    union block *block;

    if (bytes > REGEX_BYTES_MAX - regex->bytes)
        return NULL;
    block = malloc(sizeof(*block) + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    regex->bytes += bytes;
    return block + 1;
}

static void give_back(void *memory, void *ctx)
{
    struct regex *regex = ctx;
    union block *block = memory;

    if (!block)
        return;
    block--;
    regex->bytes -= block->bytes;
    free(block);
}

void regex_destroy(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->data);
    pcre2_match_context_free(regex->limits);
    pcre2_general_context_free(regex->general);
    free(regex);
}

static int explain(int code, PCRE2_SIZE at, char *error, size_t error_bytes)
{
    char why[120];

    if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_PATTERN_TOO_LARGE) {
        snprintf(error, error_bytes,
                 "it takes more than %d bytes when compiled (allowed: fewer repeats)",
                 REGEX_BYTES_MAX);
        return -EINVAL;
    }
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
    snprintf(error, error_bytes, "at its byte %zu: %s", at + 1, why);
    return -EINVAL;
}

static int compile(struct regex *regex, const char *pattern, char *error, size_t error_bytes)
{
    pcre2_compile_context *context;
    PCRE2_SIZE at = 0;
    int code = 0;

    regex->general = pcre2_general_context_create(take, give_back, regex);
    context = pcre2_compile_context_create(regex->general);
    if (!context)
        return -ENOMEM;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, REGEX_NESTING_MAX);
    regex->code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, OPTIONS, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!regex->code)
        return explain(code, at, error, error_bytes);
    regex->limits = pcre2_match_context_create(regex->general);
    regex->data = pcre2_match_data_create(1, regex->general);
    if (!regex->limits || !regex->data)
        return -ENOMEM;
    /* Nothing that RE2 has makes it recurse or allocate. */
    pcre2_set_match_limit(regex->limits, 1000);
    pcre2_set_depth_limit(regex->limits, 1);
    pcre2_set_heap_limit(regex->limits, 0);
    return 0;
}

int regex_compile(struct regex **ret, const char *pattern, char *error, size_t error_bytes)
{
    struct regex *regex;
    int r = regex_check_syntax(pattern, error, error_bytes);

    if (r < 0)
        return r;
    regex = calloc(1, sizeof(*regex));
    if (!regex)
        return -ENOMEM;
    r = compile(regex, pattern, error, error_bytes);
    if (r < 0) {
        regex_destroy(regex);
        return r;
    }
    *ret = regex;
    return 0;
}

size_t regex_bytes(const struct regex *regex)
{
    return regex->bytes;
}

/* As Go's decoder: a byte that begins no character is one by itself. False: it gets too long. */
static bool repair(char ret[VALUE_BYTES_MAX], size_t *ret_bytes, const char *value, size_t bytes)
{
    size_t n = 0;

    while (bytes > 0) {
        size_t good = utf8_valid_prefix(value, bytes);
        bool bad = good < bytes;

        if (n + good + (bad ? sizeof(replacement) : 0) > VALUE_BYTES_MAX)
            return false;
        memcpy(ret + n, value, good);
        n += good;
        if (bad) {
            memcpy(ret + n, replacement, sizeof(replacement));
            n += sizeof(replacement);
        }
        value += good + bad;
        bytes -= good + bad;
    }
    *ret_bytes = n;
    return true;
}

/* PCRE2_ENDANCHORED is not kept by pcre2_dfa_match(), which goes on after a match that ends before
 * and then tells of it. The longest match is its first: if any ends with the value, that one. */
static int match(const struct regex *regex, const char *value, uint32_t options)
{
    int workspace[WORKSPACE(STATES_MAX)], r;
    char repaired[VALUE_BYTES_MAX];
    size_t bytes = strnlen(value, VALUE_BYTES_MAX + 1), states;

    if (bytes > VALUE_BYTES_MAX)
        return PCRE2_ERROR_MATCHLIMIT;
    if (utf8_valid_prefix(value, bytes) < bytes) {
        if (!repair(repaired, &bytes, value, bytes))
            return PCRE2_ERROR_MATCHLIMIT;
        value = repaired;
    }
    states = bytes > LONG_VALUE_BYTES ? LONG_VALUE_STATES_MAX : STATES_MAX;
    r = pcre2_dfa_match(regex->code, (PCRE2_SPTR)value, bytes, 0, options, regex->data,
                        regex->limits, workspace, WORKSPACE(states));
    return r >= 0 && pcre2_get_ovector_pointer(regex->data)[1] < bytes ? PCRE2_ERROR_NOMATCH : r;
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    /* The processor's time: a busy machine must not change what matches. */
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static int match_within(const struct regex *regex, const char *value, uint64_t *left_ns)
{
    uint64_t begin_ns, taken_ns;
    int r;

    if (!*left_ns)
        return PCRE2_ERROR_MATCHLIMIT;
    begin_ns = cpu_ns();
    r = match(regex, value, 0);
    taken_ns = cpu_ns() - begin_ns;
    *left_ns -= taken_ns < *left_ns ? taken_ns : *left_ns;
    return r;
}

enum regex_answer regex_match(const struct regex *regex, const char *value, uint64_t *left_ns)
{
    int r = left_ns ? match_within(regex, value, left_ns) : match(regex, value, 0);

    if (r >= 0)
        return REGEX_YES;
    if (r == PCRE2_ERROR_NOMATCH)
        return REGEX_NO;
    undecided_total++;
    return REGEX_UNDECIDED;
}

bool regex_may_begin(const struct regex *regex, const char *begin)
{
    return match(regex, begin, PCRE2_PARTIAL_HARD) != PCRE2_ERROR_NOMATCH;
}

uint64_t regex_undecided_total(void)
{
    return undecided_total;
}
