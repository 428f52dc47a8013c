/* A restart changes nothing: whatever the second at which the agent is replaced by one that reads
 * the saved state, the notifications are the same, to the key. */
#include "alert_fixture.h"
#include <errno.h>

#define BEGIN 1000
#define END 5500 /* more than an hour: the limit is reached and free again */

/* Every second, then every fortieth. */
static unsigned next_second(unsigned now)
{
    return now < 1600 ? now + 1 : now + 39;
}

static const char config_text[] =
    "{\"alert_manager\":{\"cooldown_period\":80,\"escalation_delay\":40,\"escalation_limit\":2,"
    "\"max_alerts_per_hour\":9,\"flapping_changes\":4,\"flapping_window\":70,"
    "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"
    "\"},{\"name\":\"boss\",\"type\":\"webhook\",\"url\":\"http://h/\","
    "\"minimum_severity\":\"error\"}],"
    "\"routes\":[{\"channels\":[\"ops\",\"boss\"],\"match\":{\"alertname\":\"B\"},"
    "\"group_by\":[\"subject\"],\"group_wait\":3,\"group_interval\":20,\"repeat_interval\":90},"
    "{\"channels\":[\"ops\"],\"escalate_to\":[\"boss\"],\"group_by\":[\"alertname\"],"
    "\"group_wait\":7,\"group_interval\":15,\"repeat_interval\":120}],"
    "\"inhibit\":[{\"source\":{\"alertname\":\"B\"},\"target\":{\"alertname\":\"A\"},"
    "\"equal\":[\"subject\"]}],"
    "\"mute_windows\":[{\"name\":\"n\",\"start\":\"00:20\",\"end\":\"00:21\","
    "\"match\":{\"subject\":\"y\"}}],"
    "\"rules\":[" NO_BUILT_IN
    ",{\"name\":\"A\",\"metric\":\"a\",\"above\":5,\"clear\":3,\"for\":9,\"keep_firing_for\":6,"
    "\"summary\":\"{{ $labels.subject }} {{ $value }}\"},"
    "{\"name\":\"B\",\"metric\":\"b\",\"above\":5,\"for\":0},"
    "{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\",\"count\":3,\"within\":30,"
    "\"keep_firing_for\":20,\"severity\":\"error\"},"
    "{\"name\":\"G\",\"kind\":\"absent\",\"metric\":\"g\",\"for\":12}]}}";

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void ack_any(void *ctx, const struct alert_view *view)
{
    char *id = ctx;

    if (view->state == ALERT_FIRING && strcmp(view->id, id) > 0)
        strcpy(id, view->id);
}

/* What happens in this second depends on the second only. */
static void happen(struct world *w)
{
    static const char *const subjects[] = {"x", "y", "z"};
    uint64_t seed = 0x9e3779b97f4a7c15ULL * w->now;
    char id[24] = "", error[160];

    for (int i = 0; i < 4; i++)
        next_random(&seed);
    if (next_random(&seed) % 4 == 0)
        set_metric(w, "a", subjects[next_random(&seed) % 3], (double)(next_random(&seed) % 9));
    if (next_random(&seed) % 5 == 0)
        set_metric(w, "b", subjects[next_random(&seed) % 3], (double)(next_random(&seed) % 9));
    if (next_random(&seed) % 10 == 0)
        add_event(w, "stall", subjects[next_random(&seed) % 3], "stalled");
    if (next_random(&seed) % 30 == 0)
        set_metric(w, "g", NULL, next_random(&seed) % 2 ? NAN : 1);
    if (next_random(&seed) % 25 == 0)
        set_check(w, "cpu", NULL, (enum status)(next_random(&seed) % STATUS_COUNT), "cpu");
    if (next_random(&seed) % 40 == 0) {
        alert_manager_each(w->manager, ack_any, id);
        if (*id)
            alert_manager_ack(w->manager, id, "me", "seen", next_random(&seed) % 2 ? 0 : 30);
    }
    if (next_random(&seed) % 60 == 0)
        assert_int_equal(
            alert_manager_silence(w->manager,
                                  next_random(&seed) % 2 ? "subject=x" : "alertname=~\"A|E\"",
                                  (WORLD_EPOCH + w->now) * NS_PER_SECOND,
                                  (WORLD_EPOCH + w->now + 35) * NS_PER_SECOND, "me", "", id, error),
            0);
    if (next_random(&seed) % 50 == 0)
        alert_manager_note_change(w->manager, "something was deployed");
}

