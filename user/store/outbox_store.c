#include "store/outbox_store.h"
#include "store/outbox_files.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define SCHEMA_VERSION 2
#define ROWS_TABLE                                                                                 \
    "CREATE TABLE IF NOT EXISTS document(place INTEGER PRIMARY KEY, list TEXT NOT NULL,"           \
    " text BLOB NOT NULL);"
/* Beside the messages: more than the largest state takes. */
#define ROWS_BYTES (64ULL << 20)
/* Numbers that a page which cannot be read may hold: the least of a row takes some bytes, and what
 * was removed left gaps. */
#define SKIPPED_MAX 4096
#define TEXT_OF_(macro) #macro
#define TEXT_OF(macro) TEXT_OF_(macro)

enum statement {
    STATEMENT_PUT,
    STATEMENT_REMOVE,
    STATEMENT_REMOVE_UP_TO,
    STATEMENT_RETRY,
    STATEMENT_FETCH,
    STATEMENT_EACH,
    STATEMENT_EACH_HEAD,
    STATEMENT_PUT_ROW,
    STATEMENT_REMOVE_ROW,
    STATEMENT_EACH_ROW,
    STATEMENT_COUNT,
};

struct outbox_store {
    const struct sqlite_library *library;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char path[PATH_MAX];
    uint64_t max_bytes; /* of the messages */
    dev_t device;
    ino_t inode; /* 0: not known */
    char error[OUTBOX_ERROR_BYTES];
};

static const char *const statement_text[STATEMENT_COUNT] = {
    [STATEMENT_PUT] = "INSERT OR IGNORE INTO outbox"
                      "(channel, key, body, created_ns, next_attempt_ns, attempts)"
                      " VALUES (?, ?, ?, ?, ?, ?)",
    [STATEMENT_REMOVE] = "DELETE FROM outbox WHERE channel = ? AND key = ?",
    [STATEMENT_REMOVE_UP_TO] = "DELETE FROM outbox WHERE channel = ? AND key <= ?",
    [STATEMENT_RETRY] = "UPDATE outbox SET attempts = attempts + 1, next_attempt_ns = ?3"
                        " WHERE channel = ?1 AND key = ?2",
    [STATEMENT_FETCH] = "SELECT body FROM outbox WHERE channel = ? AND key = ?",
    [STATEMENT_EACH_HEAD] =
        "SELECT channel, key, CASE WHEN channel = '" OUTBOX_NOTES "' THEN body"
        " ELSE substr(body, 1, " TEXT_OF(
            OUTBOX_HEAD_BYTES) ") END,"
                               " created_ns, next_attempt_ns, attempts, id FROM outbox"
                               " WHERE id >= ? ORDER BY id",
    [STATEMENT_PUT_ROW] = "INSERT OR REPLACE INTO document(place, list, text) VALUES (?, ?, ?)",
    [STATEMENT_REMOVE_ROW] = "DELETE FROM document WHERE place = ?",
    [STATEMENT_EACH_ROW] = "SELECT place, list, text FROM document ORDER BY place",
    [STATEMENT_EACH] = "SELECT channel, key, body, created_ns, next_attempt_ns, attempts, id"
                       " FROM outbox WHERE id >= ? ORDER BY id",
};

static int errno_of(int code)
{
    static const struct {
        int code, error;
    } errors[] = {
        {SQLITE_CORRUPT, -EUCLEAN}, {SQLITE_NOTADB, -EUCLEAN},  {SQLITE_FULL, -ENOSPC},
        {SQLITE_READONLY, -EROFS},  {SQLITE_CANTOPEN, -EACCES}, {SQLITE_PERM, -EACCES},
        {SQLITE_BUSY, -EBUSY},      {SQLITE_LOCKED, -EBUSY},    {SQLITE_NOMEM, -ENOMEM},
        {SQLITE_SCHEMA, -EUCLEAN},
    };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if ((code & 0xff) == errors[i].code)
            return errors[i].error;
    return -EIO;
}

static int fail(struct outbox_store *store, int code)
{
    const struct sqlite_library *library = store->library;

    snprintf(store->error, sizeof(store->error), "%s",
             store->db ? library->errmsg(store->db) : library->errstr(code));
    return errno_of(code);
}

