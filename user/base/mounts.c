#include "base/mounts.h"
#include <stdio.h>

/* Blanks, newlines, '#' and backslashes are written as three octal digits. */
static bool unescape(const struct scan *word, char *out, size_t size)
{
    size_t len = 0;

    for (const char *p = word->at; p < word->end; p++) {
        char c = *p;

        if (c == '\\' && word->end - p >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
            p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
            c = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 3;
        }
        if (len + 1 >= size)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

bool mounts_option(struct scan options, const char *option)
{
    size_t len = strlen(option);

    while (options.at < options.end) {
        const char *comma = memchr(options.at, ',', scan_len(&options));
        const char *end = comma ? comma : options.end;

        if ((size_t)(end - options.at) == len && memcmp(options.at, option, len) == 0)
            return true;
        options.at = comma ? comma + 1 : options.end;
    }
    return false;
}

static bool scan_device(struct scan *line, unsigned *ret_major, unsigned *ret_minor)
{
    struct scan word, major, minor;
    const char *colon;
    uint64_t a, b;

    if (!scan_word(line, &word))
        return false;
    colon = memchr(word.at, ':', scan_len(&word));
    if (!colon)
        return false;
    major = (struct scan){.at = word.at, .end = colon};
    minor = (struct scan){.at = colon + 1, .end = word.end};
    if (!scan_is_u64(&major, &a) || !scan_is_u64(&minor, &b) || a > UINT_MAX || b > UINT_MAX)
        return false;
    *ret_major = (unsigned)a;
    *ret_minor = (unsigned)b;
    return true;
}

static bool scan_path(struct scan *line, char *out, size_t size)
{
    struct scan word;

    return scan_word(line, &word) && unescape(&word, out, size);
}

/* ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [OPTIONAL...] - TYPE [SOURCE] OPTIONS */
static bool parse(struct scan line, struct mount_line *m)
{
    struct scan word, source;
    uint64_t id, parent;

    if (!scan_u64(&line, &id) || id > UINT_MAX || !scan_u64(&line, &parent) || parent > UINT_MAX ||
        !scan_device(&line, &m->major, &m->minor) || !scan_path(&line, m->root, sizeof(m->root)) ||
        !scan_path(&line, m->target, sizeof(m->target)) || !scan_word(&line, &m->mount_options))
        return false;
    m->id = (unsigned)id;
    m->parent = (unsigned)parent;
    do {
        if (!scan_word(&line, &word))
            return false;
    } while (!scan_is(&word, "-"));
    if (!scan_path(&line, m->type, sizeof(m->type)) || !scan_word(&line, &source))
        return false;
    /* An empty source leaves one word only. */
    if (!scan_word(&line, &m->options)) {
        m->options = source;
        source.end = source.at;
    }
    return unescape(&source, m->source, sizeof(m->source));
}

bool mounts_next(struct scan *file, struct mount_line *ret)
{
    struct scan line;

    while (scan_line(file, &line))
        if (parse(line, ret))
            return true;
    return false;
}

const char *mounts_host_name(const char *root, const char *path)
{
    size_t len = strlen(root);

    if (len == 1)
        return path;
    if (strncmp(path, root, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    return path[len] ? path + len : "/";
}

bool mounts_host_path(const struct host *host, const char *target, char *out, size_t size)
{
    int len;

    if (!mounts_host_name(host->root, target))
        return false;
    if (host_is_own(host) && strncmp(target, "/sys/", 5) == 0)
        len = snprintf(out, size, "%s/%s", host->sys, target + 5);
    else
        len = snprintf(out, size, "%s", target);
    return len >= 0 && (size_t)len < size;
}
