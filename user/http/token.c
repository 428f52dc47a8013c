#include "http/token.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "http/trusted_file.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* A line is under 200 bytes: more than anybody has tokens. */
#define FILE_BYTES_MAX (1 << 20)
#define LOCAL_BYTES 32UL

struct tokens {
    size_t count;
    struct token {
        struct token_hash hash;
        struct token_owner owner;
    } list[];
};

const char *role_name(enum role role)
{
    static const char *const names[ROLE_COUNT] = {"public", "viewer", "admin"};

    return (unsigned)role < ROLE_COUNT ? names[role] : "unknown";
}

int token_hash_of(const char *token, size_t len, struct token_hash *ret)
{
    struct token_hash hash;

    if (len > TOKEN_MAX)
        return -EMSGSIZE;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, len, hash.bytes) < 0)
        return -EIO;
    *ret = hash;
    return 0;
}

bool token_hash_equal(const struct token_hash *a, const struct token_hash *b)
{
    return gnutls_memcmp(a->bytes, b->bytes, TOKEN_HASH_BYTES) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hash(const char *hex, struct token_hash *ret)
{
    if (strlen(hex) != 2UL * TOKEN_HASH_BYTES)
        return false;
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Whoever sends an empty token would be its owner. */
static bool is_of_nothing(const struct token_hash *hash)
{
    struct token_hash nothing;

    return token_hash_of("", 0, &nothing) < 0 || token_hash_equal(hash, &nothing);
}

static bool parse_role(const char *name, enum role *ret)
{
    for (int r = 0; r < ROLE_COUNT; r++) {
        if (strcmp(name, role_name(r)) == 0) {
            *ret = r;
            return true;
        }
    }
    return false;
}

/* NULL, or what is wrong with the line. Blank lines and comments give `*ret_blank`. */
static const char *parse_line(char *line, struct token *ret, bool *ret_blank)
{
    char *rest = line;
    const char *role, *hex;

    *ret_blank = false;
    line[strcspn(line, "\r")] = '\0';
    role = strsep(&rest, " \t");
    if (*role == '\0' || *role == '#') {
        *ret_blank = true;
        return NULL;
    }
    if (rest)
        rest += strspn(rest, " \t");
    hex = strsep(&rest, " \t");
    if (rest)
        rest += strspn(rest, " \t");
    if (!parse_role(role, &ret->owner.role))
        return "the role is unknown (allowed: public, viewer, admin)";
    if (!hex || !parse_hash(hex, &ret->hash))
        return "the second field is not a SHA-256 in hex (allowed: 64 hex digits)";
    if (is_of_nothing(&ret->hash))
        return "that is the SHA-256 of nothing (allowed: that of a token, printf %s TOKEN | "
               "sha256sum)";
    if (!rest || *rest == '\0')
        return "the name is missing (allowed: ROLE SHA256HEX NAME)";
    snprintf(ret->owner.name, sizeof(ret->owner.name), "%s", rest);
    return NULL;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int parse_file(struct tokens *tokens, const char *path, char *text,
                      char error[TOKEN_ERROR_BYTES])
{
    size_t number = 0;

    for (char *line; (line = strsep(&text, "\n"));) {
        bool blank;
        const char *wrong = parse_line(line, &tokens->list[tokens->count], &blank);

        number++;
        if (wrong) {
            snprintf(error, TOKEN_ERROR_BYTES, "%s:%zu: %s", path, number, wrong);
            return -EINVAL;
        }
        tokens->count += !blank;
    }
    if (tokens->count)
        return 0;
    snprintf(error, TOKEN_ERROR_BYTES,
             "%s: holds no token (add a line ROLE SHA256HEX NAME, or unset auth.tokens_file)",
             path);
    return -EINVAL;
}

int tokens_load(struct tokens **ret, const char *path, char error[TOKEN_ERROR_BYTES])
{
    CLEANUP_FREE char *text = NULL;
    struct tokens *tokens;
    int r = trusted_file_read(path, FILE_BYTES_MAX, &text, error, TOKEN_ERROR_BYTES);

    if (r < 0)
        return r;
    tokens = calloc(1, sizeof(*tokens) + (text ? count_lines(text) : 0) * sizeof(tokens->list[0]));
    if (!tokens)
        return -ENOMEM;
    r = parse_file(tokens, path, text, error);
    if (r < 0) {
        free(tokens);
        return r;
    }
    *ret = tokens;
    return 0;
}

void tokens_destroy(struct tokens *tokens)
{
    free(tokens);
}

const struct token_owner *tokens_find(const struct tokens *tokens,
                                      const struct token_hash *presented)
{
    const struct token_owner *found = NULL;

    /* Every row is compared, whatever was found before: the time says nothing. */
    for (size_t i = 0; tokens && i < tokens->count; i++)
        if (token_hash_equal(&tokens->list[i].hash, presented))
            found = &tokens->list[i].owner;
    return found;
}

static int write_whole(const char *path, const char *data, size_t len)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = write(fd, data, len);
    if (n < 0)
        return -errno;
    return (size_t)n == len ? 0 : -ENOSPC;
}

static int make_local(const char *directory, struct token_hash *ret)
{
    uint8_t random[LOCAL_BYTES];
    char token[2 * LOCAL_BYTES + 2];
    char path[4096], temporary[4096];
    int r;

    if (snprintf(path, sizeof(path), "%s/" TOKEN_LOCAL_NAME, directory) >= (int)sizeof(path) ||
        snprintf(temporary, sizeof(temporary), "%s/.%s.%d", directory, TOKEN_LOCAL_NAME,
                 getpid()) >= (int)sizeof(temporary))
        return -ENAMETOOLONG;
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0; i < LOCAL_BYTES; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    r = token_hash_of(token, 2 * LOCAL_BYTES, ret);
    if (r < 0)
        return r;
    token[2 * LOCAL_BYTES] = '\n';
    unlink(temporary); /* of a killed agent with the same pid */
    r = write_whole(temporary, token, 2 * LOCAL_BYTES + 1);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temporary);
    explicit_bzero(token, sizeof(token));
    explicit_bzero(random, sizeof(random));
    return r;
}

int token_write_local(const char *directory, struct token_hash *ret, char error[TOKEN_ERROR_BYTES])
{
    int r = dir_create_all(directory, 0755);

    if (r == 0)
        r = make_local(directory, ret);
    if (r < 0)
        snprintf(error, TOKEN_ERROR_BYTES, "%s/" TOKEN_LOCAL_NAME " cannot be written: %s",
                 directory, strerror(-r));
    return r;
}

void token_remove_local(const char *directory)
{
    char path[4096];

    if (snprintf(path, sizeof(path), "%s/" TOKEN_LOCAL_NAME, directory) < (int)sizeof(path))
        unlink(path);
}
