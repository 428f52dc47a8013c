#include "transfer/library.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int library_open(struct library *library, char error[LIBRARY_ERROR_BYTES])
{
    void *handle;

    if (library->handle)
        return 0;
    handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(error, LIBRARY_ERROR_BYTES, "cannot load %s (install the Debian package %s)",
                 library->soname, library->package);
        return -ELIBACC;
    }
    for (size_t i = 0; i < library->count; i++) {
        void *function = dlsym(handle, library->functions[i]);

        if (!function) {
            snprintf(error, LIBRARY_ERROR_BYTES,
                     "%s has no %s (install a newer version of the Debian package %s)",
                     library->soname, library->functions[i], library->package);
            dlclose(handle);
            return -ELIBACC;
        }
        memcpy((char *)library->api + i * sizeof(function), &function, sizeof(function));
    }
    library->handle = handle;
    return 0;
}
