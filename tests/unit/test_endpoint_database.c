/* Checks of a Redis and a PostgreSQL server from Debian. What the check counts is compared with the
 * connections that the test itself holds, and with what the servers' own clients say. */
#include "check_scene.h"
#include <glob.h>

#define PATIENT "\"interval\":60,\"timeout\":60"

struct database {
    char directory[64], password[128], user[32];
    uint16_t port;
    pid_t pid;
};

static int hold_connection(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void start_redis(struct database *d, const char *password)
{
    char port[16];

    make_directory(d->directory, NULL);
    snprintf(d->password, sizeof(d->password), "%s/password", d->directory);
    write_file(d->password, "hunter2\n");
    d->port = free_port();
    snprintf(port, sizeof(port), "%u", d->port);
    d->pid = program_start((char *[]){"redis-server", "--port", port, "--bind", "127.0.0.1",
                                      "--save", "", "--dir", d->directory, "--maxclients", "123",
                                      password ? "--requirepass" : NULL, (char *)password, NULL},
                           NULL, NULL);
    wait_for_port(d->port);
}

static void redis_is_asked_for_its_connections(void **state)
{
    struct database d = {0};
    struct check_scene s;
    uint64_t deadline_ns;
    int held[3];
    char answer[16];

    start_redis(&d, NULL);
    for (int i = 0; i < 3; i++) {
        held[i] = hold_connection(d.port);
        /* It counts a client once it has been accepted, which an answer shows. */
        assert_int_equal(write(held[i], "PING\r\n", 6), 6);
        assert_true(read(held[i], answer, sizeof(answer)) > 0);
    }
    check_scene_begin(&s);
    check_scene_service(&s, "\"type\":\"redis\",\"url\":\"redis://localhost:%u\"," PATIENT, d.port);
    /* The probes for the port may not have been seen off yet. */
    deadline_ns = clock_monotonic_ns(clock_system()) + PROGRAM_DEADLINE_NS / 2;
    do {
        check_scene_service(&s, "\"type\":\"redis\",\"url\":\"redis://localhost:%u/%u\"," PATIENT,
                            d.port, s.results);
        check_scene_run(&s, 1);
        expect_success(&s);
        assert_true(clock_monotonic_ns(clock_system()) < deadline_ns);
    } while (s.last.connections.total > 4);
    assert_true(s.last.connections.known && s.last.connections.limit_known);
    assert_int_equal(s.last.connections.total, 4);
    assert_int_equal(s.last.connections.limit, 123);
    assert_string_equal(s.last.connections.reason, "");
    assert_true(s.last.latency_ns > 0);
    check_scene_service(
        &s,
        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u/m\",\"expect\":\"role:master\"," PATIENT,
        d.port);
    check_scene_run(&s, 1);
    expect_success(&s);
    check_scene_service(
        &s,
        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u/s\",\"expect\":\"role:slave\"," PATIENT,
        d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "\"role:slave\" is not in what INFO says");
    /* Stopped: the kernel still connects, nobody answers. */
    kill(d.pid, SIGSTOP);
    check_scene_service(&s,
                        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u/h\",\"interval\":1,"
                        "\"timeout\":0.2",
                        d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "no answer within 0.2 s");
    kill(d.pid, SIGCONT);
    do
        check_scene_run(&s, 1);
    while (s.last.status == ENDPOINT_FAILED);
    check_scene_end(&s);
    for (int i = 0; i < 3; i++)
        close(held[i]);
    program_stop(d.pid, SIGTERM);
    remove_directory(d.directory);
}

static void redis_wants_a_password(void **state)
{
    struct database d = {0};
    struct check_scene s;
    char wrong[128], command[256];

    start_redis(&d, "hunter2");
    snprintf(wrong, sizeof(wrong), "%s/wrong", d.directory);
    write_file(wrong, "guess\n");
    check_scene_begin(&s);
    check_scene_service(&s, "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u\"," PATIENT, d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "NOAUTH");
    check_scene_service(
        &s,
        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u/1\",\"password_file\":\"%s\"," PATIENT,
        d.port, wrong);
    check_scene_run(&s, 1);
    expect_failure(&s, "WRONGPASS");
    check_scene_service(
        &s,
        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u/2\",\"password_file\":\"%s\"," PATIENT,
        d.port, d.password);
    check_scene_run(&s, 1);
    expect_success(&s);
    /* A user who may PING and nothing else: the server is up, its connections are unknown. */
    snprintf(command, sizeof(command),
             "redis-cli -p %u -a hunter2 --no-auth-warning acl setuser probe on '>hunter2' +ping",
             d.port);
    program_run((char *[]){"sh", "-c", command, NULL}, NULL);
    check_scene_service(&s,
                        "\"type\":\"redis\",\"url\":\"redis://probe@127.0.0.1:%u\","
                        "\"password_file\":\"%s\"," PATIENT,
                        d.port, d.password);
    check_scene_run(&s, 1);
    expect_success(&s);
    assert_false(s.last.connections.known || s.last.connections.limit_known);
    assert_non_null(strstr(s.last.connections.reason, "INFO: NOPERM"));
    check_scene_end(&s);
    program_stop(d.pid, SIGTERM);
    remove_directory(d.directory);
}

static void run_psql(const struct database *d, const char *sql)
{
    char port[16];

    snprintf(port, sizeof(port), "%u", d->port);
    program_run((char *[]){"psql", "-qX", "-h", "127.0.0.1", "-p", port, "-U", "super", "-d",
                           "postgres", "-c", (char *)sql, NULL},
                NULL);
}

static void wait_for_psql(const struct database *d)
{
    uint64_t deadline_ns = clock_monotonic_ns(clock_system()) + PROGRAM_DEADLINE_NS;
    char port[16];

    snprintf(port, sizeof(port), "%u", d->port);
    while (program_wait(program_start((char *[]){"psql", "-qX", "-h", "127.0.0.1", "-p", port, "-U",
                                                 "super", "-d", "postgres", "-c", "SELECT 1", NULL},
                                      NULL, NULL))) {
        if (clock_monotonic_ns(clock_system()) > deadline_ns)
            fail_msg("PostgreSQL does not come up");
        pause_briefly();
    }
}

/* It refuses to run as root. */
static void start_postgres(struct database *d)
{
    char initdb[128], postgres[128], data[128], port[16], hba[160];
    glob_t found;

    assert_int_equal(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found), 0);
    snprintf(initdb, sizeof(initdb), "%s/initdb", found.gl_pathv[found.gl_pathc - 1]);
    snprintf(postgres, sizeof(postgres), "%s/postgres", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    make_directory(d->directory, "postgres");
    snprintf(data, sizeof(data), "%s/data", d->directory);
    snprintf(hba, sizeof(hba), "%s/pg_hba.conf", data);
    snprintf(d->password, sizeof(d->password), "%s/password", d->directory);
    write_file(d->password, "hunter2\n");
    program_run(
        (char *[]){initdb, "-D", data, "-U", "super", "-A", "trust", "-N", "--no-locale", NULL},
        "postgres");
    write_file(hba, "host all probe 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
                    "local all all trust\n");
    d->port = free_port();
    snprintf(port, sizeof(port), "%u", d->port);
    d->pid =
        program_start((char *[]){postgres, "-D", data, "-p", port, "-h", "127.0.0.1", "-k",
                                 d->directory, "-c", "max_connections=17", "-c", "fsync=off", NULL},
                      "postgres", NULL);
    wait_for_psql(d);
}

static pid_t hold_psql(const struct database *d, const char *sql)
{
    char command[512];

    /* Reads from a pipe that stays open, but not long after a test that failed. */
    snprintf(
        command, sizeof(command),
        "(echo \"%s\"; exec sleep 120) | exec psql -qX -h 127.0.0.1 -p %u -U super -d postgres",
        sql, d->port);
    return program_start((char *[]){"setsid", "sh", "-c", command, NULL}, NULL, NULL);
}

static void postgres_is_asked_for_its_connections(void **state)
{
    uint64_t deadline_ns;
    struct database d = {0};
    struct check_scene s;
    pid_t holders[3];
    unsigned attempt = 0;

    start_postgres(&d);
    run_psql(&d, "CREATE ROLE probe LOGIN PASSWORD 'hunter2'");
    holders[0] = hold_psql(&d, "SELECT 1;");
    holders[1] = hold_psql(&d, "BEGIN; SELECT 1;");
    holders[2] = hold_psql(&d, "SELECT pg_sleep(1000);");
    check_scene_begin(&s);
    deadline_ns = clock_monotonic_ns(clock_system()) + PROGRAM_DEADLINE_NS / 2;
    /* Active are the sleeper and the check itself. */
    do {
        check_scene_service(&s,
                            "\"type\":\"postgres\",\"url\":\"postgres://super@localhost:%u/"
                            "postgres?options=-cx.y%%3D%u\"," PATIENT,
                            d.port, attempt++);
        check_scene_run(&s, 1);
        expect_success(&s);
        assert_true(clock_monotonic_ns(clock_system()) < deadline_ns);
    } while (s.last.connections.total != 4 || s.last.connections.idle != 1 ||
             s.last.connections.idle_in_transaction != 1 || s.last.connections.active != 2);
    assert_true(s.last.connections.known && s.last.connections.limit_known &&
                s.last.connections.states_known);
    assert_int_equal(s.last.connections.other, 0);
    assert_int_equal(s.last.connections.limit, 17);
    assert_true(s.last.latency_ns > 0);
    /* A role without privileges: up, and the reason why nothing is counted. */
    check_scene_service(
        &s,
        "\"type\":\"postgres\",\"url\":\"postgresql://probe@127.0.0.1:%u/postgres\","
        "\"password_file\":\"%s\"," PATIENT,
        d.port, d.password);
    check_scene_run(&s, 1);
    expect_success(&s);
    assert_false(s.last.connections.known);
    assert_true(s.last.connections.limit_known);
    assert_non_null(strstr(s.last.connections.reason, "GRANT pg_read_all_stats TO probe"));
    run_psql(&d, "GRANT pg_read_all_stats TO probe");
    check_scene_service(
        &s,
        "\"type\":\"postgres\",\"url\":\"postgresql://probe@127.0.0.1:%u/postgres?\","
        "\"password_file\":\"%s\"," PATIENT,
        d.port, d.password);
    check_scene_run(&s, 1);
    expect_success(&s);
    assert_true(s.last.connections.known);
    /* Its own directory of sockets. */
    check_scene_service(
        &s, "\"type\":\"postgres\",\"url\":\"postgres://super@/postgres?host=%s&port=%u\"," PATIENT,
        d.directory, d.port);
    check_scene_run(&s, 1);
    expect_success(&s);
    /* What is wrong is the server's word. */
    check_scene_service(
        &s, "\"type\":\"postgres\",\"url\":\"postgres://super@127.0.0.1:%u/nothing\"," PATIENT,
        d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "database \"nothing\" does not exist");
    check_scene_service(
        &s, "\"type\":\"postgres\",\"url\":\"postgres://probe@127.0.0.1:%u/postgres\"," PATIENT,
        d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "password");
    for (int i = 0; i < 3; i++) {
        kill(-holders[i], SIGKILL);
        program_wait(holders[i]);
    }
    /* All children stopped: a hang. */
    kill(d.pid, SIGSTOP);
    check_scene_service(
        &s,
        "\"type\":\"postgres\",\"url\":\"postgres://super@127.0.0.1:%u/h\",\"interval\":1,"
        "\"timeout\":0.2",
        d.port);
    check_scene_run(&s, 1);
    expect_failure(&s, "no answer within 0.2 s");
    kill(d.pid, SIGCONT);
    check_scene_end(&s);
    program_stop(d.pid, SIGINT);
    remove_directory(d.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_is_asked_for_its_connections),
        cmocka_unit_test(redis_wants_a_password),
        cmocka_unit_test(postgres_is_asked_for_its_connections),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
