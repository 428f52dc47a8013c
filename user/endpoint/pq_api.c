#include "endpoint/pq_api.h"

const struct pq_api *pq_api(char error[LIBRARY_ERROR_BYTES])
{
    static const char *const functions[] = {PQ_FUNCTIONS(LIBRARY_NAME)};
    static struct pq_api api;
    static struct library library = {
        .soname = "libpq.so.5",
        .package = "libpq5",
        .functions = functions,
        .count = sizeof(functions) / sizeof(functions[0]),
        .api = &api,
    };

    _Static_assert(sizeof(api) == sizeof(functions), "a pointer for each name");
    return library_open(&library, error) < 0 ? NULL : &api;
}