static void live(struct world *w, unsigned until)
{
    while (w->now < until) {
        w->now = next_second(w->now);
        happen(w);
        world_tick(w);
    }
}

static void replace_manager(struct world *w, bool reboot)
{
    const struct alert_ops ops = {.notify = world_log, .ctx = w};
    cJSON *saved = alert_manager_export(w->manager, "boot-1"), *read;
    struct config_errors errors = {0};
    char *text;

    assert_non_null(saved);
    text = cJSON_PrintUnformatted(saved);
    cJSON_Delete(saved);
    alert_manager_destroy(w->manager);
    assert_int_equal(alert_manager_create(&w->manager, w->config, &ops, &errors), 0);
    read = cJSON_Parse(text);
    assert_non_null(read);
    if (reboot)
        w->booted = w->now - 5;
    assert_int_equal(alert_manager_import(w->manager, read, reboot ? "boot-2" : "boot-1",
                                          (w->now - w->booted) * NS_PER_SECOND,
                                          (WORLD_EPOCH + w->now) * NS_PER_SECOND),
                     0);
    cJSON_Delete(read);
    free(text);
}

static void expect_same(const struct world *whole, const struct world *cut, unsigned at)
{
    if (strcmp(whole->log.data, cut->log.data) != 0) {
        size_t i = 0;

        while (whole->log.data[i] == cut->log.data[i])
            i++;
        while (i > 0 && whole->log.data[i - 1] != '\n')
            i--;
        fail_msg("restarted at %u:\n%.200s\nwithout:\n%.200s", at, cut->log.data + i,
                 whole->log.data + i);
    }
    assert_int_equal(whole->key_count, cut->key_count);
    assert_memory_equal(whole->keys, cut->keys, whole->key_count * sizeof(whole->keys[0]));
}

static void count_kinds(const struct world *w)
{
    static const char *const kinds[] = {" firing ", " resolved ",   " flapping ",
                                        " digest ", " escalation ", "* ops"};

    /* The script is worth something only if everything happens in it. */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strstr(w->log.data, kinds[i]))
            fail_msg("nothing%s in\n%s", kinds[i], w->log.data);
}

static struct world whole;

static int set_up(void **state)
{
    struct alert_counters c;

    world_open(&whole, config_text);
    live(&whole, END);
    alert_manager_counters(whole.manager, &c);
    assert_true(c.silenced && c.inhibited && c.muted && c.cooled_down && c.held_back);
    return 0;
}

static int clean_up(void **state)
{
    world_close(&whole);
    return 0;
}

static void restart_everywhere(bool reboot)
{
    unsigned tick = 0;

    for (unsigned at = BEGIN + 1; at < END; at = next_second(at)) {
        struct world cut;

        if (reboot && tick++ % 4)
            continue;
        world_open(&cut, config_text);
        live(&cut, at);
        replace_manager(&cut, reboot);
        live(&cut, END);
        expect_same(&whole, &cut, at);
        world_close(&cut);
    }
}

static void the_script_holds_everything(void **state)
{
    count_kinds(&whole);
}

static void a_restart_at_any_second_changes_nothing(void **state)
{
    restart_everywhere(false);
}

static void a_reboot_changes_nothing(void **state)
{
    restart_everywhere(true);
}

static void a_restart_every_second_changes_nothing(void **state)
{
    struct world cut;

    world_open(&cut, config_text);
    for (unsigned at = BEGIN + 1; at < END; at = next_second(at)) {
        live(&cut, at);
        replace_manager(&cut, at % 50 == 0);
    }
    live(&cut, END);
    expect_same(&whole, &cut, 0);
    world_close(&cut);
}

