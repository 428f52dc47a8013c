#include "store/sqlite_library.h"
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libsqlite3.so.0"
#define FUNCTION(name)                                                                             \
    {                                                                                              \
        "sqlite3_" #name, offsetof(struct sqlite_library, name)                                    \
    }

int sqlite_library_open(struct sqlite_library *ret)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        FUNCTION(open_v2),
        FUNCTION(close_v2),
        FUNCTION(exec),
        FUNCTION(free),
        FUNCTION(prepare_v2),
        FUNCTION(step),
        FUNCTION(reset),
        FUNCTION(finalize),
        FUNCTION(bind_text),
        FUNCTION(bind_blob),
        FUNCTION(bind_int64),
        FUNCTION(column_text),
        FUNCTION(column_blob),
        FUNCTION(column_bytes),
        FUNCTION(column_int64),
        FUNCTION(changes),
        FUNCTION(errmsg),
        FUNCTION(errstr),
        FUNCTION(extended_errcode),
    };
    struct sqlite_library library = {.handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)};

    if (!library.handle)
        return -ENOENT;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *function = dlsym(library.handle, functions[i].name);

        if (!function) {
            dlclose(library.handle);
            return -ENOSYS;
        }
        /* A cast from an object to a function pointer is what POSIX has for dlsym(). */
        memcpy((char *)&library + functions[i].offset, &function, sizeof(function));
    }
    *ret = library;
    return 0;
}

void sqlite_library_close(struct sqlite_library *library)
{
    if (library->handle)
        dlclose(library->handle);
    library->handle = NULL;
}
