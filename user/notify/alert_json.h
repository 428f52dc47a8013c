/* An alert in JSON as Prometheus and Alertmanager write it. Inside this layer only. */
#ifndef MOONWATCH_NOTIFY_ALERT_JSON_H
#define MOONWATCH_NOTIFY_ALERT_JSON_H

#include "alert/notification.h"
#include "base/text.h"

/* {"alertname":...}: with `severity`, and `instance` for the host unless the alert has one. */
void alert_json_labels(const struct alert_view *alert, const char *host, struct text *out);
/* {"summary":...}: what is known. */
void alert_json_annotations(const struct alert_view *alert, struct text *out);
/* {} for NULL. */
void alert_json_group(const struct labels *labels, struct text *out);
void alert_json_time(uint64_t realtime_ns, struct text *out);

#endif
