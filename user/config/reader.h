/* JSON into structs, as the tables say. Inside this layer only. */
#ifndef MOONWATCH_CONFIG_READER_H
#define MOONWATCH_CONFIG_READER_H

#include "config/config.h"
#include "config/key.h"
#include <cjson/cJSON.h>

struct reader {
    struct config *config;
    char *const *environment;
    struct config_errors *errors;
    char pointer[sizeof(((struct config_error *)0)->pointer)]; /* of the value being read */
    const cJSON *object; /* the one whose keys are being read; NULL: not given */
    bool out_of_memory;
};

/* Reads the whole of `json` (NULL: defaults only) into `reader->config`, which is zeroed. */
void reader_read(struct reader *reader, const cJSON *json);
/* Reads an object into `base`, at the pointer that is set. */
void reader_read_object(struct reader *reader, const struct key_table *table, void *base,
                        const cJSON *json);
/* Parses a file; else a negative errno with an error at the pointer "". */
int config_parse_file(cJSON **ret, const char *path, struct config_errors *errors);
/* Adds the rules of alert_manager.rules_directory. */
int config_read_rules_directory(struct config *config, struct config_errors *errors);
/* Frees what a struct of this table holds, not the struct itself. */
void reader_release(const struct key_table *table, void *base);

/* Appends "/name", escaped as RFC 6901 says, to the pointer; returns what reader_leave() takes. */
size_t reader_enter(struct reader *reader, const char *name);
size_t reader_enter_index(struct reader *reader, size_t index);
void reader_leave(struct reader *reader, size_t mark);
const char *reader_json_type(const cJSON *json); /* "an object" ... */

/* For the tables' checks. `below` is the path from the object being checked, e.g. "clear" or
 * "match/port"; "" is the object itself. */
void reader_error(struct reader *reader, const char *below, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warning(struct reader *reader, const char *below, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether the object being checked was given this key. */
bool reader_has(const struct reader *reader, const char *key);
/* False, and said, when the object has the name of `item` before it too. */
bool reader_is_first(struct reader *reader, const cJSON *json, const cJSON *item);

/* "a number from 1 to 86400 s", "observe, enforce, ..." : what is allowed. */
struct text;
void key_describe(const struct key *key, struct text *out);

/* The name most like `name`, or NULL when none is near. */
const char *key_nearest(const struct key_table *table, const char *name);

/* Warns of levels in percent that were meant as ratios: everything is above 0.7 %. */
void reader_doubt_ratios(const struct reader *reader, const struct config *config);

#endif
