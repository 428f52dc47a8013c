/* Bearer tokens: a file of hashes, and the local token that the agent makes for itself.
 *
 * The file has one token per line, `ROLE SHA256HEX NAME`: role public, viewer or admin; the SHA-256
 * of the token in hex (printf %s TOKEN | sha256sum); a name for the operator. Blank lines and lines
 * that begin with # are skipped. The tokens themselves are stored nowhere.
 */
#ifndef MOONWATCH_HTTP_TOKEN_H
#define MOONWATCH_HTTP_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From least to most. */
enum role { ROLE_PUBLIC, ROLE_VIEWER, ROLE_ADMIN, ROLE_COUNT };

const char *role_name(enum role role); /* "public" ... */

#define TOKEN_HASH_BYTES 32
/* Longer ones are refused unhashed. */
#define TOKEN_MAX 512
#define TOKEN_ERROR_BYTES 256

struct token_hash {
    uint8_t bytes[TOKEN_HASH_BYTES];
};

/* 0, or -EMSGSIZE beyond TOKEN_MAX, or -EIO when the hash cannot be computed. */
int token_hash_of(const char *token, size_t len, struct token_hash *ret);
/* In constant time. */
bool token_hash_equal(const struct token_hash *a, const struct token_hash *b);

#define TOKEN_NAME_BYTES 64

struct token_owner {
    enum role role;
    char name[TOKEN_NAME_BYTES]; /* as in the file, cut */
};

struct tokens;

/* Reads the file; `error` holds one line, "FILE:LINE: what is wrong", on failure. A file that
 * others than root and the agent's user can change is refused (-EPERM, see trusted_file.h), and so
 * is one without any token (-EINVAL). */
int tokens_load(struct tokens **ret, const char *path, char error[TOKEN_ERROR_BYTES]);
void tokens_destroy(struct tokens *tokens);
/* Whose a presented token is; NULL: none of ours. Borrowed from `tokens`. */
const struct token_owner *tokens_find(const struct tokens *tokens,
                                      const struct token_hash *presented);

#define TOKEN_LOCAL_NAME "admin.token"

/* Makes a random token and puts it into DIRECTORY/admin.token (0600), whole or not at all; the
 * directory is made when it is missing. `error` holds one line on failure. */
int token_write_local(const char *directory, struct token_hash *ret, char error[TOKEN_ERROR_BYTES]);
void token_remove_local(const char *directory);

#endif
