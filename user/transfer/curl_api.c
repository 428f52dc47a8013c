#include "transfer/curl_api.h"

const struct curl_api *curl_api(char error[LIBRARY_ERROR_BYTES])
{
    static const char *const functions[] = {CURL_FUNCTIONS(LIBRARY_NAME)};
    static struct curl_api api;
    static struct library library = {
        .soname = "libcurl-gnutls.so.4",
        .package = "libcurl3-gnutls",
        .functions = functions,
        .count = sizeof(functions) / sizeof(functions[0]),
        .api = &api,
    };

    _Static_assert(sizeof(api) == sizeof(functions), "a pointer for each name");
    return library_open(&library, error) < 0 ? NULL : &api;
}
