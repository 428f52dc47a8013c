/* Units of services that this host, when systemd runs it, does not have by that name. */
#include "base/nearest.h"
#include "base/text.h"
#include "config/key.h"
#include "config/reader.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE ".service"
#define UNIT_BYTES 256

/* systemd.unit(5), of the system's manager. */
static const char *const directories[] = {
    "etc/systemd/system",     "run/systemd/system",           "run/systemd/transient",
    "run/systemd/generator",  "run/systemd/generator.early",  "run/systemd/generator.late",
    "usr/lib/systemd/system", "usr/local/lib/systemd/system", "lib/systemd/system",
};

#define DIRECTORY_COUNT (sizeof(directories) / sizeof(directories[0]))

static bool is_service(const char *name)
{
    return *name && text_ends(name + 1, SERVICE);
}

static void stem_of(const char *service, char ret[UNIT_BYTES])
{
    snprintf(ret, UNIT_BYTES, "%.*s", (int)(strlen(service) - strlen(SERVICE)), service);
}

static bool join(char out[PATH_MAX], const char *root, const char *directory, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s/%s", root, directory, name);

    return n > 0 && n < PATH_MAX;
}

static bool is_there(const char *root, const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    return join(path, root, directory, name) && lstat(path, &st) == 0;
}

/* The unit that a file of this name is only another name of; "" when it is one by itself. */
static void read_alias(const char *root, const char *directory, const char *name,
                       char ret[UNIT_BYTES])
{
    char path[PATH_MAX], target[PATH_MAX];
    const char *base;
    ssize_t n;

    ret[0] = '\0';
    if (!join(path, root, directory, name))
        return;
    n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    base = strrchr(target, '/');
    base = base ? base + 1 : target;
    /* Another one is a masked unit, or one that systemctl linked. */
    if (strstr(base, SERVICE) && strcmp(base, name) != 0)
        snprintf(ret, UNIT_BYTES, "%.*s", UNIT_BYTES - 1, base);
}

/* "getty@.service" of "getty@tty1.service". */
static void template_of(const char *unit, char ret[UNIT_BYTES])
{
    const char *at = strchr(unit, '@');

    snprintf(ret, UNIT_BYTES, "%.*s%s", at ? (int)(at + 1 - unit) : 0, unit, at ? SERVICE : "");
}

static void offer_all(struct nearest *nearest, const char *path, char ret[UNIT_BYTES])
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        char stem[UNIT_BYTES];

        if (!is_service(entry->d_name))
            continue;
        stem_of(entry->d_name, stem);
        if (nearest_offer(nearest, stem))
            snprintf(ret, UNIT_BYTES, "%s", entry->d_name);
    }
    if (directory)
        closedir(directory);
}

/* What is not there may be installed later: only a slip is doubted. */
static void doubt_missing(const struct reader *reader, const char *root, const char *unit,
                          const char *pointer)
{
    char stem[UNIT_BYTES], path[PATH_MAX], found[UNIT_BYTES] = "";
    struct nearest nearest;

    stem_of(unit, stem);
    nearest = nearest_to(stem);
    nearest.apart = 2;
    for (size_t i = 0; i < DIRECTORY_COUNT; i++)
        if (join(path, root, directories[i], ""))
            offer_all(&nearest, path, found);
    if (*found)
        config_warning_add(reader->errors, pointer,
                           "there is no unit \"%.80s\" on this host, the nearest is %.80s", unit,
                           found);
}

void doubt_unit(const struct reader *reader, const char *unit, const char *pointer)
{
    const char *root = reader->config->server.host_root;
    char alias[UNIT_BYTES], template[UNIT_BYTES];

    if (!unit || !is_service(unit) || strlen(unit) >= UNIT_BYTES || strchr(unit, '/') ||
        !is_there(root, "run/systemd", "system") ||
        is_there(root, "sys/fs/cgroup/system.slice", unit))
        return;
    template_of(unit, template);
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        if (*template && is_there(root, directories[i], template))
            return;
        if (!is_there(root, directories[i], unit))
            continue;
        read_alias(root, directories[i], unit, alias);
        if (*alias)
            config_warning_add(reader->errors, pointer,
                               "matches nothing: %.80s is another name of %.80s, by which its "
                               "processes are known (allowed: that one)",
                               unit, alias);
        return;
    }
    doubt_missing(reader, root, unit, pointer);
}
