/* The CO-RE relocations of a BPF object as records, and whether a kernel's types satisfy one. */
#ifndef MOONWATCH_TEST_RELOCATION_H
#define MOONWATCH_TEST_RELOCATION_H

#include <bpf/btf.h>
#include <libelf.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

struct relocation {
    const char *section; /* "tp_btf/sched_switch", ".text" */
    const struct bpf_core_relo *record;
};

/* One function of the object, from its .BTF.ext. */
struct function {
    const char *section;
    const char *name;
    size_t first; /* instruction, in the section */
};

struct object_types {
    struct btf *btf;
    const char *ext; /* .BTF.ext, in the caller's ELF */
    struct relocation *relocations;
    size_t relocation_count;
    struct function *functions;
    size_t function_count;
};

/* A section's bytes, or NULL; valid as long as the ELF is open. */
const void *section_bytes(Elf *elf, const char *name, size_t *ret_size);

/* Reads an object, which stays open for as long as what is read is used; 0 or a negative errno. */
int object_types_read(struct object_types *ret, Elf *elf);
void object_types_free(struct object_types *types);

#define RELOCATION_NAME_BYTES 192

enum relocation_fate {
    RELOCATION_THERE,
    RELOCATION_FIELD_MISSING, /* of a type that is there; or an enumerator */
    RELOCATION_TYPE_MISSING,
};

/* What `kernel` has of what the relocation asks for. `name` becomes "struct task_struct.comm". */
enum relocation_fate relocation_resolve(const struct btf *local,
                                        const struct bpf_core_relo *relocation,
                                        const struct btf *kernel, char name[RELOCATION_NAME_BYTES]);

/* True for those that ask whether something is there: they resolve to yes or no. */
bool relocation_asks(const struct bpf_core_relo *relocation);

#endif
