/* Answers as files that read well in a diff, and their comparison with those that were recorded.
 * With MOONWATCH_RECORD in the environment they are written instead. */
#ifndef TEST_RECORDED_ANSWER_H
#define TEST_RECORDED_ANSWER_H

#include "base/file.h"
#include "base/text.h"
#include "paths.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANSWER_BYTES_MAX (8 << 20)

static inline void answer_new_line(struct text *out, unsigned depth)
{
    text_printf(out, "\n%*s", 2 * (int)depth, "");
}

/* Adds line breaks where JSON may have them, and changes nothing else: all numbers and strings stay
 * as they were written. An answer has no such white space of its own. */
static inline void answer_add_json(struct text *out, const char *json)
{
    unsigned depth = 0;
    bool quoted = false;

    for (const char *c = json; *c; c++) {
        bool opens = !quoted && strchr("{[", *c), closes = !quoted && strchr("}]", *c);

        if (closes && !strchr("{[", c[-1]))
            answer_new_line(out, depth - 1);
        text_add_char(out, *c);
        if (quoted && *c == '\\')
            text_add_char(out, *++c);
        else if (*c == '"')
            quoted = !quoted;
        depth += opens;
        depth -= closes;
        if ((opens && !strchr("}]", c[1])) || (!quoted && *c == ','))
            answer_new_line(out, depth);
        if (!quoted && *c == ':')
            text_add_char(out, ' ');
    }
}

/* The version is the one thing that a release changes. */
static inline char *answer_without_version(const char *answer)
{
    static const char version[] = "\"" MOONWATCH_VERSION "\"";
    struct text out;
    const char *at;

    text_init(&out, ANSWER_BYTES_MAX);
    while ((at = strstr(answer, version))) {
        text_add_n(&out, answer, (size_t)(at - answer));
        text_add(&out, "\"VERSION\"");
        answer = at + strlen(version);
    }
    text_add(&out, answer);
    assert_false(out.failed);
    return text_steal(&out);
}

static inline void answer_write(const char *path, const char *answer)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(answer, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline char *answer_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *ret = calloc(1, ANSWER_BYTES_MAX);

    if (!file)
        fail_msg("%s is not there: MOONWATCH_RECORD=1 records the answers", path);
    assert_non_null(ret);
    assert_true(fread(ret, 1, ANSWER_BYTES_MAX - 1, file) < ANSWER_BYTES_MAX - 1);
    fclose(file);
    return ret;
}

/* Prints the first line that differs. */
static inline bool answer_same(const char *path, const char *recorded, const char *answer)
{
    unsigned line = 1;

    for (;; line++) {
        size_t was = strcspn(recorded, "\n"), is = strcspn(answer, "\n");

        if (was != is || memcmp(recorded, answer, is) != 0 || recorded[was] != answer[is]) {
            print_error("%s:%u:\n  recorded: %.*s\n  now:      %.*s\n", path, line, (int)was,
                        recorded, (int)is, answer);
            return false;
        }
        if (!recorded[was])
            return true;
        recorded += was + 1;
        answer += is + 1;
    }
}

/* Whether `answer` is what stands in the file NAME of `directory`; after recording it is. */
static inline bool answer_is_recorded(const char *directory, const char *name, const char *answer)
{
    char path[512], *recorded, *now = answer_without_version(answer);
    bool same = true;

    snprintf(path, sizeof(path), "%s/%s/%s", TEST_RECORDED, directory, name);
    if (getenv("MOONWATCH_RECORD")) {
        char folder[512];

        snprintf(folder, sizeof(folder), "%s/%s", TEST_RECORDED, directory);
        assert_int_equal(dir_create_all(folder, 0755), 0);
        answer_write(path, now);
    } else {
        recorded = answer_read(path);
        same = answer_same(path, recorded, now);
        free(recorded);
    }
    free(now);
    return same;
}

#endif
