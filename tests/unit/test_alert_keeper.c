/* What changes is on the disk without any tick, however the changes meet the writes. The loop runs
 * until the file has them; CTest's limit ends one that waits in vain. */
#include "alert/state_keeper.h"
#include "alert_fixture.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/loop.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHANGES 20

struct scene {
    struct world world;
    char directory[64], path[96];
    struct loop *loop;
    struct alert_keeper *keeper;
    int ready_fd; /* always readable: each round of the loop looks */
    uint64_t saved_note;
    bool saved_early; /* it was said so without a file */
    unsigned made;    /* changes */
};

static void on_saved(void *ctx, uint64_t note)
{
    struct scene *s = ctx;

    s->saved_note = note;
    s->saved_early = s->saved_early || access(s->path, F_OK) < 0;
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char root[] = "/tmp/moonwatch-keeper-XXXXXX";

    assert_non_null(mkdtemp(root));
    snprintf(s->directory, sizeof(s->directory), "%s", root);
    snprintf(s->path, sizeof(s->path), "%s/alerts.json", root);
    world_open(&s->world, "{}");
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    s->ready_fd = eventfd(1, EFD_CLOEXEC);
    assert_true(s->ready_fd >= 0);
    assert_int_equal(alert_keeper_create(&s->keeper,
                                         &(struct alert_keeper_sources){
                                             .loop = s->loop,
                                             .clock = clock_system(),
                                             .host = &host_default,
                                             .directory = s->directory,
                                             .manager = s->world.manager,
                                             .saved = on_saved,
                                             .ctx = s,
                                         }),
                     0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    alert_keeper_destroy(s->keeper, false);
    loop_destroy(s->loop);
    close(s->ready_fd);
    world_close(&s->world);
    unlink(s->path);
    rmdir(s->directory);
    free(s);
    return 0;
}

static void change(struct scene *s)
{
    char id[24], error[160], matchers[32];

    snprintf(matchers, sizeof(matchers), "n=change%02u", ++s->made);
    assert_int_equal(
        alert_manager_silence(s->world.manager, matchers, 0, UINT64_MAX, "", "", id, error), 0);
    alert_keeper_changed(s->keeper);
}

static bool last_is_on_disk(const struct scene *s)
{
    CLEANUP_FREE char *text = NULL;
    char value[32];
    size_t len;

    snprintf(value, sizeof(value), "change%02u", s->made);
    return file_read_all(NULL, s->path, STATE_FILE_BYTES_MAX, &text, &len) == 0 &&
           strstr(text, value);
}

static void run_until_done(struct scene *s, loop_fd_fn *look)
{
    struct loop_source *source;

    assert_int_equal(loop_add_fd(s->loop, &source, s->ready_fd, EPOLLIN, look, s), 0);
    assert_int_equal(loop_run(s->loop), 0);
    loop_remove(source);
}

/* The file is there before its write has ended: the directory is not on the disk yet. */
static void change_when_the_last_is_there(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    if (!last_is_on_disk(s))
        return;
    if (s->made == CHANGES)
        loop_stop(s->loop);
    else
        change(s);
}

static void one_after_the_other(void **state)
{
    struct scene *s = *state;

    change(s);
    run_until_done(s, change_when_the_last_is_there);
    assert_true(s->saved_note > 0);
}

static void change_all_the_time(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    if (access(s->path, F_OK) == 0)
        loop_stop(s->loop);
    else if (s->made < SILENCES_MAX)
        change(s);
    else
        alert_keeper_changed(s->keeper);
}

static void changes_do_not_put_off_the_write(void **state)
{
    const struct scene *s = *state;

    run_until_done(*state, change_all_the_time);
    assert_false(s->saved_early);
}

static void stop_when_it_is_kept(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    (void)events;
    if (alert_keeper_kept(s->keeper) < alert_manager_revision(s->world.manager))
        return;
    assert_true(last_is_on_disk(s));
    loop_stop(s->loop);
}

static void kept_is_what_the_disk_has(void **state)
{
    struct scene *s = *state;

    assert_true(alert_keeper_kept(s->keeper) >= alert_manager_revision(s->world.manager));
    change(s);
    assert_true(alert_keeper_kept(s->keeper) < alert_manager_revision(s->world.manager));
    run_until_done(s, stop_when_it_is_kept);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(one_after_the_other),
        SCENE_TEST(changes_do_not_put_off_the_write),
        SCENE_TEST(kept_is_what_the_disk_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