static void take_over(struct world *w, const cJSON *state, const cJSON *note)
{
    const struct alert_ops ops = {.notify = world_log, .ctx = w};
    struct config_errors errors = {0};
    uint64_t monotonic_ns = w->now * NS_PER_SECOND;
    uint64_t realtime_ns = (WORLD_EPOCH + w->now) * NS_PER_SECOND;

    alert_manager_destroy(w->manager);
    assert_int_equal(alert_manager_create(&w->manager, w->config, &ops, &errors), 0);
    if (state)
        assert_int_equal(alert_manager_import(w->manager, state, "boot", monotonic_ns, realtime_ns),
                         0);
    if (note)
        assert_int_equal(
            alert_manager_import_told(w->manager, note, "boot", monotonic_ns, realtime_ns), 0);
}

/* Killed when the receiver had the message and the disk an older state, or none at all. */
static void what_was_told_is_known_by_its_note(void **state)
{
    for (int with_state = 0; with_state < 2; with_state++) {
        struct world w;
        cJSON *saved, *note;

        world_open(&w, "{\"alert_manager\":{" AT_ONCE "\"rules\":[" NO_BUILT_IN
                       ",{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                       "\"keep_firing_for\":20}]}}");
        add_event(&w, "stall", "old", "stalled");
        run_until(&w, 1010);
        expect_log(&w, "1001 firing ops +E/old\n");
        cJSON_Delete(alert_manager_export_told(w.manager, "boot"));
        saved = alert_manager_export(w.manager, "boot");
        add_event(&w, "stall", "new", "stalled");
        run_until(&w, 1012);
        expect_log(&w, "1011 firing ops +E/new\n");
        note = alert_manager_export_told(w.manager, "boot");
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(note, "alerts")), 1);
        assert_null(alert_manager_export_told(w.manager, "boot"));
        take_over(&w, with_state ? saved : NULL, note);
        assert_null(alert_manager_export_told(w.manager, "boot"));
        run_until(&w, 1060);
        expect_log(&w, with_state ? "1021 resolved ops -E/old\n1031 resolved ops -E/new\n"
                                  : "1031 resolved ops -E/new\n");
        cJSON_Delete(note);
        cJSON_Delete(saved);
        world_close(&w);
    }
}

/* It could not be taken out of the outbox any more. */
static void a_note_that_is_older_than_the_state_is_nothing(void **state)
{
    struct world w;
    cJSON *saved, *note;

    world_open(&w, "{\"alert_manager\":{" AT_ONCE "\"rules\":[" NO_BUILT_IN
                   ",{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                   "\"keep_firing_for\":20}]}}");
    add_event(&w, "stall", "x", "stalled");
    run_until(&w, 1010);
    note = alert_manager_export_told(w.manager, "boot");
    run_until(&w, 1400);
    expect_log(&w, "1001 firing ops +E/x\n1021 resolved ops -E/x\n");
    saved = alert_manager_export(w.manager, "boot");
    take_over(&w, saved, note);
    run_until(&w, 1800);
    expect_log(&w, "");
    cJSON_Delete(note);
    cJSON_Delete(saved);
    world_close(&w);
}

/* An older version wrote some paths of cgroups without their first "/". */
static void an_older_spelling_is_the_same_alert(void **state)
{
    static const char path[] = "/system.slice/db.service";
    struct world w;
    cJSON *saved, *alert;

    world_open(&w, "{\"alert_manager\":{" AT_ONCE "\"rules\":[" NO_BUILT_IN
                   ",{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                   "\"keep_firing_for\":20}]}}");
    add_event(&w, "stall", "x", "stalled");
    w.events[0].cgroup = path;
    run_until(&w, 1010);
    expect_log(&w, "1001 firing ops +E/x\n");
    saved = alert_manager_export(w.manager, "boot");
    cJSON_ArrayForEach (alert, cJSON_GetObjectItem(saved, "alerts"))
        assert_true(cJSON_ReplaceItemInObject(cJSON_GetObjectItem(alert, "labels"), "cgroup",
                                              cJSON_CreateString(path + 1)));
    take_over(&w, saved, NULL);
    add_event(&w, "stall", "x", "stalled");
    w.events[w.event_count - 1].cgroup = path;
    run_until(&w, 1060);
    expect_log(&w, "1031 resolved ops -E/x\n");
    cJSON_Delete(saved);
    world_close(&w);
}