static int run(struct outbox_store *store, const char *sql)
{
    int code = store->library->exec(store->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : fail(store, code);
}

#define VALUE_BYTES 128

static int first_text(void *ctx, int count, char **values, char **names)
{
    (void)names;
    snprintf(ctx, VALUE_BYTES, "%s", count > 0 && values[0] ? values[0] : "");
    return 0;
}

/* A damaged page may lie where nothing looks for days. */
static int check(struct outbox_store *store)
{
    char text[VALUE_BYTES] = "";
    const char *line;
    int code = store->library->exec(store->db, "PRAGMA quick_check(1)", first_text, text, NULL);

    if (code != SQLITE_OK)
        return fail(store, code);
    if (strcmp(text, "ok") == 0)
        return 0;
    line = strchr(text, '\n'); /* below one that says which database */
    snprintf(store->error, sizeof(store->error), "%s", line ? line + 1 : text);
    return -EUCLEAN;
}

static int limit(struct outbox_store *store, uint64_t bytes)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %llu",
             (unsigned long long)(bytes / PAGE_BYTES));
    return run(store, sql);
}

static int prepare_statements(struct outbox_store *store)
{
    int r = 0;

    for (int s = 0; r == 0 && s < STATEMENT_COUNT; s++) {
        int code = store->library->prepare_v2(store->db, statement_text[s], -1,
                                              &store->statements[s], NULL);

        /* A table of this name with other columns is as good as a damaged one. */
        if (code != SQLITE_OK)
            r = (code & 0xff) == SQLITE_ERROR ? (fail(store, code), -EUCLEAN) : fail(store, code);
    }
    return r;
}

/* Of a damaged database: what lies elsewhere in it can be read, also where its end is missing,
 * which SQLite reads for who repairs a schema alone. The error stays that of the damage. */
static void prepare_reading(struct outbox_store *store)
{
    static const enum statement reading[] = {STATEMENT_EACH, STATEMENT_EACH_ROW};

    store->library->exec(store->db, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(reading) / sizeof(reading[0]); i++) {
        store->library->finalize(store->statements[reading[i]]);
        store->statements[reading[i]] = NULL;
        store->library->prepare_v2(store->db, statement_text[reading[i]], -1,
                                   &store->statements[reading[i]], NULL);
    }
}

/* WAL with synchronous=FULL: a commit is on the disk, also when the power fails. The cache is small
 * since every row is read once. */
static int prepare(struct outbox_store *store)
{
    char version[VALUE_BYTES] = "";
    int r;

    r = run(store, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA cache_size = -256; PRAGMA wal_autocheckpoint = 64;"
                   "PRAGMA journal_size_limit = 1048576");
    if (r == 0)
        r = limit(store, store->max_bytes);
    if (r == 0)
        r = check(store);
    if (r == 0 &&
        store->library->exec(store->db, "PRAGMA user_version", first_text, version, NULL) ==
            SQLITE_OK &&
        strtol(version, NULL, 10) > SCHEMA_VERSION) {
        snprintf(store->error, sizeof(store->error),
                 "the database is of a newer version of the agent");
        return -EUCLEAN;
    }
    if (r == 0)
        r = run(store, "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY,"
                       " channel TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
                       " created_ns INTEGER NOT NULL, next_attempt_ns INTEGER NOT NULL,"
                       " attempts INTEGER NOT NULL, UNIQUE(channel, key));" ROWS_TABLE
                       "PRAGMA user_version = 2");
    if (r == 0)
        r = prepare_statements(store);
    if (r == -EUCLEAN)
        prepare_reading(store);
    return r;
}

static void remember_file(struct outbox_store *store, const char *path)
{
    struct stat st;

    if (snprintf(store->path, sizeof(store->path), "%s", path) >= (int)sizeof(store->path) ||
        lstat(path, &st) < 0)
        return;
    store->device = st.st_dev;
    store->inode = st.st_ino;
}

