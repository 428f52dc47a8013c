/* That a notification says what is the matter when it is told, and names only what has changed. */
#include "alert_fixture.h"

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

static void open_with(const char *wait)
{
    char text[4096];

    snprintf(
        text, sizeof(text),
        "{\"alert_manager\":{\"escalation_delay\":0,\"max_alerts_per_hour\":100,"
        "\"cooldown_period\":0,\"rules\":["
        "{\"name\":\"CpuUnknown\",\"kind\":\"absent\",\"metric\":\"x\",\"enabled\":false},"
        "{\"name\":\"MemoryUnknown\",\"kind\":\"absent\",\"metric\":\"x\","
        "\"enabled\":false},"
        "{\"name\":\"CrashLoop\",\"kind\":\"event\",\"event\":\"crash\",\"count\":3,"
        "\"within\":300,\"severity\":\"critical\",\"keep_firing_for\":300},"
        "{\"name\":\"A\",\"metric\":\"a\",\"above\":0,\"for\":0,"
        "\"summary\":\"{{ $value }}, {{ $labels.severity }}\"}],"
        "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:9/\"}],"
        "\"routes\":[{\"channels\":[\"ops\"],\"group_by\":[\"alertname\",\"subject\"],"
        "\"group_wait\":%s,\"group_interval\":1,\"repeat_interval\":600}]}}",
        wait);
    world_open(&w, text);
}

#define WARNED "disk 84.3 % used, warning at 80 %"
#define FULL "disk 98.0 % used, critical at 95 %"

static void a_rise_says_what_it_is_now(void **state)
{
    struct alert_view view;

    open_with("0");
    set_check(&w, "disk", "/srv", STATUS_DEGRADED, WARNED);
    run_until(&w, 1001);
    assert_string_equal(w.summary, WARNED);
    set_check(&w, "disk", "/srv", STATUS_UNHEALTHY, FULL);
    run_until(&w, 1002);
    assert_string_equal(w.summary, FULL);
    assert_true(find_view(&w, "HostDisk", "/srv", &view));
    assert_string_equal(view.summary, FULL);
    assert_string_equal(view.reason, FULL);
    /* And the other way. */
    set_check(&w, "disk", "/srv", STATUS_DEGRADED, WARNED);
    run_until(&w, 1003);
    assert_true(find_view(&w, "HostDisk", "/srv", &view));
    assert_int_equal(view.severity, SEVERITY_WARNING);
    assert_string_equal(view.summary, WARNED);
}

static void what_waited_says_what_it_is_when_told(void **state)
{
    open_with("30");
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1010);
    set_metric(&w, "a", NULL, 7);
    run_until(&w, 1031);
    expect_log(&w, "1031 firing ops +A\n");
    assert_string_equal(w.summary, "7, warning");
}

static void a_repeat_says_what_it_is_now(void **state)
{
    open_with("0");
    set_check(&w, "disk", "/srv", STATUS_DEGRADED, WARNED);
    run_until(&w, 1500);
    set_check(&w, "disk", "/srv", STATUS_DEGRADED, "disk 91.0 % used, warning at 80 %");
    run_until(&w, 1601);
    expect_log(&w, "1001 firing ops +HostDisk//srv\n1601 firing ops +HostDisk//srv\n");
    assert_string_equal(w.summary, "disk 91.0 % used, warning at 80 %");
}

static void an_incident_is_not_what_changed(void **state)
{
    open_with("0");
    run_until(&w, 1001);
    alert_manager_note_change(w.manager, "the configuration was reloaded");
    for (unsigned i = 0; i < 3; i++) {
        add_event(&w, "crash", "web", "web crashed");
        run_until(&w, 1010 + i);
    }
    /* The crash loop of the same process, and the crash for the loop. */
    expect_log(&w, "1002 firing ops +ProcessCrash/web\n1012 firing ops +CrashLoop/web\n");
    assert_string_equal(w.changed, "11 s before: the configuration was reloaded");
    /* Something else has it among what changed. */
    add_event(&w, "oom", "db", "db was killed");
    run_until(&w, 1013);
    assert_non_null(strstr(w.changed, "1 s before: CrashLoop (subject web) began to fire"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_rise_says_what_it_is_now),
        TEST(what_waited_says_what_it_is_when_told),
        TEST(a_repeat_says_what_it_is_now),
        TEST(an_incident_is_not_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
