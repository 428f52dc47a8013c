/* Rules in files of their own, so that packages can bring some. */
#include "config/reader.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A limit for all the rules there are, so that a mistake in a generator is found. */
#define RULES_MAX 1024

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* An error about the file as a whole has to name it: the pointers of the others begin with it. */
static void name_file(struct config_errors *errors, size_t from, const char *path)
{
    for (size_t i = from; i < errors->count && i < CONFIG_ERRORS_KEPT; i++) {
        char *pointer = errors->list[i].pointer;
        size_t len = strlen(pointer);

        if (!len)
            snprintf(pointer, sizeof(errors->list[i].pointer), "%s", path);
        else if (pointer[len - 1] == ' ' && pointer[len - 2] == ':')
            pointer[len - 2] = '\0';
    }
}

static void check_names(const struct config *config, const struct config_rule_file *file,
                        const char *path, struct config_errors *errors)
{
    for (size_t i = 0; i < file->rules.count; i++) {
        const char *name = file->rules.items[i].name;

        for (size_t j = 0; j < config->alert_manager.rules.count; j++) {
            if (strcmp(config->alert_manager.rules.items[j].name, name) != 0)
                continue;
            config_error_add(errors, path,
                             "rule %zu: \"%s\" is the name of another rule too (allowed: a name of "
                             "its own)",
                             i, name);
            break;
        }
    }
}

static int append(struct config *config, struct config_rule_file *file)
{
    size_t count = config->alert_manager.rules.count, more = file->rules.count;
    struct config_rule *items;

    if (more == 0)
        return 0;
    items = realloc(config->alert_manager.rules.items, (count + more) * sizeof(*items));
    if (!items)
        return -ENOMEM;
    memcpy(items + count, file->rules.items, more * sizeof(*items));
    config->alert_manager.rules.items = items;
    config->alert_manager.rules.count = count + more;
    free(file->rules.items);
    file->rules.items = NULL;
    file->rules.count = 0;
    return 0;
}

int config_add_rules(struct config *config, const char *path, struct config_errors *errors)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    struct reader reader = {.config = config, .errors = errors};
    struct config_rule_file file = {0};
    size_t before = errors->count;
    int r = config_parse_file(&json, path, errors);

    if (r == 0) {
        snprintf(reader.pointer, sizeof(reader.pointer), "%s: ", path);
        reader_read_object(&reader, &rule_file_table, &file, json);
        r = reader.out_of_memory ? -ENOMEM : 0;
    }
    if (r == 0 && errors->count == before)
        check_names(config, &file, path, errors);
    if (r == 0 && errors->count == before &&
        config->alert_manager.rules.count + file.rules.count > RULES_MAX)
        config_error_add(errors, path, "there are more than %d rules in all", RULES_MAX);
    if (r == 0 && errors->count > before)
        r = -EINVAL;
    if (r == 0)
        r = append(config, &file);
    reader_release(&rule_file_table, &file);
    name_file(errors, before, path);
    return r;
}

static int is_rule_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

int config_read_rules_directory(struct config *config, struct config_errors *errors)
{
    const char *directory = config->alert_manager.rules_directory;
    struct dirent **entries = NULL;
    char path[4352];
    int count, r = 0;

    if (!directory)
        return 0;
    count = scandir(directory, &entries, is_rule_file, alphasort);
    if (count < 0) {
        r = -errno;
        config_error_add(errors, "/alert_manager/rules_directory",
                         "cannot read %.100s: %s (allowed: a readable directory)", directory,
                         strerror(-r));
        return r;
    }
    for (int i = 0; i < count; i++) {
        int one;

        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        one = config_add_rules(config, path, errors);
        if (one < 0 && r == 0)
            r = one;
        free(entries[i]);
    }
    free(entries);
    return r;
}
