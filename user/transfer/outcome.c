#include "transfer/outcome.h"
#include <stddef.h>

const char *outcome_class_name(enum outcome_class class)
{
    static const char *const names[OUTCOME_CLASSES] = {"ok", "retryable", "throttled", "permanent"};

    return names[class];
}

/* What differs from its class of hundreds. */
static const struct {
    unsigned status;
    enum outcome_class class;
} http_exceptions[] = {
    {408, OUTCOME_RETRYABLE}, /* request timeout */
    {425, OUTCOME_RETRYABLE}, /* too early, RFC 8470 */
    {429, OUTCOME_THROTTLED}, /* too many requests, RFC 6585 */
    {501, OUTCOME_PERMANENT}, /* not implemented */
    {505, OUTCOME_PERMANENT}, /* HTTP version not supported */
};

enum outcome_class outcome_of_http(unsigned status)
{
    for (size_t i = 0; i < sizeof(http_exceptions) / sizeof(http_exceptions[0]); i++)
        if (http_exceptions[i].status == status)
            return http_exceptions[i].class;
    if (status >= 200 && status < 400)
        return OUTCOME_OK;
    return status >= 400 && status < 500 ? OUTCOME_PERMANENT : OUTCOME_RETRYABLE;
}

enum outcome_class outcome_of_smtp(unsigned status)
{
    if (status >= 200 && status < 400)
        return OUTCOME_OK;
    return status >= 500 ? OUTCOME_PERMANENT : OUTCOME_RETRYABLE;
}
