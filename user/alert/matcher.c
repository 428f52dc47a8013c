#include "alert/matcher.h"
#include "alert/matcher_parse.h"
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matcher {
    enum matcher_operator op;
    bool compiled;
    regex_t regex;
    char *name, *value;
};

struct matchers {
    size_t count;
    struct matcher list[];
};

void matchers_destroy(struct matchers *matchers)
{
    if (!matchers)
        return;
    for (size_t i = 0; i < matchers->count; i++) {
        if (matchers->list[i].compiled)
            regfree(&matchers->list[i].regex);
        free(matchers->list[i].name);
        free(matchers->list[i].value);
    }
    free(matchers);
}

static int compile(struct matcher *matcher, char error[MATCHER_ERROR_BYTES])
{
    char anchored[MATCHER_VALUE_BYTES + 8], why[96];
    int r;

    if (matcher->op != MATCHER_REGEX && matcher->op != MATCHER_NOT_REGEX)
        return 0;
    if (!matcher_regex_bounded(matcher->value, error))
        return -EINVAL;
    /* An unbalanced one must not be completed by the parentheses around it. */
    for (int i = 0; i < 2; i++) {
        snprintf(anchored, sizeof(anchored), i == 0 ? "%s" : "^(%s)$", matcher->value);
        r = regcomp(&matcher->regex, anchored, REG_EXTENDED | REG_NOSUB);
        if (r == REG_ESPACE)
            return -ENOMEM;
        if (r != 0) {
            regerror(r, &matcher->regex, why, sizeof(why));
            snprintf(error, MATCHER_ERROR_BYTES, "the regular expression is wrong: %s", why);
            return -EINVAL;
        }
        if (i == 0)
            regfree(&matcher->regex);
    }
    matcher->compiled = true;
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
    grown->count = count + 1;
    matcher = &grown->list[count];
    *matcher = (struct matcher){.op = op, .name = strdup(name), .value = strdup(value)};
    if (!matcher->name || !matcher->value)
        return -ENOMEM;
    return compile(matcher, error);
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

static bool holds(const struct matcher *matcher, const char *value)
{
    bool same = matcher->compiled ? regexec(&matcher->regex, value, 0, NULL, 0) == 0
                                  : strcmp(matcher->value, value) == 0;

    return same == (matcher->op == MATCHER_EQUAL || matcher->op == MATCHER_REGEX);
}

bool matchers_match(const struct matchers *matchers, const struct labels *labels,
                    const char *severity)
{
    for (size_t i = 0; i < matchers->count; i++) {
        const struct matcher *matcher = &matchers->list[i];
        bool overlaid = severity && strcmp(matcher->name, "severity") == 0;

        if (!holds(matcher, overlaid ? severity : labels_get(labels, matcher->name)))
            return false;
    }
    return true;
}

static const char *last_value(const struct label_pair *pairs, size_t count, const char *name)
{
    while (count-- > 0)
        if (strcmp(pairs[count].name, name) == 0)
            return pairs[count].value ? pairs[count].value : "";
    return "";
}

bool matchers_match_pairs(const struct matchers *matchers, const struct label_pair *pairs,
                          size_t count)
{
    for (size_t i = 0; i < matchers->count; i++)
        if (!holds(&matchers->list[i], last_value(pairs, count, matchers->list[i].name)))
            return false;
    return true;
}

bool matchers_match_nothing(const struct matchers *matchers)
{
    for (size_t i = 0; i < matchers->count; i++)
        if (!holds(&matchers->list[i], ""))
            return false;
    return true;
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
