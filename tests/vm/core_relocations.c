/* Resolves every CO-RE relocation and tracepoint of the objects the agent ships against the types
 * of a kernel that need not run: what is missing is named, with its object and program.
 *
 * usage: core_relocations KERNEL.btf
 *
 * Not missing is what a program of an object row `needs` and this kernel lacks, and what only code
 * behind a bpf_core_*_exists() that is false here would use.
 */
#include "probe/feature.h"
#include "probe/objects.h"
#include "reach.h"
#include "relocation.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct btf *kernel;

static const char *need_missing(const struct object_row *row, const char *program)
{
    for (size_t g = 0; g < GROUPS_MAX; g++) {
        for (size_t w = 0; w < WAYS_MAX; w++) {
            const struct way_row *way = &row->groups[g].ways[w];
            bool named = false;

            for (size_t p = 0; p < PARTNERS_MAX && way->programs[p]; p++)
                named |= strcmp(way->programs[p], program) == 0;
            for (size_t n = 0; named && n < NEEDS_MAX && way->needs[n]; n++)
                if (!feature_present(kernel, way->needs[n]))
                    return way->needs[n];
        }
    }
    return NULL;
}

static unsigned check_function(const struct object_types *types, const struct object_row *row,
                               const struct function *function, const struct bpf_insn *code,
                               size_t count)
{
    enum reach_known *known = calloc(count, sizeof(*known));
    bool *reached = calloc(count, sizeof(*reached));
    const char *object = probe_concern_name(row->concern);
    char name[RELOCATION_NAME_BYTES];
    unsigned missing = 0;

    assert_non_null(known);
    assert_non_null(reached);
    /* First what is asked, for it decides what can be reached. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < types->relocation_count; i++) {
            const struct relocation *relocation = &types->relocations[i];
            size_t at = relocation->record->insn_off / sizeof(struct bpf_insn);
            bool asks = relocation_asks(relocation->record), there;
            enum relocation_fate fate;

            if (strcmp(relocation->section, function->section) != 0 || at < function->first ||
                at >= function->first + count)
                continue;
            at -= function->first;
            fate = relocation_resolve(types->btf, relocation->record, kernel, name);
            there = fate == RELOCATION_THERE;
            if (pass == 0)
                known[at] = !asks ? REACH_UNKNOWN : there ? REACH_TRUE : REACH_FALSE;
            else if (!asks && !there && reached[at]) {
                print_error("%s: %s: this kernel has no %s\n", object, function->name, name);
                missing++;
            } else if (fate == RELOCATION_TYPE_MISSING) {
                /* Even to be asked, or where it cannot be reached. */
                print_error(
                    "%s: %s: this kernel has no type %s, which libbpf therefore looks for in "
                    "the modules: that takes CAP_SYS_ADMIN; ask for a field instead\n",
                    object, function->name, name);
                missing++;
            }
        }
        if (pass == 0)
            assert_int_equal(reach_mark(code, count, known, reached), 0);
    }
    free(known);
    free(reached);
    return missing;
}

/* Where the next function of the section begins, or the section ends. */
static size_t function_end(const struct object_types *types, const struct function *function,
                           size_t section_end)
{
    size_t end = section_end;

    for (size_t i = 0; i < types->function_count; i++) {
        const struct function *other = &types->functions[i];

        if (strcmp(other->section, function->section) == 0 && other->first > function->first &&
            other->first < end)
            end = other->first;
    }
    return end;
}

static unsigned check_tracepoint(const struct object_row *row, const struct function *function)
{
    char target[96];

    /* A raw tracepoint is a tracepoint too. */
    snprintf(target, sizeof(target), "%s", function->section);
    if (strncmp(target, "raw_tp/", 7) == 0)
        memcpy(target, "tp_btf/", 7);
    if (feature_tracepoint(kernel, target))
        return 0;
    print_error("%s: %s: this kernel has no tracepoint %s\n", probe_concern_name(row->concern),
                function->name, target + 7);
    return 1;
}

static void object_resolves(void **state)
{
    const struct object_row *row = *state;
    struct object_types types;
    unsigned missing = 0;
    size_t size;
    const void *bytes = row->elf_bytes(&size);
    Elf *elf = elf_memory((char *)bytes, size);

    assert_non_null(elf);
    assert_int_equal(object_types_read(&types, elf), 0);
    assert_true(types.function_count > 0);
    for (size_t i = 0; i < types.function_count; i++) {
        const struct function *function = &types.functions[i];
        const char *need = need_missing(row, function->name);
        const struct bpf_insn *code;

        if (need) {
            print_message("%s: %s is not for this kernel: no %s\n",
                          probe_concern_name(row->concern), function->name, need);
            continue;
        }
        code = section_bytes(elf, function->section, &size);
        assert_non_null(code);
        missing += check_tracepoint(row, function);
        missing +=
            check_function(&types, row, function, code + function->first,
                           function_end(&types, function, size / sizeof(*code)) - function->first);
    }
    object_types_free(&types);
    elf_end(elf);
    assert_int_equal(missing, 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests = calloc(object_row_count, sizeof(*tests));

    if (argc != 2 || !tests) {
        fprintf(stderr, "usage: core_relocations KERNEL.btf\n");
        return 2;
    }
    elf_version(EV_CURRENT);
    kernel = btf__parse_raw(argv[1]);
    if (!kernel) {
        fprintf(stderr, "%s: no types of a kernel\n", argv[1]);
        return 2;
    }
    for (size_t i = 0; i < object_row_count; i++)
        tests[i] = (struct CMUnitTest){.name = probe_concern_name(object_rows[i].concern),
                                       .test_func = object_resolves,
                                       .initial_state = (void *)&object_rows[i]};
    return _cmocka_run_group_tests("core_relocations", tests, object_row_count, NULL, NULL);
}