int outbox_store_open(struct outbox_store **ret, const struct sqlite_library *library,
                      const char *path, uint64_t max_bytes)
{
    struct outbox_store *store = calloc(1, sizeof(*store));
    int code, r;

    if (!store)
        return -ENOMEM;
    store->library = library;
    store->max_bytes = max_bytes;
    /* Also when it fails: the caller wants the error's text. */
    *ret = store;
    r = outbox_files_keep_private(path, store->error, sizeof(store->error));
    if (r < 0)
        return r;
    code = library->open_v2(path, &store->db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    r = code == SQLITE_OK ? prepare(store) : fail(store, code);
    if (r == 0)
        remember_file(store, path);
    return r;
}

bool outbox_store_is_there(const struct outbox_store *store)
{
    struct stat st;

    if (!store->inode)
        return true;
    if (lstat(store->path, &st) < 0)
        return errno != ENOENT && errno != ENOTDIR;
    return st.st_ino == store->inode && st.st_dev == store->device;
}

void outbox_store_close(struct outbox_store *store)
{
    if (!store)
        return;
    for (int s = 0; s < STATEMENT_COUNT; s++)
        store->library->finalize(store->statements[s]);
    store->library->close_v2(store->db);
    free(store);
}

const char *outbox_store_error(const struct outbox_store *store)
{
    return store->error;
}

int outbox_store_begin(struct outbox_store *store)
{
    return run(store, "BEGIN IMMEDIATE");
}

int outbox_store_commit(struct outbox_store *store)
{
    return run(store, "COMMIT");
}

void outbox_store_rollback(struct outbox_store *store)
{
    /* After some errors SQLite has done it already. */
    store->library->exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

static int finish(struct outbox_store *store, enum statement statement)
{
    int code = store->library->step(store->statements[statement]);
    int r = code == SQLITE_DONE ? 0 : fail(store, code);

    store->library->reset(store->statements[statement]);
    return r;
}

static void bind_names(struct outbox_store *store, enum statement statement, const char *channel,
                       const char *key)
{
    store->library->bind_text(store->statements[statement], 1, channel, -1, SQLITE_STATIC);
    store->library->bind_text(store->statements[statement], 2, key, -1, SQLITE_STATIC);
}

int outbox_store_put(struct outbox_store *store, const struct outbox_entry *entry, bool *ret_new)
{
    sqlite3_stmt *put = store->statements[STATEMENT_PUT];
    int r;

    bind_names(store, STATEMENT_PUT, entry->channel, entry->key);
    store->library->bind_blob(put, 3, entry->body_bytes ? entry->body : "", (int)entry->body_bytes,
                              SQLITE_STATIC);
    store->library->bind_int64(put, 4, (sqlite3_int64)entry->created_ns);
    store->library->bind_int64(put, 5, (sqlite3_int64)entry->next_attempt_ns);
    store->library->bind_int64(put, 6, entry->attempts);
    r = finish(store, STATEMENT_PUT);
    if (r == 0)
        *ret_new = store->library->changes(store->db) > 0;
    return r;
}

int outbox_store_remove(struct outbox_store *store, const char *channel, const char *key)
{
    bind_names(store, STATEMENT_REMOVE, channel, key);
    return finish(store, STATEMENT_REMOVE);
}

int outbox_store_remove_up_to(struct outbox_store *store, const char *channel, const char *key)
{
    bind_names(store, STATEMENT_REMOVE_UP_TO, channel, key);
    return finish(store, STATEMENT_REMOVE_UP_TO);
}

int outbox_store_retry(struct outbox_store *store, const char *channel, const char *key,
                       uint64_t next_attempt_ns)
{
    bind_names(store, STATEMENT_RETRY, channel, key);
    store->library->bind_int64(store->statements[STATEMENT_RETRY], 3,
                               (sqlite3_int64)next_attempt_ns);
    return finish(store, STATEMENT_RETRY);
}

int outbox_store_fetch(struct outbox_store *store, const char *channel, const char *key,
                       char **ret_body, size_t *ret_bytes)
{
    const struct sqlite_library *library = store->library;
    sqlite3_stmt *fetch = store->statements[STATEMENT_FETCH];
    int code, r;

    bind_names(store, STATEMENT_FETCH, channel, key);
    code = library->step(fetch);
    if (code == SQLITE_ROW) {
        const void *body = library->column_blob(fetch, 0);
        size_t bytes = (size_t)library->column_bytes(fetch, 0);
        char *copy = malloc(bytes + 1);

        r = copy ? 0 : -ENOMEM;
        if (copy) {
            if (bytes)
                memcpy(copy, body, bytes);
            copy[bytes] = '\0';
            *ret_body = copy;
            *ret_bytes = bytes;
        }
    } else {
        r = code == SQLITE_DONE ? -ENOENT : fail(store, code);
    }
    library->reset(fetch);
    return r;
}

/* From the number `next` on, which becomes the one after the last that was read. */
static int each_from(struct outbox_store *store, sqlite3_stmt *each, int64_t *next,
                     int (*fn)(void *ctx, const struct outbox_entry *entry), void *ctx)
{
    const struct sqlite_library *library = store->library;
    int code, r = 0;

    library->bind_int64(each, 1, *next);
    while (r == 0 && (code = library->step(each)) == SQLITE_ROW) {
        const struct outbox_entry entry = {
            .channel = (const char *)library->column_text(each, 0),
            .key = (const char *)library->column_text(each, 1),
            .body = library->column_blob(each, 2),
            .body_bytes = (size_t)library->column_bytes(each, 2),
            .created_ns = (uint64_t)library->column_int64(each, 3),
            .next_attempt_ns = (uint64_t)library->column_int64(each, 4),
            .attempts = (unsigned)library->column_int64(each, 5),
        };
        int64_t id = library->column_int64(each, 6);

        if (id < *next || id == INT64_MAX) /* pages that lead to each other */
            continue;
        *next = id + 1;
        if (entry.channel && entry.key)
            r = fn(ctx, &entry);
    }
    if (r == 0 && code != SQLITE_DONE)
        r = fail(store, code);
    library->reset(each);
    return r;
}

int outbox_store_each(struct outbox_store *store, bool whole,
                      int (*fn)(void *ctx, const struct outbox_entry *entry), void *ctx)
{
    sqlite3_stmt *each = store->statements[whole ? STATEMENT_EACH : STATEMENT_EACH_HEAD];
    int64_t next = INT64_MIN, from;
    unsigned skipped = 0;
    int r;

    if (!each)
        return -EUCLEAN;
    r = each_from(store, each, &next, fn, ctx);
    /* Behind a page that cannot be read. */
    while (whole && r == -EUCLEAN && skipped++ < SKIPPED_MAX && next < INT64_MAX) {
        from = next = next < 0 ? 0 : next + 1;
        r = each_from(store, each, &next, fn, ctx);
        if (next > from)
            skipped = 0;
    }
    return r;
}

int outbox_store_put_row(struct outbox_store *store, int64_t place, const char *list,
                         const char *text, size_t bytes)
{
    sqlite3_stmt *put = store->statements[STATEMENT_PUT_ROW];

    store->library->bind_int64(put, 1, place);
    store->library->bind_text(put, 2, list, -1, SQLITE_STATIC);
    store->library->bind_blob(put, 3, text, (int)bytes, SQLITE_STATIC);
    return finish(store, STATEMENT_PUT_ROW);
}

int outbox_store_remove_row(struct outbox_store *store, int64_t place)
{
    store->library->bind_int64(store->statements[STATEMENT_REMOVE_ROW], 1, place);
    return finish(store, STATEMENT_REMOVE_ROW);
}

int outbox_store_each_row(struct outbox_store *store,
                          int (*fn)(void *ctx, int64_t place, const char *list, const char *text,
                                    size_t bytes),
                          void *ctx)
{
    const struct sqlite_library *library = store->library;
    sqlite3_stmt *each = store->statements[STATEMENT_EACH_ROW];
    int code, r = 0;

    if (!each)
        return -EUCLEAN;
    while (r == 0 && (code = library->step(each)) == SQLITE_ROW) {
        const char *list = (const char *)library->column_text(each, 1);
        const char *text = library->column_blob(each, 2);

        if (list && text)
            r = fn(ctx, library->column_int64(each, 0), list, text,
                   (size_t)library->column_bytes(each, 2));
    }
    if (r == 0 && code != SQLITE_DONE)
        r = fail(store, code);
    library->reset(each);
    return r;
}

int outbox_store_set_rows_aside(struct outbox_store *store)
{
    return run(store, "DROP TABLE IF EXISTS document_unread;"
                      "ALTER TABLE document RENAME TO document_unread;" ROWS_TABLE);
}

void outbox_store_reserve(struct outbox_store *store, bool for_rows)
{
    limit(store, store->max_bytes + (for_rows ? ROWS_BYTES : 0));
}

void outbox_store_lift(struct outbox_store *store)
{
    run(store, "PRAGMA max_page_count = 4294967294");
}
