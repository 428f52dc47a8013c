#include "http/accept.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A part of a header or a type, not terminated. */
struct part {
    const char *text;
    size_t len;
};

static struct part trim(struct part part)
{
    while (part.len && strchr(" \t", part.text[0])) {
        part.text++;
        part.len--;
    }
    while (part.len && strchr(" \t", part.text[part.len - 1]))
        part.len--;
    return part;
}

/* Cuts off what stands before the next `separator` outside of quotes. */
static struct part next(struct part *rest, char separator)
{
    struct part part = {rest->text, 0};
    bool quoted = false;

    while (part.len < rest->len && (quoted || rest->text[part.len] != separator)) {
        if (quoted && rest->text[part.len] == '\\' && part.len + 1 < rest->len)
            part.len++;
        else if (rest->text[part.len] == '"')
            quoted = !quoted;
        part.len++;
    }
    rest->text += part.len;
    rest->len -= part.len;
    if (rest->len) {
        rest->text++;
        rest->len--;
    }
    return trim(part);
}

static bool same(struct part a, struct part b)
{
    return a.len == b.len && strncasecmp(a.text, b.text, a.len) == 0;
}

static struct part literal(const char *text)
{
    return (struct part){text, strlen(text)};
}

static struct part unquote(struct part part)
{
    if (part.len >= 2 && part.text[0] == '"' && part.text[part.len - 1] == '"')
        return (struct part){part.text + 1, part.len - 2};
    return part;
}

/* The value of `name` among parameters; a NULL text: it is not there. */
static struct part parameter(struct part parameters, struct part name)
{
    while (parameters.len) {
        struct part value = next(&parameters, ';'), key = next(&value, '=');

        if (same(key, name))
            return unquote(trim(value));
    }
    return (struct part){NULL, 0};
}

/* 1 where there is none; 0 where it is none that a quality can be. */
static double quality_of(struct part parameters)
{
    struct part q = parameter(parameters, literal("q"));
    char text[8] = "";

    if (!q.text)
        return 1;
    if (q.len == 0 || q.len >= sizeof(text) || strspn(q.text, "0123456789.") < q.len)
        return 0;
    memcpy(text, q.text, q.len);
    return strtod(text, NULL) <= 1 ? strtod(text, NULL) : 0;
}

/* How closely a range names the type: 0, it does not fit. */
static unsigned fit(struct part range, struct part range_parameters, struct part type,
                    struct part type_parameters)
{
    static const char *const decisive[] = {"version", "charset"};
    struct part range_main = next(&range, '/'), type_main = next(&type, '/');
    unsigned specificity = 1;

    if (same(range_main, literal("*")))
        return same(range, literal("*")) ? specificity : 0;
    if (!same(range_main, type_main))
        return 0;
    if (same(range, literal("*")))
        return specificity + 1;
    if (!same(range, type))
        return 0;
    specificity += 2;
    for (size_t i = 0; i < sizeof(decisive) / sizeof(*decisive); i++) {
        struct part wanted = parameter(range_parameters, literal(decisive[i]));

        if (!wanted.text)
            continue;
        if (!same(wanted, parameter(type_parameters, literal(decisive[i]))))
            return 0;
        specificity++;
    }
    return specificity;
}

void accept_consider(const char *header, const char *type, struct accept_choice *choice)
{
    struct part rest = literal(header), parameters = literal(type);
    struct part name = next(&parameters, ';');

    while (rest.len) {
        struct part range_parameters = next(&rest, ','), range = next(&range_parameters, ';');
        unsigned specificity = fit(range, range_parameters, name, parameters);
        double quality = quality_of(range_parameters);

        if (specificity > choice->specificity ||
            (specificity && specificity == choice->specificity && quality > choice->quality))
            *choice = (struct accept_choice){specificity, quality};
    }
}

int accept_choose(const struct accept_choice *usual, const struct accept_choice *other)
{
    bool usual_refused = usual->specificity && usual->quality <= 0;
    bool other_refused = other->specificity && other->quality <= 0;

    if (usual_refused && other_refused)
        return -1;
    if (other->quality > usual->quality || (usual_refused && !other_refused && other->specificity))
        return 1;
    if (other->quality > 0 && other->quality == usual->quality &&
        other->specificity > usual->specificity)
        return 1;
    return usual_refused ? -1 : 0;
}
