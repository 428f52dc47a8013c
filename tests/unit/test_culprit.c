/* Who is named for a busy CPU. */
#include "alert/alert.h"
#include "base/text.h"
#include "config_text.h"
#include "facts/alert_source.h"
#include "health/culprit.h"
#include "health_fixture.h"

static struct process_row *burner(struct fixture *f, const char *comm)
{
    struct process_row *row = &f->snapshot.process.top[TOP_CPU][0];

    f->snapshot.process.top_count[TOP_CPU] = 1;
    *row = (struct process_row){.pid = 7, .cpu_percent = reading_of(1)};
    row->short_children_cpu_percent = reading_of(0);
    snprintf(row->comm, sizeof(row->comm), "%s", comm);
    return row;
}

static struct short_processes_row *ghosts(struct fixture *f, const char *comm, const char *cgroup,
                                          double percent)
{
    struct process_snapshot *process = &f->snapshot.process;
    struct short_processes_row *row = &process->short_processes[0];

    process->short_count = 1;
    *row = (struct short_processes_row){
        .cgroup_id = 9, .processes_per_second = 70, .cpu_percent = percent};
    snprintf(row->comm, COMM_BYTES, "%s", comm);
    snprintf(row->cgroup_path, CGROUP_PATH_BYTES, "%s", cgroup);
    return row;
}

static void expect_culprit(struct fixture *f, const char *said)
{
    char text[256];
    struct phrase p;

    phrase_init(&p, text, sizeof(text));
    culprit_add_cpu(&f->snapshot, &p);
    assert_string_equal(text, said);
}

/* The one that is named first has the largest figure of those shown. */
static void the_figure_is_the_one_it_is_ordered_by(void **state)
{
    struct fixture *f = *state;
    struct process_row *row = burner(f, "make");

    row->cpu_percent = reading_of(60);
    row->short_children_cpu_percent = reading_of(80);
    expect_culprit(f, "; most: make (pid 7) and many short processes of it 70 % of 2 CPUs");
    row->cpu_percent = reading_of(80);
    row->short_children_cpu_percent = reading_of(60);
    expect_culprit(f, "; most: make (pid 7) and many short processes of it 70 % of 2 CPUs");
    row->short_children_cpu_percent = reading_of(4);
    expect_culprit(f, "; most: make (pid 7) 42 % of 2 CPUs");
    row->short_children_cpu_percent = reading_missing("no BPF");
    expect_culprit(f, "; most: make (pid 7) 40 % of 2 CPUs");
}

#define CC1 "many short processes named cc1 in /system.slice/ci.service 90 % of 2 CPUs"

/* Nobody waits for them, so no process has their time. */
static void it_is_who_took_most_whoever_waited_for_it(void **state)
{
    struct fixture *f = *state;
    struct process_row *row;

    expect_culprit(f, "");
    ghosts(f, "cc1", "/system.slice/ci.service", 180);
    expect_culprit(f, "; most: " CC1);
    row = burner(f, "kdamond");
    expect_culprit(f, "; most: " CC1);
    ghosts(f, "", "/", 180)->processes_per_second = 0.6;
    expect_culprit(f, "; most: short processes 90 % of 2 CPUs");
    /* What it waited for has the same time. */
    row->short_children_cpu_percent = reading_of(180);
    expect_culprit(f, "; most: many short processes of kdamond (pid 7) 90 % of 2 CPUs");
}

/* A test suite whose programs have a hundred names; and a host without BPF. */
static void it_is_the_cgroup_when_nobody_in_it_stands_out(void **state)
{
    static struct cgroup_cpu cgroup = {.path = "/system.slice/ci.service", .cpu_percent = 190};
    struct fixture *f = *state;
    struct process_row *row = burner(f, "make");

    f->snapshot.cgroup_cpu = (struct cgroup_cpu_snapshot){.count = 1, .rows = &cgroup};
    row->short_children_cpu_percent = reading_of(180);
    ghosts(f, "sh", "/", 20);
    expect_culprit(f, "; most: many short processes of make (pid 7) 90 % of 2 CPUs");
    row->short_children_cpu_percent = reading_of(0);
    expect_culprit(f, "; most: cgroup /system.slice/ci.service 95 % of 2 CPUs");
    f->snapshot.process.top_count[TOP_CPU] = 0;
    f->snapshot.process.short_missing = "no BPF";
    expect_culprit(f, "; most: cgroup /system.slice/ci.service 95 % of 2 CPUs");
    f->snapshot.cgroup_cpu.missing = "no cgroup hierarchy accounts CPU time";
    expect_culprit(f, "");
}

static void on_notification(void *ctx, const struct notification *n)
{
    for (size_t i = 0; n->kind == NOTICE_FIRING && i < n->count; i++)
        if (strcmp(labels_get(n->alerts[i].labels, "alertname"), "HostCpu") == 0)
            snprintf(ctx, 256, "%s", n->alerts[i].offenders);
}

static void the_alert_names_it_first(void **state)
{
    struct fixture *f = *state;
    const struct loop_view loop = {.lag_ns = NS_PER_MS};
    const struct facts facts = {.snapshot = &f->snapshot, .health = f->health, .loop = &loop};
    char offenders[256] = "";
    const struct alert_ops ops = {.notify = on_notification, .ctx = offenders};
    struct config_errors errors = {0};
    struct alert_manager *manager;
    struct alert_source *source;
    struct alert_input input;
    struct config *config = load_valid("{\"alert_manager\":{"
                                       "\"channels\":[{\"name\":\"pager\",\"type\":\"log\"}],"
                                       "\"routes\":[{\"channels\":[\"pager\"],\"group_wait\":0}]}}",
                                       NULL);

    assert_int_equal(alert_manager_create(&manager, config, &ops, &errors), 0);
    assert_int_equal(alert_source_create(&source), 0);
    burner(f, "kdamond")->cpu_percent = reading_of(2);
    ghosts(f, "cc1", "/system.slice/ci.service", 180);
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    for (int i = 0; i < 400 && !*offenders; i++) {
        fixture_ticks(f, 1);
        f->snapshot.realtime_ns = f->snapshot.monotonic_ns;
        assert_int_equal(alert_source_fill(source, &facts, NULL, 0, &input), 0);
        alert_manager_tick(manager, &input);
    }
    assert_string_equal(offenders, CC1 ", kdamond (pid 7) 1 % of 2 CPUs");
    alert_manager_destroy(manager);
    alert_source_destroy(source);
    config_destroy(config);
}

static void what_is_cut_says_so(void **state)
{
    char text[12];
    struct phrase p;

    phrase_init(&p, text, sizeof(text));
    phrase_add(&p, "exactly");
    phrase_add(&p, "full");
    assert_string_equal(text, "exactlyfull");
    phrase_add(&p, "!");
    assert_string_equal(text, "exactlyf...");
    phrase_add(&p, "!");
    assert_string_equal(text, "exactlyf...");
    phrase_init(&p, text, sizeof(text));
    phrase_add(&p, "exactly\xc3\xa4\xc3\xa4\xc3\xa4");
    assert_string_equal(text, "exactly...");
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(what_is_cut_says_so),
        FIXTURE_TEST(it_is_who_took_most_whoever_waited_for_it),
        FIXTURE_TEST(it_is_the_cgroup_when_nobody_in_it_stands_out),
        FIXTURE_TEST(the_figure_is_the_one_it_is_ordered_by),
        FIXTURE_TEST(the_alert_names_it_first),
    };

    return cmocka_run_group_tests(all, NULL, NULL);
}
