/* What a metric is, without its values: each family is declared where it is written, and what is
 * declared can be looked up without writing a page. */
#ifndef MOONWATCH_MODEL_METRIC_H
#define MOONWATCH_MODEL_METRIC_H

#include "abi/concerns.h"
#include <stdbool.h>
#include <stddef.h>

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO, METRIC_HISTOGRAM };

/* What the configuration must have or not switch off, or there is never a sample. */
#define NEED(id, ...) NEED_##id,
enum metric_need {
    NEED_NOTHING,
    CONCERN_ROWS(NEED) /* that the concern is not off */
    NEED_SLOW_WAITS,
    NEED_STALLS,
    NEED_CALLS,
    NEED_UPSTREAMS,
    NEED_CHECKS,
    NEED_BREAKERS,
    NEED_BUDGET,
    NEED_HEALTH,
    NEED_PAGE, /* it tells of the page, so who reads samples gets none */
    NEED_COUNT,
};
#undef NEED

struct metric_family {
    const char *name; /* of the family: without `_total`, `_info` */
    enum metric_type type;
    const char *help; /* one line, no quotes or backslashes */
    /* Where they are not those of the whole table. */
    const char *labels;
    enum metric_need need;
};

/* One family, or a table of them: in each row of `stride` bytes; without a name there is none. */
struct metric_declaration {
    const struct metric_family *first;
    size_t stride, count;
    const char *labels; /* their names with a space after each */
    enum metric_need need;
};

/* A statement inside the function that writes the families; all the arguments are constant. The
 * linker makes one table of the pointers. */
#define METRIC_DECLARE(first_, stride_, count_, labels_, need_)                                    \
    do {                                                                                           \
        static const struct metric_declaration declaration_ = {(first_), (stride_), (count_),      \
                                                               (labels_), (need_)};                \
        static const struct metric_declaration *const declared_                                    \
            __attribute__((used, section("metric_declarations"))) = &declaration_;                 \
    } while (0)

/* The same beside a table at file scope. */
#define METRIC_DECLARE_AT(name_, first_, stride_, count_, labels_, need_)                          \
    static const struct metric_declaration name_ = {(first_), (stride_), (count_), (labels_),      \
                                                    (need_)};                                      \
    static const struct metric_declaration *const name_##_declared                                 \
        __attribute__((used, section("metric_declarations"))) = &name_

#define METRIC_NAME_BYTES 128

struct metric {
    char name[METRIC_NAME_BYTES]; /* of its samples: with the suffix */
    enum metric_type type;
    const char *help;
    const char *labels; /* as in struct metric_declaration */
    enum metric_need need;
};

/* What follows the family's name in that of a sample: "", "_total", "_info". */
const char *metric_suffix(enum metric_type type);
const char *metric_type_name(enum metric_type type); /* "gauge" ... */
/* "seconds", "bytes", "ratio", or "" of a number of things. */
const char *metric_unit(const char *family);

/* Calls `fn` for each metric there may be samples of; of a histogram for its _sum and its _count.
 */
void metric_each(void (*fn)(void *ctx, const struct metric *metric), void *ctx);
/* False when there is none. Without anything declared (a program that writes no page) there is
 * none, and metric_any_declared() is false. */
bool metric_find(const char *name, struct metric *ret);
bool metric_any_declared(void);
/* Whether `name` is a histogram's, or what it has no samples of for a rule, as its buckets; `ret`
 * is then the family, which has _count and _sum. */
bool metric_histogram(const char *name, char ret[METRIC_NAME_BYTES]);
/* The metric a misspelt name is most like; "" when none is near. */
void metric_nearest(const char *name, char ret[METRIC_NAME_BYTES]);
bool metric_has_label(const struct metric *metric, const char *label);

#endif
