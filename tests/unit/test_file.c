/* Reading small files again and again, on files of the test's own and the real /proc. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/host.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static char directory[64];

    strcpy(directory, "/tmp/moonwatch-test-XXXXXX");
    *state = mkdtemp(directory);
    return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int tear_down(void **state)
{
    return nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *directory, const char *name, const char *content, size_t n)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, n), (ssize_t)n);
    close(fd);
}

static void a_file_is_read_anew_each_time(void **state)
{
    CLEANUP_FREE char *buffer = NULL;
    size_t capacity = 0;
    struct proc_file file;
    char *before;

    put(*state, "f", "one\n", 4);
    assert_int_equal(proc_file_open(&file, *state, "f"), 0);
    assert_int_equal(file.open_error, 0);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), 4);
    assert_string_equal(buffer, "one\n");
    put(*state, "f", "three\n", 6);
    before = buffer;
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), 6);
    assert_string_equal(buffer, "three\n");
    assert_ptr_equal(before, buffer); /* no allocation per reading */
    put(*state, "f", "", 0);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), -ENODATA);
    proc_file_close(&file);
    proc_file_close(&file);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), -EBADF);
}

static void a_large_file_grows_the_buffer(void **state)
{
    CLEANUP_FREE char *buffer = NULL;
    char *content = malloc(100000);
    size_t capacity = 0, i;
    struct proc_file file;

    for (i = 0; i < 100000; i++)
        content[i] = (char)('a' + i % 26);
    put(*state, "f", content, 100000);
    assert_int_equal(proc_file_open(&file, *state, "f"), 0);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), 100000);
    assert_memory_equal(buffer, content, 100000);
    assert_int_equal(buffer[100000], 0);
    /* Sizes around the buffer's, where the NUL has to fit too. */
    for (i = 4090; i < 4100; i++) {
        put(*state, "f", content, i);
        assert_int_equal(proc_file_read(&file, &buffer, &capacity), i);
        assert_int_equal(strlen(buffer), i);
    }
    proc_file_close(&file);
    free(content);
}

/* A line that no read returns whole is read on; what is behind it may be left out. */
static void a_first_line_is_whole(void **state)
{
    CLEANUP_FREE char *buffer = NULL;
    char *content = malloc(20000);
    size_t capacity = 0;
    struct proc_file file;

    put(*state, "f", "12 of 34\nmore\n", 14);
    assert_int_equal(proc_file_open(&file, *state, "f"), 0);
    assert_true(proc_file_read_line(&file, &buffer, &capacity) >= 9);
    assert_memory_equal(buffer, "12 of 34\n", 9);
    memset(content, 'x', 20000);
    content[9999] = '\n';
    put(*state, "f", content, 20000);
    assert_true(proc_file_read_line(&file, &buffer, &capacity) >= 10000);
    assert_memory_equal(buffer, content, 10000);
    /* One that is cut short is all there is. */
    put(*state, "f", content, 9000);
    assert_int_equal(proc_file_read_line(&file, &buffer, &capacity), 9000);
    assert_int_equal(strlen(buffer), 9000);
    put(*state, "f", "", 0);
    assert_int_equal(proc_file_read_line(&file, &buffer, &capacity), -ENODATA);
    proc_file_close(&file);
    free(content);
}

static void a_missing_file_is_opened_when_it_comes(void **state)
{
    CLEANUP_FREE char *buffer = NULL;
    size_t capacity = 0;
    struct proc_file file, zeroed = {0};

    assert_int_equal(proc_file_open(&file, *state, "f"), -ENOENT);
    assert_int_equal(file.open_error, ENOENT);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), -ENOENT);
    put(*state, "f", "x", 1);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), 1);
    assert_int_equal(file.open_error, 0);
    proc_file_close(&file);
    assert_int_equal(proc_file_open(&file, "/", "proc"), -EISDIR);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), -EISDIR);
    proc_file_close(&file);
    proc_file_close(&zeroed);
}

static void the_real_proc_moves_on(void **state)
{
    CLEANUP_FREE char *buffer = NULL;
    CLEANUP_FREE char *first = NULL;
    size_t capacity = 0;
    struct proc_file file;
    ssize_t n;

    assert_int_equal(proc_file_open(&file, host_default.proc, "self/schedstat"), 0);
    n = proc_file_read(&file, &buffer, &capacity);
    if (n < 0) { /* a kernel without SCHED_INFO */
        proc_file_close(&file);
        skip();
    }
    first = strdup(buffer);
    /* Run time grows while we read it. */
    do
        n = proc_file_read(&file, &buffer, &capacity);
    while (n > 0 && strcmp(first, buffer) == 0);
    assert_true(n > 0);
    proc_file_close(&file);
    assert_string_equal(host_default.sys, "/sys");
}

