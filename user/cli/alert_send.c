#include "cli/alert_send.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "notify/notify.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_EVERY_NS (10 * NS_PER_MS)
/* Beside the channel's own timeout, for the name service. */
#define PATIENCE_SECONDS 10
#define OUTBOX_NAME "outbox.sqlite"

struct sending {
    const struct config_channel *channel;
    struct loop *loop;
    struct notify *notify;
    uint64_t begun_ns, deadline_ns;
};

static bool is_over(const struct notify_channel_view *view)
{
    return view->sent_total > 0 || view->failed_total > 0 || view->dropped_total > 0 ||
           view->state == NOTIFY_MISCONFIGURED;
}

static bool is_ours(const struct sending *sending, size_t index, struct notify_channel_view *ret)
{
    notify_channel_view(sending->notify, index, ret);
    return strcmp(ret->name, sending->channel->name) == 0;
}

static void look(void *ctx, uint64_t now_ns)
{
    struct sending *sending = ctx;
    struct notify_channel_view view;

    (void)now_ns;
    for (size_t i = 0; i < notify_channel_count(sending->notify); i++)
        if (is_ours(sending, i, &view) && !is_over(&view) &&
            clock_monotonic_ns(clock_system()) < sending->deadline_ns)
            return;
    loop_stop(sending->loop);
}

static int say(const struct sending *sending)
{
    struct notify_channel_view view;
    int code = EXIT_DONE;

    for (size_t i = 0; i < notify_channel_count(sending->notify); i++) {
        if (!is_ours(sending, i, &view))
            continue;
        if (view.sent_total > 0) {
            printf("%s%s%s: sent\n", view.name, *view.peer ? " " : "", view.peer);
            continue;
        }
        cli_error("%s%s%s: not sent: %s", view.name, *view.peer ? " " : "", view.peer,
                  *view.error ? view.error : "no answer in time");
        code = EXIT_FAILED;
    }
    return code;
}

static int send(const struct sending *sending)
{
    const struct label pair = {"alertname", "MoonwatchTest"};
    struct alert_view alert = {
        .id = "00000000000000",
        .severity = SEVERITY_INFO,
        .state = ALERT_FIRING,
        .value = NAN,
        .summary = "This is a test: nothing is wrong",
        .reason = "somebody ran moonwatch alert send-test",
        .offenders = "",
        .changed = "",
        .starts_realtime_ns = clock_realtime_ns(clock_system()),
    };
    struct notification notification = {
        .kind = NOTICE_FIRING,
        .channel = sending->channel,
        .severity = SEVERITY_INFO,
        .realtime_ns = alert.starts_realtime_ns,
        .alerts = &alert,
        .count = 1,
        .part = 1,
        .parts = 1,
    };
    struct labels *labels = NULL;
    int r = labels_create(&labels, &pair, 1);

    if (r < 0)
        return r;
    alert.labels = notification.group = labels;
    snprintf(notification.key, sizeof(notification.key), "test-%llx",
             (unsigned long long)(alert.starts_realtime_ns / NS_PER_MS));
    notify_send(sending->notify, &notification);
    labels_unref(labels);
    return 0;
}

static int run(struct sending *sending, const struct config *config, const char *outbox,
               struct log *log)
{
    char host[256] = "";
    const struct notify_config notify = {.config = config, .outbox_path = outbox, .host = host};
    struct loop_source *watch = NULL;
    int r;

    gethostname(host, sizeof(host) - 1);
    r = notify_create(&sending->notify, &notify, sending->loop, clock_system(), log);
    if (r == 0)
        r = loop_add_timer(sending->loop, &watch, LOOK_EVERY_NS, look, sending);
    if (r == 0)
        r = send(sending);
    if (r == 0)
        r = loop_run(sending->loop);
    if (r == 0)
        return say(sending);
    cli_error("alert send-test: %s", strerror(-r));
    return EXIT_FAILED;
}

/* In a directory of its own: the agent's outbox is the agent's. */
static int run_apart(struct sending *sending, const struct config *config)
{
    char directory[] = "/tmp/moonwatch-XXXXXX", outbox[sizeof(directory) + 32], journal[64];
    struct log *log = NULL;
    int code = EXIT_FAILED;

    if (!mkdtemp(directory)) {
        cli_error("alert send-test: %s: %m", directory);
        return EXIT_FAILED;
    }
    snprintf(outbox, sizeof(outbox), "%s/" OUTBOX_NAME, directory);
    /* A log channel is told there; what goes wrong is said below. */
    if (log_create(&log, STDERR_FILENO,
                   channel_kinds[sending->channel->type].local ? LOG_LEVEL_INFO
                                                               : LOG_LEVEL_CRITICAL,
                   clock_system()) == 0 &&
        loop_create(&sending->loop, clock_system()) == 0)
        code = run(sending, config, outbox, log);
    else
        cli_error("out of memory");
    notify_destroy(sending->notify);
    loop_destroy(sending->loop);
    log_destroy(log);
    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", "-journal", NULL}; *end;
         end++) {
        snprintf(journal, sizeof(journal), "%s%s", outbox, *end);
        unlink(journal);
    }
    rmdir(directory);
    return code;
}

/* The others are left alone: the channel comes first, and alone. NULL: there is none. */
static const struct config_channel *isolate(struct config *config, const char *name)
{
    struct config_channel *channels = config->alert_manager.channels.items;
    size_t count;

    for (size_t i = 0; i < config->alert_manager.channels.count; i++) {
        struct config_channel first = channels[0];

        if (strcmp(channels[i].name, name) != 0)
            continue;
        channels[0] = channels[i];
        channels[i] = first;
        config->alert_manager.channels.count = 1;
        return channels;
    }
    return strcmp(alert_channels(config, &count)->name, name) == 0 ? alert_channels(config, &count)
                                                                   : NULL;
}

int cli_alert_send(const char *config_path, const char *channel)
{
    const char *path = config_find(config_path, environ);
    struct config_errors errors = {0};
    struct config *config = NULL;
    struct sending sending = {.begun_ns = clock_monotonic_ns(clock_system())};
    int code = EXIT_USAGE;
    size_t count;

    if (config_load(&config, path, environ, &errors) < 0) {
        cli_print_config_errors(path ? path : "built-in", &errors);
        return EXIT_USAGE;
    }
    count = config->alert_manager.channels.count;
    sending.channel = isolate(config, channel);
    if (sending.channel) {
        sending.deadline_ns =
            sending.begun_ns + (uint64_t)((sending.channel->timeout_seconds + PATIENCE_SECONDS) *
                                          (double)NS_PER_SECOND);
        code = run_apart(&sending, config);
    } else {
        cli_error("alert send-test: there is no channel \"%s\" in %s", channel,
                  path ? path : "the built-in configuration");
    }
    config->alert_manager.channels.count = count;
    config_destroy(config);
    return code;
}
