/* What each program costs: instructions, and how many of them this kernel's verifier walks until it
 * takes the program. Handed over for scripts/program-costs.py, which runs it on the build host too.
 *
 * Each is loaded alone, by libbpf's defaults, with private maps: nothing is pinned or attached.
 */
#include "probe/objects.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    return 0;
}

static struct bpf_object *open_object(const struct object_row *row)
{
    size_t size;
    const void *bytes = row->elf_bytes(&size);
    struct bpf_object *object = bpf_object__open_mem(bytes, size, NULL);
    struct bpf_map *map;

    assert_non_null(object);
    bpf_object__for_each_map (map, object)
        assert_int_equal(bpf_map__set_pin_path(map, NULL), 0);
    return object;
}

/* By their order, for the names may be those of another object's too. */
static struct bpf_program *choose_program(struct bpf_object *object, size_t at)
{
    struct bpf_program *program, *chosen = NULL;
    size_t i = 0;

    bpf_object__for_each_program (program, object) {
        if (i == at)
            chosen = program;
        bpf_program__set_autoload(program, i++ == at);
    }
    return chosen;
}

/* False when the object has no program there. */
static bool weigh(FILE *out, const struct object_row *row, size_t at, bool *ret_loaded)
{
    struct bpf_object *object = open_object(row);
    struct bpf_program *program = choose_program(object, at);
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);
    int error;

    if (program) {
        error = bpf_object__load(object);
        /* With the functions it calls: libbpf appends them. */
        fprintf(out, "%s/%s %zu ", probe_concern_name(row->concern), bpf_program__name(program),
                bpf_program__insn_cnt(program));
        if (error) {
            fprintf(out, "- %s\n", strerror(-error));
        } else {
            assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
            assert_true(info.verified_insns > 0);
            fprintf(out, "%u\n", info.verified_insns);
            *ret_loaded = true;
        }
    }
    bpf_object__close(object);
    return program != NULL;
}

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

/* Tells measurements of the same programs from those of others: FNV-1a over all code, for the types
 * beside it name the headers' places on the build host. */
static uint64_t fingerprint(void)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t r = 0; r < object_row_count; r++) {
        size_t size;
        const uint8_t *bytes = object_rows[r].elf_bytes(&size);
        const Elf64_Ehdr *head = (const void *)bytes;
        const Elf64_Shdr *sections = (const void *)(bytes + head->e_shoff);

        for (size_t s = 0; s < head->e_shnum; s++)
            if (sections[s].sh_flags & SHF_EXECINSTR)
                hash = mix(hash, bytes + sections[s].sh_offset, sections[s].sh_size);
    }
    return hash;
}

static void programs_are_weighed(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct utsname name;

    (void)state;
    libbpf_set_print(quiet);
    assert_non_null(out);
    assert_int_equal(uname(&name), 0);
    fprintf(out, "%s %016llx\n", name.release, (unsigned long long)fingerprint());
    for (size_t r = 0; r < object_row_count; r++) {
        bool loaded = false;
        size_t at = 0;

        while (weigh(out, &object_rows[r], at, &loaded))
            at++;
        if (!loaded)
            print_error("no program of %s loads\n", probe_concern_name(object_rows[r].concern));
        assert_true(loaded);
    }
    assert_int_equal(fclose(out), 0);
    /* On lines of their own: results.py takes them out of the output. */
    printf("\n@@file program_costs\n%s@@eof\n", text);
    fflush(stdout);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(programs_are_weighed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
