/* What is judged: one row per kind of check, in the tables of health/checks_*.c. */
#ifndef MOONWATCH_HEALTH_DEFINITION_H
#define MOONWATCH_HEALTH_DEFINITION_H

#include "health/check.h"
#include "health/health.h"
#include "health/phrase.h"

struct health_input {
    const struct snapshot *snapshot;
    const struct config *config;
};

struct check_definition;

/* What is being judged: one thing of one row. */
struct check_at {
    const struct snapshot *snapshot;
    const struct config *config;
    const struct check_definition *definition;
    size_t index; /* which of those that `count` counts */
    double value; /* for `say`: what was judged */
};

struct check_sample {
    char key_text[16];    /* room for a key that has to be made */
    const char *key;      /* which of several (a mount, a class); NULL when there is one only */
    struct reading value; /* that is shown */
    double judged;        /* instead of a known value; NaN: the value itself */
    double level_share;   /* what of the levels is shown, where `judged` is a multiple */
    const char *level_of; /* what the level is of, where there are several rules; or NULL */
    bool quiet;           /* nothing to judge now: as if below every level */
    /* As the definition says, unless the reader knows better: */
    bool essential;
    uint64_t critical_raise_ns;
};

struct check_definition {
    const char *name; /* the check's name, or its part before ":KEY" */
    enum component component;
    int which; /* for `read`, where rows share it: a pressure resource, a priority class */
    /* Without it the component is unknown. The others make it so only once they have been known:
     * a host without PSI or conntrack is not a sick host. */
    bool essential;
    bool in_seconds; /* values and levels are seconds; else percent */
    bool in_grades;  /* 0, 1 warning, 2 critical: `say` says all there is to say of the level */
    /* Levels: from the configuration (offsets in struct config) or, when those are 0, constants. */
    size_t warning_at, critical_at;
    double warning, critical;
    double margin;
    uint64_t raise_ns, clear_ns, average_ns;
    uint64_t critical_raise_ns; /* 0: as raise_ns */
    /* How many there are; NULL: one. */
    size_t (*count)(const struct health_input *in);
    /* False when it is not to be judged at all. */
    bool (*read)(const struct check_at *at, struct check_sample *ret);
    /* The subject and its value, "disk /var 91.2 % used"; the level is put behind it. */
    void (*say)(const struct check_at *at, struct phrase *p);
    /* What is behind it, or what can be done: "; largest: ..."; or NULL. */
    void (*advise)(const struct check_at *at, struct phrase *p);
    const char *advice; /* instead of `advise`, where it is always the same; or NULL */
};

struct check_table {
    const struct check_definition *rows;
    size_t count;
};

extern const struct check_table cpu_checks, load_checks, pressure_checks, capacity_checks,
    scheduler_checks, exhaustion_checks;

#endif
