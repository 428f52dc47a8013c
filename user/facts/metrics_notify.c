/* Delivery of notifications: each receiver, and the outbox they wait in. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"
#include <stdlib.h>

#define TYPE struct outbox_view
static const struct field outbox_fields[] = {
    FIGURE(FIELD_U64, stored,
           COUNTER("moonwatch_outbox_stored", "Messages that were on the disk before being sent.")),
    FIGURE(FIELD_U64, not_durable,
           COUNTER("moonwatch_outbox_not_durable", "Messages that were sent without.")),
    FIGURE(FIELD_U64, duplicates,
           COUNTER("moonwatch_outbox_duplicates", "Messages that were there already.")),
    FIGURE(FIELD_U64, removed,
           COUNTER("moonwatch_outbox_removed", "Messages taken out: delivered or given up.")),
    FIGURE(FIELD_U64, recovered,
           COUNTER("moonwatch_outbox_recovered", "Messages that an agent before had left.")),
    FIGURE(FIELD_U64, moved_aside,
           COUNTER("moonwatch_outbox_moved_aside", "Damaged databases moved aside.")),
    FIGURE(FIELD_BOOL, open,
           GAUGE("moonwatch_outbox_open",
                 "1 when the outbox's database is open, which it is from the first message on.")),
    FIGURE(FIELD_U64, queued,
           GAUGE("moonwatch_outbox_queued", "Changes on their way to the outbox's disk.")),
};
#undef TYPE
FIELD_METRICS(outbox_fields, "", NEED_NOTHING);
static const struct field_table outbox_table = FIELD_TABLE(NULL, outbox_fields, NULL);

void metrics_notify(struct metrics_page *page)
{
    size_t count = page->facts->notify ? notify_channel_count(page->facts->notify) : 0;
    struct notify_channel_view *rows = count ? calloc(count, sizeof(*rows)) : NULL;
    struct outbox_view outbox;

    if (!rows)
        return;
    for (size_t i = 0; i < count; i++)
        notify_channel_view(page->facts->notify, i, &rows[i]);
    metric_table(page->e, &receiver_table,
                 &(const struct metric_rows){rows, sizeof(*rows), count, 0});
    free(rows);
    notify_outbox_view(page->facts->notify, &outbox);
    metric_object(page->e, &outbox_table, &outbox);
}
