/* Sentences with places: {{ $labels.NAME }}, {{ $value }} and {{ $reason }}, as in Prometheus;
 * those of a channel have {{ $summary }} too. */
#ifndef MOONWATCH_ALERT_TEMPLATE_H
#define MOONWATCH_ALERT_TEMPLATE_H

#include "alert/labels.h"
#include "base/text.h"

#define TEMPLATE_ERROR_BYTES 200

struct template_values {
    const struct labels *labels;
    const char *severity; /* what `$labels.severity` says */
    double value;         /* NaN: "unknown" */
    const char *reason;   /* NULL: "" */
    const char *summary;  /* of the rule; NULL: "" */
};

/* 0, or -EINVAL with what is wrong and where. `known` tells whether alerts have a label and fills
 * `allowed` when not; NULL: it is a channel's,
 * which is for alerts of all rules: any label may be there. */
int template_check(const char *text,
                   bool (*known)(void *ctx, const char *label, struct text *allowed), void *ctx,
                   char error[TEMPLATE_ERROR_BYTES]);
/* The text must have passed the check. */
void template_render(const char *text, const struct template_values *values, struct text *out);

#endif
