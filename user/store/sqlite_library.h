/* SQLite, loaded when it is needed: an agent without channels does not pay for it. */
#ifndef MOONWATCH_STORE_SQLITE_LIBRARY_H
#define MOONWATCH_STORE_SQLITE_LIBRARY_H

#include <sqlite3.h>

struct sqlite_library {
    void *handle;
    __typeof__(&sqlite3_open_v2) open_v2;
    __typeof__(&sqlite3_close_v2) close_v2;
    __typeof__(&sqlite3_exec) exec;
    __typeof__(&sqlite3_free) free;
    __typeof__(&sqlite3_prepare_v2) prepare_v2;
    __typeof__(&sqlite3_step) step;
    __typeof__(&sqlite3_reset) reset;
    __typeof__(&sqlite3_finalize) finalize;
    __typeof__(&sqlite3_bind_text) bind_text;
    __typeof__(&sqlite3_bind_blob) bind_blob;
    __typeof__(&sqlite3_bind_int64) bind_int64;
    __typeof__(&sqlite3_column_text) column_text;
    __typeof__(&sqlite3_column_blob) column_blob;
    __typeof__(&sqlite3_column_bytes) column_bytes;
    __typeof__(&sqlite3_column_int64) column_int64;
    __typeof__(&sqlite3_changes) changes;
    __typeof__(&sqlite3_errmsg) errmsg;
    __typeof__(&sqlite3_errstr) errstr;
    __typeof__(&sqlite3_extended_errcode) extended_errcode;
};

/* -ENOENT when the library is not there (Debian: libsqlite3-0), -ENOSYS when it lacks a function.
 */
int sqlite_library_open(struct sqlite_library *ret);
void sqlite_library_close(struct sqlite_library *library); /* all zero is fine */

#endif
