/* Matchers over labels, as in Prometheus and Alertmanager: `name="value"` and with !=, =~, !~. All
 * of a list have to hold; a label that is not there is "". Regular expressions are those of
 * alert/regex.h. One that does not say whether it matches must not hide an alert: what hides takes
 * it for no match, what tells for a match.
 */
#ifndef MOONWATCH_ALERT_MATCHER_H
#define MOONWATCH_ALERT_MATCHER_H

#include "alert/labels.h"
#include "base/text.h"
#include "config/values.h"

enum matcher_operator {
    MATCHER_EQUAL,
    MATCHER_NOT_EQUAL,
    MATCHER_REGEX,
    MATCHER_NOT_REGEX,
    MATCHER_OPERATOR_COUNT
};

#define MATCHER_ERROR_BYTES 160
#define MATCHERS_MAX 64

struct matchers;

/* Parses a list as `severity=~"error|critical", mount!="/tmp"`, with or without braces around it;
 * quotes may be left out around letters, digits and . _ - / : . On -EINVAL `error` says what is
 * wrong and where. */
int matchers_parse(struct matchers **ret, const char *text, char error[MATCHER_ERROR_BYTES]);
/* The pairs of `equal` and the texts, each as above. On -EINVAL `*ret_index` is the text that is
 * wrong. Nothing at all gives a list that matches everything. */
int matchers_create(struct matchers **ret, const struct config_map *equal,
                    const struct config_strings *texts, size_t *ret_index,
                    char error[MATCHER_ERROR_BYTES]);
void matchers_destroy(struct matchers *matchers); /* NULL is fine */

size_t matchers_count(const struct matchers *matchers);
/* `index` below the count. */
const char *matchers_name(const struct matchers *matchers, size_t index);
enum matcher_operator matchers_operator(const struct matchers *matchers, size_t index);
/* The value, or the pattern, as it is written. */
const char *matchers_value(const struct matchers *matchers, size_t index);
/* The only value that this one holds for; NULL when there may be others or none. */
const char *matchers_only_value(const struct matchers *matchers, size_t index);
/* Whether no value of the label of this one satisfies all that are about it, as far as it can be
 * told without the values there are. */
bool matchers_exclude_all(const struct matchers *matchers, size_t index);
/* Whether one of them is the same as the `index`-th of `others`. */
bool matchers_have(const struct matchers *matchers, const struct matchers *others, size_t index);
/* Whether this one of them holds for a value of its label, or does not say. */
bool matchers_may_hold(const struct matchers *matchers, size_t index, const char *value);
/* Whether it may hold for any value that begins so. */
bool matchers_may_begin(const struct matchers *matchers, size_t index, const char *begin);
/* Whether they match for sure. `severity` stands for the label of that name, which changes while an
 * alert lives; NULL: what the labels say. */
bool matchers_match(const struct matchers *matchers, const struct labels *labels,
                    const char *severity);
/* The same; regular expressions use up `*left_ns` of the processor's time, then they match nothing.
 */
bool matchers_match_within(const struct matchers *matchers, const struct labels *labels,
                           const char *severity, uint64_t *left_ns);
/* Whether it is not sure that they do not match. */
bool matchers_may_match(const struct matchers *matchers, const struct labels *labels,
                        const char *severity);
/* The same over pairs that are not in a set yet; of equal names the last counts. */
bool matchers_may_match_pairs(const struct matchers *matchers, const struct label *pairs,
                              size_t count);
/* Whether the list may match what has no label at all, so that it matches nearly everything. */
bool matchers_match_nothing(const struct matchers *matchers);
/* Regular expressions that did not say, ever. */
uint64_t matchers_undecided_total(void);
/* The list in the form that matchers_parse() takes, with braces. */
void matchers_format(const struct matchers *matchers, struct text *out);

#endif
