#include "transfer/cares_api.h"

const struct cares_api *cares_api(char error[LIBRARY_ERROR_BYTES])
{
    static const char *const functions[] = {CARES_FUNCTIONS(LIBRARY_NAME)};
    static struct cares_api api;
    static struct library library = {
        .soname = "libcares.so.2",
        .package = "libc-ares2",
        .functions = functions,
        .count = sizeof(functions) / sizeof(functions[0]),
        .api = &api,
    };

    _Static_assert(sizeof(api) == sizeof(functions), "a pointer for each name");
    return library_open(&library, error) < 0 ? NULL : &api;
}
