#include "transfer/secret.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 4096
/* Ten times what a distribution trusts. */
#define CA_BYTES_MAX (4UL << 20)

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
        snprintf(reason, SECRET_REASON_BYTES, "%.150s: %s", path, file_error(r));
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

int secret_check_ca(const char *path, char reason[SECRET_REASON_BYTES])
{
    int fd = file_open(path, CA_BYTES_MAX);

    if (fd < 0) {
        snprintf(reason, SECRET_REASON_BYTES, "%.150s: %s", path, file_error(fd));
        return fd;
    }
    close(fd);
    return 0;
}
