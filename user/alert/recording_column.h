/* The header of a recording. Inside this layer only. */
#ifndef MOONWATCH_ALERT_RECORDING_COLUMN_H
#define MOONWATCH_ALERT_RECORDING_COLUMN_H

#include "alert/recording.h"

enum column_kind { COLUMN_METRIC, COLUMN_CHECK, COLUMN_EVENT };

struct recording_column {
    enum column_kind kind;
    char *metric;
    enum rule_event event;
    struct label *labels;
    size_t label_count, label_capacity;
};

/* 0, -EINVAL with `error`, or -ENOMEM. Released in either case. */
int recording_column_parse(struct recording_column *ret, const char *header,
                           check_name_fn *check_name, char error[RECORDING_ERROR_BYTES]);
void recording_column_release(struct recording_column *column);

#endif
