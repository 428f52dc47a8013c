/* A hundred thousand different alerts in ten seconds: bounded memory, every CRITICAL told, the rest
 * counted to the last one. */
#include "alert/alert.h"
#include "base/clock.h"
#include "config_text.h"
#include <malloc.h>
#include <stdlib.h>

#define PER_TICK 10000
#define TICKS 10
#define CRITICAL_EVERY 100 /* one in a hundred */
#define MEMORY_MAX (12 << 20)

struct storm {
    struct alert_manager *manager;
    bool *told; /* by number: the CRITICALs that were listed */
    uint64_t critical_told, others_listed, others_omitted, notifications, held_back, digests;
    uint64_t rows;
};

static void count(void *ctx, const struct notification *n)
{
    struct storm *storm = ctx;

    storm->notifications++;
    assert_true(n->count <= NOTICE_ALERTS_MAX);
    if (n->kind == NOTICE_RESOLVED)
        return;
    storm->others_omitted += n->omitted;
    for (size_t i = 0; i < n->count; i++) {
        unsigned number = (unsigned)atoi(labels_get(n->alerts[i].labels, "number"));

        assert_int_equal(n->alerts[i].state, ALERT_FIRING);
        if (n->alerts[i].severity == SEVERITY_CRITICAL) {
            assert_false(storm->told[number]);
            storm->told[number] = true;
            storm->critical_told++;
        } else {
            storm->others_listed++;
        }
    }
    if (n->kind != NOTICE_DIGEST)
        return;
    storm->digests++;
    storm->held_back += n->held_back;
    for (size_t i = 0; i < n->row_count; i++)
        storm->rows += n->rows[i].count;
}

/* Series `from` to `to` have fired since this second; each is there for one tick. */
static void tick(struct storm *storm, unsigned second, unsigned from, unsigned to)
{
    static struct sample samples[PER_TICK];
    static struct label pairs[PER_TICK];
    static char numbers[PER_TICK][12];
    struct alert_input input = {
        .monotonic_ns = second * NS_PER_SECOND,
        .realtime_ns = (1767225600ULL + second) * NS_PER_SECOND,
        .samples = samples,
    };

    for (unsigned number = from; number < to; number++) {
        size_t i = input.sample_count++;

        snprintf(numbers[i], sizeof(numbers[i]), "%u", number);
        pairs[i] = (struct label){"number", numbers[i]};
        samples[i] =
            (struct sample){number % CRITICAL_EVERY ? "warning" : "critical", &pairs[i], 1, 1};
    }
    alert_manager_tick(storm->manager, &input);
}

static void blow(const char *routes)
{
    struct storm storm = {.told = calloc(PER_TICK * TICKS, sizeof(bool))};
    const struct alert_ops ops = {.notify = count, .ctx = &storm};
    struct config_errors errors = {0};
    struct alert_counters counters;
    struct config *config;
    char text[1024];
    size_t before, during = 0, now;

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"escalation_delay\":0,\"max_alerts_per_hour\":10,"
             "\"rules\":[{\"name\":\"W\",\"metric\":\"warning\",\"above\":0,\"for\":0},"
             "{\"name\":\"C\",\"metric\":\"critical\",\"above\":0,\"for\":0,"
             "\"severity\":\"critical\"},"
             "{\"name\":\"CpuUnknown\",\"metric\":\"x\",\"above\":1},"
             "{\"name\":\"MemoryUnknown\",\"metric\":\"x\",\"above\":1}],"
             "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"
             "\"}],\"routes\":[%s]}}",
             routes);
    config = load_valid(text, NULL);
    assert_int_equal(alert_manager_create(&storm.manager, config, &ops, &errors), 0);
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < TICKS; i++) {
        tick(&storm, 1000 + i, i * PER_TICK, (i + 1) * PER_TICK);
        now = mallinfo2().uordblks;
        if (now > during)
            during = now;
        assert_true(alert_manager_count(storm.manager) <= 4096 + 16384);
    }
    /* Under a sanitizer there is no figure. */
    if (during > 0)
        assert_in_range(during - before, 1 << 20, MEMORY_MAX);
    for (unsigned second = 1010; second < 6000; second++)
        tick(&storm, second, 0, 0);
    alert_manager_counters(storm.manager, &counters);
    assert_int_equal(storm.critical_told, PER_TICK * TICKS / CRITICAL_EVERY);
    assert_int_equal(counters.evaluated, PER_TICK * TICKS);
    assert_int_equal(storm.digests, 1);
    assert_int_equal(storm.held_back, storm.rows);
    assert_int_equal(storm.critical_told + storm.others_listed + storm.others_omitted +
                         storm.held_back,
                     PER_TICK * TICKS);
    alert_manager_destroy(storm.manager);
    config_destroy(config);
    free(storm.told);
}

static void in_one_group(void **state)
{
    blow("{\"channels\":[\"ops\"],\"group_wait\":0,\"group_interval\":3600,"
         "\"group_by\":[\"alertname\"]}");
}

static void in_a_group_each(void **state)
{
    blow("{\"channels\":[\"ops\"],\"group_wait\":0,\"group_interval\":3600,"
         "\"group_by\":[\"number\"]}");
}

static void behind_a_group_wait(void **state)
{
    blow("{\"channels\":[\"ops\"],\"group_wait\":30,\"group_interval\":3600}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_group),
        cmocka_unit_test(in_a_group_each),
        cmocka_unit_test(behind_a_group_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
