#include "endpoint/hiredis_api.h"

/* The layout of its structs changes with the version. */
#define SONAME_TEXT(version) SONAME_TEXT_OF(version)
#define SONAME_TEXT_OF(version) #version

const struct hiredis_api *hiredis_api(char error[LIBRARY_ERROR_BYTES])
{
    static const char *const functions[] = {HIREDIS_FUNCTIONS(LIBRARY_NAME)};
    static struct hiredis_api api;
    static struct library library = {
        .soname = "libhiredis.so." SONAME_TEXT(HIREDIS_SONAME),
        .package = "libhiredis" SONAME_TEXT(HIREDIS_SONAME),
        .functions = functions,
        .count = sizeof(functions) / sizeof(functions[0]),
        .api = &api,
    };

    _Static_assert(sizeof(api) == sizeof(functions), "a pointer for each name");
    return library_open(&library, error) < 0 ? NULL : &api;
}
