/* The smallest set of capabilities with which all probes run that root can run; the guest's doctor
 * table goes out with it. Not root: another user, with nothing but ambient capabilities. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MOONWATCH "/bin/moonwatch"
#define SOMEBODY 4711

#define BIT(capability) (1ull << (capability))

static const struct {
    int number;
    const char *name;
} candidates[] = {
    /* The mightiest first: they are tried to be done without first. */
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},       {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},     {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
    {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"}, {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    {CAP_PERFMON, "CAP_PERFMON"},           {CAP_BPF, "CAP_BPF"},
};

#define CANDIDATES (sizeof(candidates) / sizeof(candidates[0]))

static bool become(uint64_t set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)set, .permitted = (uint32_t)set, .inheritable = (uint32_t)set},
        {.effective = set >> 32, .permitted = set >> 32, .inheritable = set >> 32}};

    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
        return false;
    if (syscall(SYS_capset, &header, data) < 0)
        return false;
    for (int capability = 0; capability < 64; capability++)
        if (set & BIT(capability) &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
            return false;
    return true;
}

/* What `moonwatch doctor --json` says; `set` NULL: as root. The caller frees it. */
static char *doctor(const uint64_t *set)
{
    size_t len = 0, room = 1 << 18;
    char *text = malloc(room);
    int out[2], status;
    ssize_t n;
    pid_t pid;

    assert_non_null(text);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        if (set && !become(*set))
            _exit(98);
        execl(MOONWATCH, MOONWATCH, "doctor", "--json", (char *)NULL);
        _exit(99);
    }
    close(out[1]);
    while ((n = read(out[0], text + len, room - 1 - len)) > 0)
        len += (size_t)n;
    close(out[0]);
    text[len] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return text;
}

/* How many run; says of the others why not, if asked. */
static unsigned attached(const char *text, bool explain)
{
    cJSON *json = cJSON_Parse(text);
    const cJSON *program;
    unsigned count = 0;

    assert_non_null(json);
    cJSON_ArrayForEach (program, cJSON_GetObjectItem(json, "programs")) {
        const char *state = cJSON_GetStringValue(cJSON_GetObjectItem(program, "state"));

        count += state && strcmp(state, "attached") == 0;
        if (explain && state && strcmp(state, "unsupported") == 0)
            print_message("%s: %s\n", cJSON_GetStringValue(cJSON_GetObjectItem(program, "program")),
                          cJSON_GetStringValue(cJSON_GetObjectItem(program, "reason")));
    }
    cJSON_Delete(json);
    return count;
}

static unsigned of_root;

static unsigned attached_with(uint64_t set)
{
    char *text = doctor(&set);
    unsigned count = attached(text, false);

    if (set && count != of_root)
        attached(text, true);
    free(text);
    return count;
}

/* On a line of its own: results.py takes it out of the output. */
static void hand_over(const char *name, const char *text)
{
    printf("\n@@file %s\n%s\n@@eof\n", name, text);
    fflush(stdout);
}

static void root_runs_the_probes(void **state)
{
    char *text = doctor(NULL);

    (void)state;
    of_root = attached(text, false);
    hand_over("doctor.json", text);
    free(text);
    assert_true(of_root > 0);
}

static void nobody_runs_none(void **state)
{
    (void)state;
    assert_int_equal(attached_with(0), 0);
}

/* Takes out of the set what all probes run without. */
static uint64_t shrink(uint64_t set)
{
    for (size_t i = 0; i < CANDIDATES; i++) {
        uint64_t without = set & ~BIT(candidates[i].number);

        if (without != set && attached_with(without) == of_root)
            set = without;
    }
    return set;
}

static void a_few_capabilities_do(void **state)
{
    uint64_t set = BIT(CAP_BPF) | BIT(CAP_PERFMON);
    char names[256] = "";

    (void)state;
    /* Each try takes seconds where this is emulated: the long way only if the short one fails. */
    if (attached_with(set) != of_root) {
        for (size_t i = 0; i < CANDIDATES; i++)
            set |= BIT(candidates[i].number);
        assert_int_equal(attached_with(set), of_root);
    }
    set = shrink(set);
    for (size_t i = CANDIDATES; i-- > 0;)
        if (set & BIT(candidates[i].number))
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
                     names[0] ? " " : "", candidates[i].name);
    hand_over("capabilities", names);
    /* What privilege.c asks for, and the documentation with it. */
    assert_string_equal(names, "CAP_BPF CAP_PERFMON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_runs_the_probes),
        cmocka_unit_test(nobody_runs_none),
        cmocka_unit_test(a_few_capabilities_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
