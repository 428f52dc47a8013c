/* Killed when the outbox had what was told and the disk an older state: the notes of what was told
 * are all that the next agent has of it. Nothing is hidden by that, nor told again, nor told more
 * often than it may be. */
#include "alert_fixture.h"

#define NOTES_MAX 64
#define EPOCH_NS (WORLD_EPOCH * NS_PER_SECOND)

static struct world w;
static cJSON *saved, *notes[NOTES_MAX];
static size_t note_count;

static void forget_notes(void)
{
    while (note_count > 0)
        cJSON_Delete(notes[--note_count]);
}

static int clean_up(void **state)
{
    forget_notes();
    cJSON_Delete(saved);
    saved = NULL;
    world_close(&w);
    return 0;
}

static void open_with(const char *more, const char *rules)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"escalation_delay\":0,\"cooldown_period\":0,%s"
             "\"rules\":[" NO_BUILT_IN ",%s]}}",
             more, rules);
    world_open(&w, text);
}

static void save(void)
{
    cJSON_Delete(saved);
    forget_notes();
    saved = alert_manager_export(w.manager, "boot");
    assert_non_null(saved);
}

static void live_until(unsigned second)
{
    while (w.now < second) {
        cJSON *note;

        run_until(&w, w.now + 1);
        note = alert_manager_export_told(w.manager, "boot");
        if (!note)
            continue;
        assert_true(note_count < NOTES_MAX);
        notes[note_count++] = note;
    }
}

static void kill_it(void)
{
    const struct alert_ops ops = {.notify = world_log, .ctx = &w};
    const uint64_t monotonic_ns = w.now * NS_PER_SECOND, realtime_ns = EPOCH_NS + monotonic_ns;
    struct config_errors errors = {0};

    alert_manager_destroy(w.manager);
    assert_int_equal(alert_manager_create(&w.manager, w.config, &ops, &errors), 0);
    if (saved)
        assert_int_equal(alert_manager_import(w.manager, saved, "boot", monotonic_ns, realtime_ns),
                         0);
    for (size_t i = 0; i < note_count; i++)
        assert_int_equal(
            alert_manager_import_told(w.manager, notes[i], "boot", monotonic_ns, realtime_ns), 0);
}

#define STALL_OF(severity_)                                                                        \
    "{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\",\"severity\":\"" severity_ "\","       \
    "\"keep_firing_for\":600}"
#define STALL STALL_OF("error")

static void stall(const char *subject)
{
    add_event(&w, "stall", subject, "stalled");
}

/* Of one tick, the note of the first of which would say that nothing is left to say of the other.
 */
static void what_was_held_back_is_in_the_digest(void **state)
{
    open_with(AT_ONCE "\"max_alerts_per_hour\":1,", STALL);
    live_until(1001);
    save();
    stall("told");
    stall("held");
    live_until(1002);
    expect_log(&w, "1002 firing* ops +E/told\n");
    kill_it();
    live_until(1200);
    expect_log(&w, "1063 digest ops E=1 of 1\n");
}

static void an_end_that_was_told_is_not_told_again(void **state)
{
    open_with(AT_ONCE, "{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                       "\"keep_firing_for\":20}");
    stall("x");
    live_until(1010);
    save();
    live_until(1030);
    expect_log(&w, "1001 firing ops +E/x\n1021 resolved ops -E/x\n");
    kill_it();
    live_until(1100);
    expect_log(&w, "");
}

static void a_digest_is_not_sent_again(void **state)
{
    open_with(AT_ONCE "\"max_alerts_per_hour\":1,", STALL);
    stall("told");
    live_until(1001);
    stall("held");
    live_until(1010);
    save();
    live_until(1062);
    expect_log(&w, "1001 firing* ops +E/told\n1062 digest ops E=1 of 1\n");
    kill_it();
    live_until(1500);
    expect_log(&w, "");
}

static void the_budget_of_the_hour_goes_on(void **state)
{
    open_with(AT_ONCE "\"max_alerts_per_hour\":2,", STALL);
    save();
    stall("1");
    live_until(1001);
    kill_it();
    stall("2");
    live_until(1002);
    kill_it();
    stall("3");
    live_until(1003);
    expect_log(&w, "1001 firing ops +E/1\n1002 firing* ops +E/2\n");
}

/* A receiver takes the key of one that it had for the same. */
static void what_is_told_again_has_a_key_of_its_own(void **state)
{
    open_with("\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"
              "\"routes\":[{\"channels\":[\"ops\"],\"group_by\":[\"subject\"],\"group_wait\":0,"
              "\"group_interval\":10,\"repeat_interval\":60}],",
              STALL);
    stall("1");
    live_until(1001);
    save();
    live_until(1070);
    kill_it();
    live_until(1130);
    expect_log(&w, "1001 firing ops +E/1\n1061 firing ops +E/1\n1121 firing ops +E/1\n");
    assert_int_equal(w.key_count, 3);
    assert_true(w.keys[0] != w.keys[1] && w.keys[1] != w.keys[2] && w.keys[0] != w.keys[2]);
}

/* The group's time of its own goes on as well. */
static void a_group_waits_for_its_interval(void **state)
{
    open_with("\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"
              "\"routes\":[{\"channels\":[\"ops\"],\"group_by\":[\"alertname\"],\"group_wait\":0,"
              "\"group_interval\":60}],",
              STALL);
    save();
    stall("1");
    live_until(1001);
    kill_it();
    stall("2");
    live_until(1070);
    expect_log(&w, "1001 firing ops +E/1\n1061 firing ops +E/2\n");
}

/* Restarted every few seconds, the next of what is gathered would wait for no other. */
static void what_is_gathered_waits_as_if_nothing_was(void **state)
{
    char subjects[300][8];
    size_t told = 0;

    open_with("\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],",
              STALL_OF("critical"));
    for (unsigned i = 0; i < 300; i++) {
        snprintf(subjects[i], sizeof(subjects[i]), "%u", i);
        stall(subjects[i]);
        live_until(w.now + 1);
        if (i == 1)
            save();
        if (i % 15 == 0)
            kill_it();
    }
    for (const char *line = w.log.data; *line; line = strchr(line, '\n') + 1)
        told++;
    if (told > 10)
        fail_msg("%zu notifications:\n%s", told, w.log.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(what_was_held_back_is_in_the_digest),
        TEST(an_end_that_was_told_is_not_told_again),
        TEST(a_digest_is_not_sent_again),
        TEST(the_budget_of_the_hour_goes_on),
        TEST(what_is_told_again_has_a_key_of_its_own),
        TEST(a_group_waits_for_its_interval),
        TEST(what_is_gathered_waits_as_if_nothing_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
