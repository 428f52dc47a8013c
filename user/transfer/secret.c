#include "transfer/secret.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES_MAX 4096

void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

int secret_read(const char *path, char **ret, char reason[SECRET_REASON_BYTES])
{
    char *secret;
    size_t length;
    int r;

    if (!path) {
        *ret = NULL;
        return 0;
    }
    r = file_read_all(NULL, path, SECRET_BYTES_MAX, &secret, &length);
    if (r < 0) {
        snprintf(reason, SECRET_REASON_BYTES, "%.150s: %s", path, strerror(-r));
        return r;
    }
    secret[strcspn(secret, "\r\n")] = '\0';
    if (!*secret) {
        secret_free(secret);
        snprintf(reason, SECRET_REASON_BYTES, "%.150s is empty", path);
        return -ENODATA;
    }
    *ret = secret;
    return 0;
}
