/* The tables that describe the configuration, read by the reader, the schema and the reference.
 * Inside this layer only. */
#ifndef MOONWATCH_CONFIG_KEY_H
#define MOONWATCH_CONFIG_KEY_H

#include "config/choices.h"
#include <stdbool.h>
#include <stddef.h>

enum key_type {
    KEY_BOOL,    /* bool */
    KEY_NUMBER,  /* double; NaN when not given and without default */
    KEY_WHOLE,   /* unsigned */
    KEY_STRING,  /* char *; NULL when not given and without default */
    KEY_CHOICE,  /* an enum or int: the index in `choices` */
    KEY_FLAGS,   /* array of `choices`, unsigned: one bit each */
    KEY_STRINGS, /* array of strings, struct config_strings */
    KEY_MAP,     /* object of strings, struct config_map */
    KEY_OBJECT,  /* the keys of `table` */
    KEY_LIST,    /* array of objects with the keys of `table`, CONFIG_LIST */
};

/* What a string may be. */
struct key_format {
    const char *allowed; /* for people: "HOST:PORT" */
    bool (*valid)(const char *value);
    char *(*copy)(const char *value); /* in the one spelling it is kept in; NULL: as it is */
};

struct key_table;
struct text;

struct key {
    const char *name;
    size_t offset;           /* in the struct of the table it stands in */
    double minimum, maximum; /* of a number; of the length of a string (0: 1024), of a list (0: 256)
                              */
    const char *unit;        /* "s", "%", "ms", "bytes" */
    const char *initial;     /* the default as JSON; NULL: none */
    const char *inherits;    /* the pointer of the key that gives the default instead */
    const char *environment; /* the variable that overrides it */
    const char *doc;
    /* What the doc begins with: whose key it is, when not of all. */
    void (*add_users)(struct text *out, const struct key *key);
    const char *const *choices;       /* NULL-terminated */
    const char *const *later_choices; /* those without an effect so far; NULL: none */
    const struct key_format *format;
    const struct key_table *table;
    /* KEY_OBJECT: the key of `table` that a mere string or whole number stands for. */
    const char *short_string, *short_whole;
    enum key_type type;
    bool required;      /* in its object */
    bool optional;      /* KEY_OBJECT: its struct begins with `bool given` */
    bool or_one;        /* KEY_STRINGS: a single string will do */
    bool or_whole;      /* KEY_STRING: a whole number will do */
    bool any_json;      /* KEY_MAP: the values are kept as JSON text */
    bool named;         /* KEY_LIST: the elements begin with `char *name`, which is unique */
    bool power_of_2;    /* KEY_WHOLE */
    bool above_minimum; /* KEY_NUMBER: the minimum itself is not allowed */
    bool at_start;      /* read at the start only; of an object: all its keys are */
    /* Accepted without an effect so far; of an object or a list: all that is in it. */
    bool later;
};

struct reader;
struct config;

struct key_table {
    const struct key *keys;
    size_t count;
    size_t size; /* of the struct, for a list's elements */
    /* Before the keys are read: what an element inherits. */
    void (*inherit)(void *base, const struct config *config);
    /* After: what no single key can tell. `base` is the struct. */
    void (*check)(struct reader *reader, void *base);
};

#define KEY_TABLE(array) .keys = (array), .count = sizeof(array) / sizeof((array)[0])

extern const struct key_table config_table;
/* After the whole configuration was read. */
void check_upstreams(struct reader *reader, void *base);
void doubt_breakers(struct reader *reader, const struct config *config);
void doubt_services(struct reader *reader, const struct config *config);
struct config_service;
/* `unit` NULL is fine. */
void doubt_unit(const struct reader *reader, const char *unit, const char *pointer);
/* Gives the unit of a match, which the reader is at, its type. */
void unit_complete(struct reader *reader, struct config_service *service);
void check_channels(struct reader *reader, void *base);
/* Offsets in struct config. */
extern const struct key_table alert_manager_table, auth_table, retry_table, server_table,
    healing_table, tuning_table, prediction_table, history_table, privacy_table, fleet_table;
/* Offsets in an element. */
extern const struct key_table service_table, upstream_table, check_table, rule_table, channel_table;
extern const struct key_table rule_file_table; /* offsets in struct config_rule_file */

extern const struct key_format format_name, format_host, format_metric, format_label, format_listen,
    format_endpoint, format_address, format_url, format_url_path, format_pointer, format_path,
    format_directory, format_cgroup, format_time_of_day, format_end_time, format_text,
    format_time_zone, format_mail_address, format_netns;

#endif
