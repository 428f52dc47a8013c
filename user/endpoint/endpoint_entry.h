/* One thing that is asked on an interval, and how it stands. Inside this layer only. */
#ifndef MOONWATCH_ENDPOINT_ENDPOINT_ENTRY_H
#define MOONWATCH_ENDPOINT_ENDPOINT_ENTRY_H

#include "endpoint/endpoint_driver.h"

struct endpoint_entry {
    const struct endpoint_check_sources *sources;
    const struct endpoint_check_ops *ops;
    const struct config_check *config; /* borrowed, like what the view points at */
    struct config_check own;           /* of a fallback's endpoint, which has none configured */
    const struct endpoint_driver *driver;
    char *feed_url;             /* of a further path whose answer is kept; NULL: a check */
    const char *feeds;          /* the upstream whose cached answers it brings; NULL: none */
    void (*changed)(void *ctx); /* what is due next may be another */
    void *changed_ctx;
    struct resolver_name *host; /* NULL: none needed, or not yet */
    uint16_t port;
    bool resolving; /* waits for the host's first address */
    void *run;      /* NULL: none under way */
    uint64_t started_ns, deadline_ns;
    char reason[ENDPOINT_REASON_BYTES];
    struct endpoint_check_view view;
};

/* When endpoint_entry_tick() is to be called next. */
uint64_t endpoint_entry_due_ns(const struct endpoint_entry *entry);
/* Begins what is due and ends what has taken too long. */
void endpoint_entry_tick(struct endpoint_entry *entry, uint64_t now_ns);
/* Breaks off what is under way and forgets the host. */
void endpoint_entry_stop(struct endpoint_entry *entry);

#endif
