/* What the alert rules are evaluated over, as lines of text in alphabetical order: the samples of
 * /metrics, the checks, and what has happened since the tick before. */
#ifndef TEST_RECORDED_RULES_H
#define TEST_RECORDED_RULES_H

#include "alert/rule.h"
#include "base/text.h"
#include "facts/alert_source.h"
#include "facts/metric_samples.h"
#include "recorded_answer.h"
#include "recorded_world.h"

#define RULE_LINES_MAX 4096

struct rule_lines {
    struct text text;
    size_t count;
    char *lines[RULE_LINES_MAX];
};

static inline void rule_line_begin(struct rule_lines *to, const char *kind, const char *name,
                                   const struct label *labels, size_t label_count)
{
    text_reset(&to->text);
    text_printf(&to->text, "%s %s {", kind, name);
    for (size_t i = 0; i < label_count; i++)
        text_printf(&to->text, "%s%s=\"%s\"", i ? "," : "", labels[i].name,
                    labels[i].value ? labels[i].value : "");
    text_add_char(&to->text, '}');
}

static inline void rule_line_end(struct rule_lines *to)
{
    assert_true(to->count < RULE_LINES_MAX);
    to->lines[to->count] = strdup(to->text.data);
    assert_non_null(to->lines[to->count++]);
}

/* Who is behind it. */
static inline void rule_line_explain(struct rule_lines *to, const struct alert_input *in,
                                     const struct alert_condition *condition)
{
    struct labels *labels;
    struct text who;

    text_init(&who, ANSWER_BYTES_MAX);
    assert_int_equal(labels_create(&labels, condition->labels, condition->label_count), 0);
    in->explain(in->ctx, labels, &who);
    text_printf(&to->text, " %s", who.data ? who.data : "");
    labels_unref(labels);
    text_free(&who);
}

static inline void rule_lines_add(struct rule_lines *to, const struct alert_input *in)
{
    for (size_t i = 0; i < in->sample_count; i++) {
        const struct sample *s = &in->samples[i];

        rule_line_begin(to, "sample", s->metric, s->labels, s->label_count);
        text_printf(&to->text, " %.12g", s->value);
        rule_line_end(to);
    }
    for (size_t i = 0; i < in->condition_count; i++) {
        const struct alert_condition *c = &in->conditions[i];

        rule_line_begin(to, "condition", status_name(c->status), c->labels, c->label_count);
        text_printf(&to->text, " %d %.12g %s", (int)c->kind, c->value, c->reason);
        rule_line_end(to);
        rule_line_begin(to, "offenders", "of", c->labels, c->label_count);
        rule_line_explain(to, in, c);
        rule_line_end(to);
    }
    for (size_t i = 0; i < in->event_count; i++) {
        const struct alert_event *e = &in->events[i];

        rule_line_begin(to, "event", rule_event_text(e->event), e->labels, e->label_count);
        text_printf(&to->text, " %.12g %s", e->value, e->reason);
        rule_line_end(to);
    }
}

static inline bool rule_wants_all(void *ctx, const char *metric)
{
    (void)ctx;
    return !alert_source_has(metric);
}

/* The tick in which everything happened comes after one in which nothing had. */
static inline void recorded_input(struct recorded *r, struct rule_lines *to)
{
    struct snapshot before = r->figures.snapshot;
    struct facts facts = r->facts;
    const struct sample *more;
    size_t more_count;
    struct metric_samples *samples;
    struct alert_source *source;
    struct alert_input input;

    facts.snapshot = &before;
    memset(&before.events, 0, sizeof(before.events));
    before.monotonic_ns -= NS_PER_SECOND;
    assert_int_equal(alert_source_create(&source), 0);
    assert_int_equal(metric_samples_create(&samples, &r->tree->host), 0);
    assert_int_equal(alert_source_fill(source, &facts, NULL, 0, &input), 0);
    facts.snapshot = &r->figures.snapshot;
    assert_int_equal(metric_samples_take(samples, &facts, rule_wants_all, NULL, &more, &more_count),
                     0);
    assert_int_equal(alert_source_fill(source, &facts, more, more_count, &input), 0);
    rule_lines_add(to, &input);
    metric_samples_destroy(samples);
    alert_source_destroy(source);
}

static inline int rule_lines_by_text(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;

    return strcmp(left, right);
}

/* From malloc. */
static inline char *recorded_rule_input(struct recorded *r)
{
    struct rule_lines *lines = calloc(1, sizeof(*lines));
    struct text all;
    char *ret;

    assert_non_null(lines);
    text_init(&lines->text, ANSWER_BYTES_MAX);
    text_init(&all, ANSWER_BYTES_MAX);
    recorded_input(r, lines);
    qsort(lines->lines, lines->count, sizeof(lines->lines[0]), rule_lines_by_text);
    for (size_t i = 0; i < lines->count; i++) {
        text_printf(&all, "%s\n", lines->lines[i]);
        free(lines->lines[i]);
    }
    assert_false(all.failed || lines->text.failed);
    ret = text_steal(&all);
    text_free(&lines->text);
    free(lines);
    return ret;
}

#endif
