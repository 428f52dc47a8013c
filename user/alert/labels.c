#include "alert/labels.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Behind the head: `count` pairs of offsets into the text behind them. */
struct labels {
    uint64_t fingerprint;
    uint32_t references;
    uint16_t count;
    uint16_t offsets[][2];
};

static const char *text_of(const struct labels *labels)
{
    return (const char *)(labels->offsets + labels->count);
}

/* By name; a later pair of the same name replaces the earlier one. */
static size_t insert(struct label *sorted, size_t count, struct label pair)
{
    size_t at = count;

    while (at > 0 && strcmp(sorted[at - 1].name, pair.name) > 0)
        at--;
    if (at > 0 && strcmp(sorted[at - 1].name, pair.name) == 0) {
        sorted[at - 1] = pair;
        return count;
    }
    memmove(sorted + at + 1, sorted + at, (count - at) * sizeof(*sorted));
    sorted[at] = pair;
    return count + 1;
}

static int create(struct labels **ret, const struct label *pairs, size_t count)
{
    struct label sorted[LABELS_MAX + 1];
    size_t kept = 0, filled = 0, bytes = 0, at = 0;
    struct labels *labels;
    char *text;

    for (size_t i = 0; i < count; i++) {
        kept = insert(sorted, kept, pairs[i]);
        if (kept > LABELS_MAX)
            return -E2BIG;
    }
    for (size_t i = 0; i < kept; i++) {
        if (!sorted[i].value || !*sorted[i].value)
            continue;
        sorted[filled++] = sorted[i];
        bytes += strlen(sorted[i].name) + strlen(sorted[i].value) + 2;
    }
    if (bytes > LABELS_BYTES_MAX)
        return -E2BIG;
    labels = malloc(sizeof(*labels) + filled * sizeof(labels->offsets[0]) + bytes);
    if (!labels)
        return -ENOMEM;
    *labels = (struct labels){.references = 1, .count = (uint16_t)filled};
    text = (char *)(labels->offsets + filled);
    for (size_t i = 0; i < filled; i++) {
        const char *parts[2] = {sorted[i].name, sorted[i].value};

        for (int p = 0; p < 2; p++) {
            size_t n = strlen(parts[p]) + 1;

            labels->offsets[i][p] = (uint16_t)at;
            memcpy(text + at, parts[p], n);
            at += n;
        }
    }
    labels->fingerprint = strong_bytes(STRONG_START, text, bytes);
    *ret = labels;
    return 0;
}

/* Who reads a label takes it for the name of something: it is made safe here, once for all. */
static int create_clean(struct labels **ret, const struct label *pairs, size_t count,
                        bool marked_before)
{
    struct label safe[3 * LABELS_MAX];
    struct text cleaned[3 * LABELS_MAX];
    size_t cleaned_count = 0;
    int r = 0;

    if (count > sizeof(safe) / sizeof(safe[0]))
        return -E2BIG;
    for (size_t i = 0; i < count; i++) {
        struct text *text = &cleaned[cleaned_count];

        safe[i] = pairs[i];
        if (!pairs[i].value ||
            (marked_before ? text_is_clean(pairs[i].value) : text_is_name(pairs[i].value)))
            continue;
        text_init(text, LABELS_BYTES_MAX);
        text_add_name(text, pairs[i].value);
        safe[i].value = text->data;
        cleaned_count++;
        if (text->failed)
            r = -E2BIG;
    }
    if (r == 0)
        r = create(ret, safe, count);
    while (cleaned_count > 0)
        text_free(&cleaned[--cleaned_count]);
    return r;
}

int labels_create(struct labels **ret, const struct label *pairs, size_t count)
{
    return create_clean(ret, pairs, count, false);
}

int labels_create_again(struct labels **ret, const struct label *pairs, size_t count)
{
    return create_clean(ret, pairs, count, true);
}

struct labels *labels_ref(struct labels *labels)
{
    labels->references++;
    return labels;
}

void labels_unref(struct labels *labels)
{
    if (labels && --labels->references == 0)
        free(labels);
}

size_t labels_count(const struct labels *labels)
{
    return labels->count;
}

struct label labels_at(const struct labels *labels, size_t index)
{
    const char *text = text_of(labels);

    return (struct label){text + labels->offsets[index][0], text + labels->offsets[index][1]};
}

const char *labels_get(const struct labels *labels, const char *name)
{
    for (size_t i = 0; i < labels->count; i++) {
        struct label pair = labels_at(labels, i);

        if (strcmp(pair.name, name) == 0)
            return pair.value;
    }
    return "";
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
    if (a == b)
        return true;
    if (a->fingerprint != b->fingerprint || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        struct label left = labels_at(a, i), right = labels_at(b, i);

        if (strcmp(left.name, right.name) != 0 || strcmp(left.value, right.value) != 0)
            return false;
    }
    return true;
}

uint64_t labels_fingerprint(const struct labels *labels)
{
    return labels->fingerprint;
}
