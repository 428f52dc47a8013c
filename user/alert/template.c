#include "alert/template.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum place { PLACE_LABEL, PLACE_VALUE, PLACE_REASON, PLACE_SUMMARY, PLACE_BAD };

#define LABEL_BYTES 64

static const struct {
    const char *text;
    enum place place;
} places[] = {
    {"$labels.", PLACE_LABEL},
    {"$value", PLACE_VALUE},
    {"$reason", PLACE_REASON},
    {"$summary", PLACE_SUMMARY},
};

/* Reads the place that begins at `at` ("{{"); `*ret_end` is behind its "}}" or, when it is bad,
 * where it stops making sense. */
static enum place read_place(const char *at, char label[LABEL_BYTES], const char **ret_end)
{
    const char *s = at + 2 + strspn(at + 2, " ");
    enum place place = PLACE_BAD;
    size_t n = 0;

    for (size_t i = 0; place == PLACE_BAD && i < sizeof(places) / sizeof(places[0]); i++) {
        size_t length = strlen(places[i].text);

        if (strncmp(s, places[i].text, length) != 0)
            continue;
        place = places[i].place;
        s += length;
    }
    if (place == PLACE_LABEL) {
        while (n + 1 < LABEL_BYTES && (isalnum((unsigned char)s[n]) || s[n] == '_'))
            n++;
        memcpy(label, s, n);
        label[n] = '\0';
        s += n;
        if (n == 0)
            place = PLACE_BAD;
    }
    s += strspn(s, " ");
    *ret_end = s;
    if (place == PLACE_BAD || strncmp(s, "}}", 2) != 0)
        return PLACE_BAD;
    *ret_end = s + 2;
    return place;
}

int template_check(const char *text,
                   bool (*known)(void *ctx, const char *label, struct text *allowed), void *ctx,
                   char error[TEMPLATE_ERROR_BYTES])
{
    char label[LABEL_BYTES];
    struct text allowed;
    const char *end;
    bool fits;

    for (const char *at = strstr(text, "{{"); at; at = strstr(end, "{{")) {
        enum place place = read_place(at, label, &end);

        /* A rule's sentence is the summary. */
        if (place == PLACE_BAD || (place == PLACE_SUMMARY && known)) {
            snprintf(error, TEMPLATE_ERROR_BYTES,
                     "column %zu: not a place (allowed: {{ $labels.NAME }}, {{ $value }}, "
                     "{{ $reason }}%s)",
                     (size_t)(at - text) + 1, known ? "" : ", {{ $summary }}");
            return -EINVAL;
        }
        if (place != PLACE_LABEL || !known)
            continue;
        text_init(&allowed, TEMPLATE_ERROR_BYTES / 2);
        fits = known(ctx, label, &allowed);
        if (!fits)
            snprintf(error, TEMPLATE_ERROR_BYTES, "column %zu: there is no label %s (allowed: %s)",
                     (size_t)(at - text) + 1, label, allowed.data ? allowed.data : "");
        text_free(&allowed);
        if (!fits)
            return -EINVAL;
    }
    return 0;
}

static void add_value(struct text *out, double value)
{
    if (isnan(value))
        text_add(out, "unknown");
    else
        text_printf(out, "%.4g", value);
}

void template_render(const char *text, const struct template_values *values, struct text *out)
{
    char label[LABEL_BYTES];
    const char *at, *end;

    for (; (at = strstr(text, "{{")); text = end) {
        text_add_n(out, text, (size_t)(at - text));
        switch (read_place(at, label, &end)) {
        case PLACE_LABEL:
            text_add(out, values->severity && strcmp(label, "severity") == 0
                              ? values->severity
                              : labels_get(values->labels, label));
            break;
        case PLACE_VALUE:
            add_value(out, values->value);
            break;
        case PLACE_REASON:
            text_add(out, values->reason ? values->reason : "");
            break;
        case PLACE_SUMMARY:
            text_add(out, values->summary ? values->summary : "");
            break;
        case PLACE_BAD:
            break;
        }
    }
    text_add(out, text);
}
