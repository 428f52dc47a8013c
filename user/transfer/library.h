/* Shared libraries that are opened when a configuration first needs them: together they would be a
 * third of the agent's memory. Types come from the real headers:
 *
 *     #define X_FUNCTIONS(F) F(x_open) F(x_close)
 *     struct x_api { X_FUNCTIONS(LIBRARY_MEMBER) };
 *
 * A library stays open until the process ends. */
#ifndef MOONWATCH_TRANSFER_LIBRARY_H
#define MOONWATCH_TRANSFER_LIBRARY_H

#include <stddef.h>

struct library {
    const char *soname;  /* "libcurl-gnutls.so.4" */
    const char *package; /* of Debian, for the error */
    const char *const *functions;
    size_t count;
    void *api; /* `count` function pointers in the order of `functions` */
    void *handle;
};

#define LIBRARY_MEMBER(name) __typeof__(&name) name; // NOLINT(bugprone-macro-parentheses)
#define LIBRARY_NAME(name) #name,

#define LIBRARY_ERROR_BYTES 256

/* 0, also when it is open already; -ELIBACC with the error: the library and the package that has
 * it.
 */
int library_open(struct library *library, char error[LIBRARY_ERROR_BYTES]);

#endif
