#include "alert/matcher.h"
#include "alert/matcher_parse.h"
#include "alert/regex.h"
#include "base/rooted_path.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matcher {
    enum matcher_operator op;
    struct regex *regex; /* NULL: the value itself */
    char *name, *value;
};

/* Of one list. */
#define REGEXES_BYTES_MAX (64 << 10)

struct matchers {
    size_t count, regex_bytes;
    struct matcher list[];
};

void matchers_destroy(struct matchers *matchers)
{
    if (!matchers)
        return;
    for (size_t i = 0; i < matchers->count; i++) {
        regex_destroy(matchers->list[i].regex);
        free(matchers->list[i].name);
        free(matchers->list[i].value);
    }
    free(matchers);
}

static int compile(struct matchers *matchers, struct matcher *matcher,
                   char error[MATCHER_ERROR_BYTES])
{
    char why[MATCHER_ERROR_BYTES - 40];
    int r;

    if (matcher->op != MATCHER_REGEX && matcher->op != MATCHER_NOT_REGEX)
        return 0;
    r = regex_compile(&matcher->regex, matcher->value, why, sizeof(why));
    if (r == -EINVAL)
        snprintf(error, MATCHER_ERROR_BYTES, "the regular expression is wrong: %s", why);
    if (r < 0)
        return r;
    matchers->regex_bytes += regex_bytes(matcher->regex);
    if (matchers->regex_bytes > REGEXES_BYTES_MAX) {
        snprintf(error, MATCHER_ERROR_BYTES,
                 "the regular expressions take more than %d bytes when compiled",
                 REGEXES_BYTES_MAX);
        return -EINVAL;
    }
    return 0;
}

static int add(struct matchers **matchers, enum matcher_operator op, const char *name,
               const char *value, char error[MATCHER_ERROR_BYTES])
{
    size_t count = *matchers ? (*matchers)->count : 0;
    struct matchers *grown;
    struct matcher *matcher;

    if (count == MATCHERS_MAX) {
        snprintf(error, MATCHER_ERROR_BYTES, "more than %d matchers", MATCHERS_MAX);
        return -EINVAL;
    }
    grown = realloc(*matchers, sizeof(*grown) + (count + 1) * sizeof(grown->list[0]));
    if (!grown)
        return -ENOMEM;
    *matchers = grown;
    if (count == 0)
        grown->regex_bytes = 0;
    grown->count = count + 1;
    matcher = &grown->list[count];
    *matcher = (struct matcher){.op = op, .name = strdup(name)};
    if (op == MATCHER_EQUAL || op == MATCHER_NOT_EQUAL)
        matcher->value = label_copy(name, value);
    else
        matcher->value = strdup(value);
    if (!matcher->name || !matcher->value)
        return -ENOMEM;
    return compile(grown, matcher, error);
}

static int add_text(struct matchers **matchers, const char *text, char error[MATCHER_ERROR_BYTES])
{
    const char *at = text + strspn(text, " \t");
    bool braces = *at == '{';
    struct matcher_text one;
    int r;

    at += braces;
    do {
        r = matcher_parse_one(&one, &at, text, error);
        if (r == 0)
            r = add(matchers, one.op, one.name, one.value, error);
        if (r < 0)
            return r;
    } while (*at == ',' && at++);
    if (braces && *at != '}') {
        snprintf(error, MATCHER_ERROR_BYTES, "column %zu: the brace is not closed",
                 (size_t)(at - text) + 1);
        return -EINVAL;
    }
    at += braces;
    at += strspn(at, " \t");
    if (*at) {
        snprintf(error, MATCHER_ERROR_BYTES, "column %zu: unexpected \"%.20s\" (allowed: a comma)",
                 (size_t)(at - text) + 1, at);
        return -EINVAL;
    }
    return 0;
}

static int or_empty(struct matchers **matchers)
{
    if (!*matchers)
        *matchers = calloc(1, sizeof(**matchers));
    return *matchers ? 0 : -ENOMEM;
}

int matchers_parse(struct matchers **ret, const char *text, char error[MATCHER_ERROR_BYTES])
{
    struct matchers *matchers = NULL;
    int r = add_text(&matchers, text, error);

    if (r < 0) {
        matchers_destroy(matchers);
        return r;
    }
    *ret = matchers;
    return 0;
}

int matchers_create(struct matchers **ret, const struct config_map *equal,
                    const struct config_strings *texts, size_t *ret_index,
                    char error[MATCHER_ERROR_BYTES])
{
    struct matchers *matchers = NULL;
    size_t i = 0;
    int r = 0;

    for (size_t p = 0; r == 0 && p < equal->count; p++)
        r = add(&matchers, MATCHER_EQUAL, equal->items[p].key, equal->items[p].value, error);
    for (; r == 0 && i < texts->count; i++)
        r = add_text(&matchers, texts->items[i], error);
    if (r == 0)
        r = or_empty(&matchers);
    if (r < 0) {
        if (r == -EINVAL)
            *ret_index = i ? i - 1 : 0;
        matchers_destroy(matchers);
        return r;
    }
    *ret = matchers;
    return 0;
}

size_t matchers_count(const struct matchers *matchers)
{
    return matchers->count;
}

/* `undecided`: what counts when a regular expression does not say. */
static bool holds(const struct matcher *matcher, const char *value, bool undecided,
                  uint64_t *left_ns)
{
    bool wanted = matcher->op == MATCHER_EQUAL || matcher->op == MATCHER_REGEX;
    enum regex_answer answer;

    if (!matcher->regex)
        return (strcmp(matcher->value, value) == 0) == wanted;
    answer = regex_match(matcher->regex, value, left_ns);
    return answer == REGEX_UNDECIDED ? undecided : (answer == REGEX_YES) == wanted;
}

