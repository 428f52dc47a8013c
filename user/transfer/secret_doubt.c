#include "transfer/secret_doubt.h"
#include "transfer/secret.h"

void secret_doubt(struct config_errors *errors, const char *pointer, const char *path,
                  const char *until)
{
    char reason[SECRET_REASON_BYTES];
    char *secret = NULL;

    if (secret_read(path, &secret, reason) < 0)
        config_warning_add(errors, pointer, "%s; %s", reason, until);
    secret_free(secret);
}

void secret_doubt_ca(struct config_errors *errors, const char *pointer, const char *path,
                     const char *until)
{
    char reason[SECRET_REASON_BYTES];

    if (path && secret_check_ca(path, reason) < 0)
        config_warning_add(errors, pointer, "%s; %s", reason, until);
}