/* Marked once, not at each restart. */
static void a_name_of_any_bytes_is_the_same_alert(void **state)
{
    static const char *const names[] = {"x\x9b", "x\xef\xbf\xbd"
                                                 "9b"};

    for (size_t i = 0; i < 2; i++) {
        struct world w;
        cJSON *saved;

        world_open(&w, "{\"alert_manager\":{" AT_ONCE "\"rules\":[" NO_BUILT_IN
                       ",{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                       "\"keep_firing_for\":20}]}}");
        for (int restarts = 0; restarts < 3; restarts++) {
            add_event(&w, "stall", names[i], "stalled");
            run_until(&w, 1010 + 10 * (unsigned)restarts);
            saved = alert_manager_export(w.manager, "boot");
            /* That of the rule above, and the built-in one. */
            assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(saved, "alerts")), 2);
            take_over(&w, saved, NULL);
            cJSON_Delete(saved);
        }
        world_close(&w);
    }
}

static void what_is_no_state_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}", "[]", "1", "null", "{\"version\":\"1\"}", "{\"version\":3}"};
    struct world w;

    world_open(&w, config_text);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *json = cJSON_Parse(texts[i]);

        assert_int_equal(alert_manager_import(w.manager, json, NULL, 1, 1), -EINVAL);
        assert_int_equal(alert_manager_import_told(w.manager, json, NULL, 1, 1), -EINVAL);
        cJSON_Delete(json);
    }
    world_close(&w);
}

/* Any value replaced by one of another kind, one at a time: read or left out, then a hundred ticks
 * without a crash (the sanitizers tell). */
static void damage(cJSON *json, size_t *left)
{
    static const double numbers[] = {-1, 1e300, 2147483648.0, 0.5};
    cJSON *each = json->child, *next;

    for (; each; each = next) {
        next = each->next;
        if (*left == 0)
            return;
        if (--*left > 0) {
            damage(each, left);
            continue;
        }
        if (strcmp(each->string ? each->string : "", "version") == 0)
            return;
        if (cJSON_IsNumber(each))
            each->valuedouble = numbers[json->type % 4];
        else
            cJSON_ReplaceItemViaPointer(json, each, cJSON_CreateNumber(numbers[0]));
        return;
    }
}

static void a_damaged_state_does_no_harm(void **state)
{
    cJSON *saved;
    struct world before;

    world_open(&before, config_text);
    live(&before, BEGIN + 300);
    saved = alert_manager_export(before.manager, "boot-1");
    for (size_t which = 1;; which++) {
        cJSON *copy = cJSON_Duplicate(saved, true);
        size_t left = which;
        struct world w;

        damage(copy, &left);
        if (left > 0) {
            cJSON_Delete(copy);
            assert_in_range(which, 300, 100000);
            break;
        }
        world_open(&w, config_text);
        w.now = before.now;
        alert_manager_import(w.manager, copy, "boot-1", w.now * NS_PER_SECOND,
                             (WORLD_EPOCH + w.now) * NS_PER_SECOND);
        cJSON_Delete(copy);
        live(&w, w.now + 100);
        world_close(&w);
    }
    cJSON_Delete(saved);
    world_close(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_script_holds_everything),
        cmocka_unit_test(a_restart_at_any_second_changes_nothing),
        cmocka_unit_test(a_reboot_changes_nothing),
        cmocka_unit_test(a_restart_every_second_changes_nothing),
        cmocka_unit_test(what_was_told_is_known_by_its_note),
        cmocka_unit_test(a_note_that_is_older_than_the_state_is_nothing),
        cmocka_unit_test(an_older_spelling_is_the_same_alert),
        cmocka_unit_test(a_name_of_any_bytes_is_the_same_alert),
        cmocka_unit_test(what_is_no_state_is_refused),
        cmocka_unit_test(a_damaged_state_does_no_harm),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
