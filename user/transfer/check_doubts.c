/* Files that active checks need and this host lacks: they may come later. */
#include "transfer/check_doubts.h"
#include "transfer/secret.h"
#include <stdio.h>

#define POINTER_BYTES 96

static void doubt_secret(struct config_errors *errors, const char *pointer, const char *key,
                         const char *path)
{
    char below[POINTER_BYTES + 16], reason[SECRET_REASON_BYTES];
    char *secret = NULL;

    snprintf(below, sizeof(below), "%s/%s", pointer, key);
    if (secret_read(path, &secret, reason) < 0)
        config_warning_add(errors, below, "%s; the check fails until it can be read", reason);
    secret_free(secret);
}

static void doubt_check(struct config_errors *errors, const struct config_check *check,
                        const char *list, size_t index)
{
    char pointer[POINTER_BYTES], below[POINTER_BYTES + 16], reason[SECRET_REASON_BYTES];

    if (!check->given)
        return;
    snprintf(pointer, sizeof(pointer), "/%s/%zu/check", list, index);
    doubt_secret(errors, pointer, "password_file", check->password_file);
    doubt_secret(errors, pointer, "token_file", check->token_file);
    if (!check->ca_file || secret_check_ca(check->ca_file, reason) == 0)
        return;
    snprintf(below, sizeof(below), "%s/ca_file", pointer);
    config_warning_add(errors, below, "%s; the check fails until it can be read", reason);
}

void check_doubts_add(const struct config *config, struct config_errors *errors)
{
    for (size_t i = 0; i < config->services.count; i++)
        doubt_check(errors, &config->services.items[i].check, "services", i);
    for (size_t i = 0; i < config->upstreams.count; i++)
        doubt_check(errors, &config->upstreams.items[i].check, "upstreams", i);
}
