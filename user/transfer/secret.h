/* Passwords, tokens and keys, which are never in the configuration but in files it names. */
#ifndef MOONWATCH_TRANSFER_SECRET_H
#define MOONWATCH_TRANSFER_SECRET_H

#define SECRET_REASON_BYTES 256

/* The first line of `path`: 0 with a string the caller frees with secret_free(); `path` NULL: 0
 * with NULL. A negative errno with the reason. */
int secret_read(const char *path, char **ret, char reason[SECRET_REASON_BYTES]);
/* Whether the libraries, which read it themselves and would wait for the other side of a FIFO, may
 * be given `path` as the certificates to trust. A negative errno with the reason. */
int secret_check_ca(const char *path, char reason[SECRET_REASON_BYTES]);
void secret_free(char *secret); /* leaves nothing in memory; NULL is fine */

#endif
