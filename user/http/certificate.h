/* The certificate and key that HTTPS is served with. */
#ifndef MOONWATCH_HTTP_CERTIFICATE_H
#define MOONWATCH_HTTP_CERTIFICATE_H

#include <stddef.h>

/* PEM texts; NULL: plain HTTP. */
struct certificate {
    char *chain, *key;
};

/* Reads both files and sees that they belong together. A negative errno with one line in `error`
 * on failure. */
int certificate_load(struct certificate *ret, const char *chain_file, const char *key_file,
                     char *error, size_t size);
void certificate_free(struct certificate *certificate);

#endif
