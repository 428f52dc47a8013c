#include "reach.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERS 11

struct value {
    bool known;
    int64_t value;
};

struct state {
    bool reached;
    bool queued;
    struct value r[REGISTERS];
};

/* What holds whichever way the instruction was reached. True when that is less than before. */
static bool merge(struct state *into, const struct state *from)
{
    bool changed = !into->reached;

    if (!into->reached) {
        memcpy(into->r, from->r, sizeof(into->r));
        into->reached = true;
        return true;
    }
    for (int i = 0; i < REGISTERS; i++) {
        struct value *v = &into->r[i];

        if (v->known && (!from->r[i].known || from->r[i].value != v->value)) {
            v->known = false;
            changed = true;
        }
    }
    return changed;
}

static void compute(struct state *s, const struct bpf_insn *insn, enum reach_known known)
{
    struct value *dst = &s->r[insn->dst_reg];
    struct value src = {true, insn->imm};
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;

    if (BPF_SRC(insn->code) == BPF_X)
        src = s->r[insn->src_reg];
    if (known != REACH_AS_IS)
        src = (struct value){known != REACH_UNKNOWN, known == REACH_TRUE};
    switch (BPF_OP(insn->code)) {
    case BPF_MOV:
        *dst = src;
        break;
    case BPF_AND:
        *dst = (struct value){dst->known && src.known, dst->value & src.value};
        break;
    case BPF_OR:
        *dst = (struct value){dst->known && src.known, dst->value | src.value};
        break;
    case BPF_XOR:
        *dst = (struct value){dst->known && src.known, dst->value ^ src.value};
        break;
    default:
        dst->known = false;
    }
    if (dst->known && !wide)
        dst->value = (uint32_t)dst->value;
}

/* 1 or 0 when the branch is decided, else -1. */
static int decide(const struct state *s, const struct bpf_insn *insn)
{
    const struct value *a = &s->r[insn->dst_reg];
    struct value b = {true, insn->imm};

    if (BPF_SRC(insn->code) == BPF_X)
        b = s->r[insn->src_reg];
    if (!a->known || !b.known)
        return -1;
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        return a->value == b.value;
    case BPF_JNE:
        return a->value != b.value;
    case BPF_JSET:
        return (a->value & b.value) != 0;
    case BPF_JGT:
        return (uint64_t)a->value > (uint64_t)b.value;
    case BPF_JGE:
        return (uint64_t)a->value >= (uint64_t)b.value;
    case BPF_JLT:
        return (uint64_t)a->value < (uint64_t)b.value;
    case BPF_JLE:
        return (uint64_t)a->value <= (uint64_t)b.value;
    case BPF_JSGT:
        return a->value > b.value;
    default:
        return -1;
    }
}

struct walk {
    struct state *states;
    size_t *queue;
    size_t queued, count;
};

static void go(struct walk *w, size_t to, const struct state *state)
{
    if (to >= w->count || !merge(&w->states[to], state) || w->states[to].queued)
        return;
    w->states[to].queued = true;
    w->queue[w->queued++] = to;
}

static void step(struct walk *w, const struct bpf_insn *code, const enum reach_known *known,
                 size_t at)
{
    const struct bpf_insn *insn = &code[at];
    struct state s = w->states[at];
    int taken;

    switch (BPF_CLASS(insn->code)) {
    case BPF_ALU:
    case BPF_ALU64:
        compute(&s, insn, known[at]);
        break;
    case BPF_LDX:
        s.r[insn->dst_reg].known = false;
        break;
    case BPF_LD:
        /* Two slots long: an address or a 64-bit constant. */
        s.r[insn->dst_reg] = (struct value){false, 0};
        if (insn->code == (BPF_LD | BPF_DW | BPF_IMM)) {
            if (insn->src_reg == 0 && known[at] == REACH_AS_IS)
                s.r[insn->dst_reg] =
                    (struct value){true, (int64_t)((uint64_t)(uint32_t)code[at + 1].imm << 32 |
                                                   (uint32_t)insn->imm)};
            if (known[at] == REACH_TRUE || known[at] == REACH_FALSE)
                s.r[insn->dst_reg] = (struct value){true, known[at] == REACH_TRUE};
            at++;
        }
        break;
    case BPF_STX:
        if (BPF_MODE(insn->code) == BPF_ATOMIC) {
            s.r[insn->src_reg].known = false;
            s.r[0].known = false;
        }
        break;
    case BPF_JMP:
    case BPF_JMP32:
        if (BPF_OP(insn->code) == BPF_EXIT)
            return;
        if (BPF_OP(insn->code) == BPF_CALL) {
            for (int i = 0; i <= 5; i++)
                s.r[i].known = false;
            break;
        }
        taken = BPF_OP(insn->code) == BPF_JA ? 1 : decide(&s, insn);
        if (taken != 0)
            go(w, at + 1 + (size_t)(long)insn->off, &s);
        if (taken == 1)
            return;
        break;
    default:
        break;
    }
    go(w, at + 1, &s);
}

int reach_mark(const struct bpf_insn *code, size_t count, const enum reach_known *known,
               bool *ret_reached)
{
    struct walk w = {.count = count};
    struct state start = {0};
    int err = -ENOMEM;

    w.states = calloc(count, sizeof(*w.states));
    w.queue = calloc(count + 1, sizeof(*w.queue));
    if (!w.states || !w.queue)
        goto out;
    if (count > 0)
        go(&w, 0, &start);
    while (w.queued > 0) {
        size_t at = w.queue[--w.queued];

        w.states[at].queued = false;
        step(&w, code, known, at);
    }
    for (size_t i = 0; i < count; i++)
        ret_reached[i] = w.states[i].reached;
    err = 0;
out:
    free(w.states);
    free(w.queue);
    return err;
}