static void whole_files_and_their_limit(void **state)
{
    char *content = NULL;
    size_t len = 99;

    put(*state, "f", "12345", 5);
    assert_int_equal(file_read_all(*state, "f", 5, &content, &len), 0);
    assert_int_equal(len, 5);
    assert_string_equal(content, "12345");
    free(content);
    content = NULL;
    assert_int_equal(file_read_all(*state, "f", 4, &content, &len), -EFBIG);
    assert_int_equal(file_read_all(*state, "none", 4, &content, &len), -ENOENT);
    assert_int_equal(file_read_all(NULL, "/proc", 4, &content, &len), -EISDIR);
    assert_null(content);
    assert_int_equal(len, 5);
    put(*state, "empty", "", 0);
    assert_int_equal(file_read_all(*state, "empty", 1000, &content, &len), 0);
    assert_int_equal(len, 0);
    assert_string_equal(content, "");
    free(content);
}

/* Opening a FIFO would wait for a writer, reading a device never end, a terminal become ours. */
static void only_regular_files(void **state)
{
    static const char *const kinds[] = {"fifo", "socket", "/dev/zero", "/dev/null", "/dev/ptmx"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[128];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(path, sizeof(path), "%s/fifo", (const char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", (const char *)*state);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const char *root = kinds[i][0] == '/' ? NULL : *state;
        CLEANUP_FREE char *buffer = NULL, *content = NULL;
        struct proc_file file;
        size_t capacity = 0, len;

        assert_int_equal(file_read_all(root, kinds[i], 1000, &content, &len), FILE_NOT_REGULAR);
        assert_int_equal(proc_file_open(&file, root, kinds[i]), FILE_NOT_REGULAR);
        assert_int_equal(proc_file_read(&file, &buffer, &capacity), FILE_NOT_REGULAR);
        proc_file_close(&file);
    }
    close(fd);
    assert_string_equal(file_error(FILE_NOT_REGULAR), "it is not a regular file");
    assert_string_equal(file_error(-ENOENT), "No such file or directory");
}

static void a_huge_file_is_not_read(void **state)
{
    CLEANUP_FREE char *content = NULL, *buffer = NULL;
    size_t len, capacity = 0;
    struct proc_file file;
    char path[128];

    put(*state, "huge", "x", 1);
    snprintf(path, sizeof(path), "%s/huge", (const char *)*state);
    assert_int_equal(truncate(path, 1LL << 40), 0);
    assert_int_equal(file_read_all(*state, "huge", 1 << 20, &content, &len), -EFBIG);
    assert_int_equal(proc_file_open(&file, *state, "huge"), -EFBIG);
    assert_int_equal(proc_file_read(&file, &buffer, &capacity), -EFBIG);
    proc_file_close(&file);
}

static void numbers(void **state)
{
    static const struct {
        const char *content;
        int err;
        unsigned long long value;
    } cases[] = {
        {"0\n", 0, 0},
        {"123", 0, 123},
        {"18446744073709551615\n", 0, UINT64_MAX},
        {"max\n", 0, UINT64_MAX},
        {"18446744073709551616\n", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"\n", -EINVAL, 0},
        {"-1\n", -EINVAL, 0},
        {" 1\n", -EINVAL, 0},
        {"1 2\n", -EINVAL, 0},
        {"1\n\n", -EINVAL, 0},
        {"maximum\n", -EINVAL, 0},
        {"0x10\n", -EINVAL, 0},
    };
    unsigned long long value;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value = 77;
        put(*state, "n", cases[i].content, strlen(cases[i].content));
        assert_int_equal(file_read_u64(*state, "n", &value), cases[i].err);
        assert_int_equal(value, cases[i].err ? 77 : cases[i].value);
    }
    put(*state, "n", "1\0\n", 3);
    assert_int_equal(file_read_u64(*state, "n", &value), -EINVAL);
    assert_int_equal(file_read_u64(NULL, "/proc/self/maps", &value), -EINVAL);
    /* Of a size that has nothing to do with what is in it. */
    assert_int_equal(file_read_u64("/sys", "kernel/uevent_seqnum", &value), 0);
}

static void directories(void **state)
{
    char path[5000];
    struct stat st;

    snprintf(path, sizeof(path), "%s/a/b//c/", (char *)*state);
    assert_int_equal(dir_create_all(path, 0700), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(dir_create_all(path, 0700), 0);
    put(*state, "file", "x", 1);
    snprintf(path, sizeof(path), "%s/file", (char *)*state);
    assert_int_equal(dir_create_all(path, 0700), -ENOTDIR);
    snprintf(path, sizeof(path), "%s/file/x", (char *)*state);
    assert_int_equal(dir_create_all(path, 0700), -ENOTDIR);
    assert_int_equal(dir_create_all("", 0700), -ENOENT);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(dir_create_all(path, 0700), -ENAMETOOLONG);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_file_is_read_anew_each_time),
        FILE_TEST(a_large_file_grows_the_buffer),
        FILE_TEST(a_first_line_is_whole),
        FILE_TEST(a_missing_file_is_opened_when_it_comes),
        FILE_TEST(the_real_proc_moves_on),
        FILE_TEST(whole_files_and_their_limit),
        FILE_TEST(only_regular_files),
        FILE_TEST(a_huge_file_is_not_read),
        FILE_TEST(numbers),
        FILE_TEST(directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