const char *matchers_name(const struct matchers *matchers, size_t index)
{
    return matchers->list[index].name;
}

enum matcher_operator matchers_operator(const struct matchers *matchers, size_t index)
{
    return matchers->list[index].op;
}

const char *matchers_value(const struct matchers *matchers, size_t index)
{
    return matchers->list[index].value;
}

bool matchers_may_hold(const struct matchers *matchers, size_t index, const char *value)
{
    return holds(&matchers->list[index], value, true, NULL);
}

bool matchers_may_begin(const struct matchers *matchers, size_t index, const char *begin)
{
    const struct matcher *matcher = &matchers->list[index];

    if (matcher->op == MATCHER_EQUAL)
        return strncmp(matcher->value, begin, strlen(begin)) == 0;
    return matcher->op != MATCHER_REGEX || regex_may_begin(matcher->regex, begin);
}

const char *matchers_only_value(const struct matchers *matchers, size_t index)
{
    const struct matcher *matcher = &matchers->list[index];
    bool plain = matcher->op == MATCHER_EQUAL ||
                 (matcher->op == MATCHER_REGEX && !strpbrk(matcher->value, "\\.[](){}*+?|^$"));

    return plain ? matcher->value : NULL;
}

/* A value with all of ASCII that can be seen, and more: what matches it and "" matches anything. */
static bool takes_anything(const struct matcher *matcher)
{
    char all[256];
    size_t n = 0;

    if (!matcher->regex || regex_match(matcher->regex, "", NULL) != REGEX_YES)
        return false;
    for (int c = ' '; c <= '~'; c++)
        all[n++] = (char)c;
    snprintf(all + n, sizeof(all) - n, "\n\t\xc3\xa4/a a/\xe2\x82\xac");
    return regex_match(matcher->regex, all, NULL) == REGEX_YES;
}

bool matchers_exclude_all(const struct matchers *matchers, size_t index)
{
    const struct matcher *one = &matchers->list[index];
    const char *value = matchers_only_value(matchers, index);

    if (!value)
        return one->op == MATCHER_NOT_REGEX && takes_anything(one);
    for (size_t i = 0; i < matchers->count; i++)
        if (strcmp(matchers->list[i].name, one->name) == 0 &&
            !holds(&matchers->list[i], value, true, NULL))
            return true;
    return false;
}

bool matchers_have(const struct matchers *matchers, const struct matchers *others, size_t index)
{
    const struct matcher *wanted = &others->list[index];

    for (size_t i = 0; i < matchers->count; i++) {
        const struct matcher *matcher = &matchers->list[i];

        if (matcher->op == wanted->op && strcmp(matcher->name, wanted->name) == 0 &&
            strcmp(matcher->value, wanted->value) == 0)
            return true;
    }
    return false;
}

static bool all_hold(const struct matchers *matchers, const struct labels *labels,
                     const char *severity, bool undecided, uint64_t *left_ns)
{
    for (size_t i = 0; i < matchers->count; i++) {
        const struct matcher *matcher = &matchers->list[i];
        bool overlaid = severity && strcmp(matcher->name, "severity") == 0;

        if (!holds(matcher, overlaid ? severity : labels_get(labels, matcher->name), undecided,
                   left_ns))
            return false;
    }
    return true;
}

bool matchers_match(const struct matchers *matchers, const struct labels *labels,
                    const char *severity)
{
    return all_hold(matchers, labels, severity, false, NULL);
}

bool matchers_match_within(const struct matchers *matchers, const struct labels *labels,
                           const char *severity, uint64_t *left_ns)
{
    return all_hold(matchers, labels, severity, false, left_ns);
}

bool matchers_may_match(const struct matchers *matchers, const struct labels *labels,
                        const char *severity)
{
    return all_hold(matchers, labels, severity, true, NULL);
}

static const char *last_value(const struct label *pairs, size_t count, const char *name)
{
    while (count-- > 0)
        if (strcmp(pairs[count].name, name) == 0)
            return pairs[count].value ? pairs[count].value : "";
    return "";
}

bool matchers_may_match_pairs(const struct matchers *matchers, const struct label *pairs,
                              size_t count)
{
    for (size_t i = 0; i < matchers->count; i++)
        if (!holds(&matchers->list[i], last_value(pairs, count, matchers->list[i].name), true,
                   NULL))
            return false;
    return true;
}

bool matchers_match_nothing(const struct matchers *matchers)
{
    for (size_t i = 0; i < matchers->count; i++)
        if (!holds(&matchers->list[i], "", true, NULL))
            return false;
    return true;
}

uint64_t matchers_undecided_total(void)
{
    return regex_undecided_total();
}

void matchers_format(const struct matchers *matchers, struct text *out)
{
    text_add_char(out, '{');
    for (size_t i = 0; i < matchers->count; i++) {
        const struct matcher *matcher = &matchers->list[i];

        text_printf(out, "%s%s%s\"", i ? ", " : "", matcher->name,
                    matcher_operator_text(matcher->op));
        for (const char *s = matcher->value; *s; s++) {
            if (*s == '"' || *s == '\\')
                text_add_char(out, '\\');
            if (*s == '\n')
                text_add(out, "\\n");
            else
                text_add_char(out, *s);
        }
        text_add_char(out, '"');
    }
    text_add_char(out, '}');
}
