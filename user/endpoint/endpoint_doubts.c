/* Files that active checks need and this host lacks: they may come later. */
#include "endpoint/endpoint_doubts.h"
#include "transfer/secret_doubt.h"
#include <stdio.h>

static void doubt_check(struct config_errors *errors, const struct config_check *check,
                        const char *list, size_t index)
{
    const struct {
        const char *key, *path;
        void (*doubt)(struct config_errors *errors, const char *pointer, const char *path,
                      const char *until);
    } files[] = {
        {"password_file", check->password_file, secret_doubt},
        {"token_file", check->token_file, secret_doubt},
        {"ca_file", check->ca_file, secret_doubt_ca},
    };
    char pointer[96];

    for (size_t i = 0; check->given && i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(pointer, sizeof(pointer), "/%s/%zu/check/%s", list, index, files[i].key);
        files[i].doubt(errors, pointer, files[i].path, "the check fails until it can be read");
    }
}

void endpoint_doubts_add(const struct config *config, struct config_errors *errors)
{
    for (size_t i = 0; i < config->services.count; i++)
        doubt_check(errors, &config->services.items[i].check, "services", i);
    for (size_t i = 0; i < config->upstreams.count; i++)
        doubt_check(errors, &config->upstreams.items[i].check, "upstreams", i);
}
