#include "store/document_rows.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 64

static void index_free(struct document_index *index)
{
    free(index->rows);
    *index = (struct document_index){0};
}

static int index_reserve(struct document_index *index, size_t count)
{
    size_t capacity = 64;

    while (capacity < 2 * count)
        capacity *= 2;
    index->rows = calloc(capacity, sizeof(*index->rows));
    if (!index->rows)
        return -ENOMEM;
    index->capacity = capacity;
    return 0;
}

static struct document_row *index_find(const struct document_index *index, uint64_t id)
{
    size_t i;

    if (index->capacity == 0)
        return NULL;
    for (i = id & (index->capacity - 1); index->rows[i].id; i = (i + 1) & (index->capacity - 1))
        if (index->rows[i].id == id)
            return &index->rows[i];
    return NULL;
}

/* There is room, and none of this id. */
static void index_add(struct document_index *index, const struct document_row *row)
{
    size_t i = row->id & (index->capacity - 1);

    while (index->rows[i].id)
        i = (i + 1) & (index->capacity - 1);
    index->rows[i] = *row;
    index->count++;
}

void document_rows_free(struct document_rows *rows)
{
    index_free(&rows->now);
    index_free(&rows->next);
}

static void forget(struct document_rows *rows)
{
    document_rows_free(rows);
    rows->last_place = 0;
    rows->saving = false;
}

void document_rows_commit(struct document_rows *rows)
{
    if (!rows->saving)
        return;
    rows->saving = false;
    index_free(&rows->now);
    rows->now = rows->next;
    rows->next = (struct document_index){0};
}

void document_rows_rollback(struct document_rows *rows)
{
    rows->saving = false;
    index_free(&rows->next);
}

/* Of an element that changes in place, or of one that is what it says. */
static uint64_t id_of(const char *list, const cJSON *element, uint64_t text)
{
    const cJSON *own = cJSON_IsObject(element) ? cJSON_GetObjectItem(element, "id") : NULL;
    const char *name = cJSON_GetStringValue(own);
    uint64_t id = fnv_string(FNV_START, list);

    return name ? fnv_string(id, name) : fnv_bytes(id, &text, sizeof(text));
}

/* The nth that says the same is another one. */
static uint64_t id_among(const struct document_index *index, uint64_t id)
{
    while (id == 0 || index_find(index, id))
        id++;
    return id;
}

/* Saving. */
struct save {
    struct document_rows *rows;
    struct outbox_store *store;
    uint64_t bytes;
};

static int save_row(struct save *save, const char *list, const cJSON *element, int64_t *last)
{
    CLEANUP_FREE char *text = cJSON_PrintUnformatted(element);
    struct document_row row, *before;
    size_t bytes;
    int r = 0;

    if (!text)
        return -ENOMEM;
    bytes = strlen(text);
    row = (struct document_row){.text = fnv_bytes(FNV_START, text, bytes)};
    row.id = id_among(&save->rows->next, id_of(list, element, row.text));
    before = index_find(&save->rows->now, row.id);
    /* One that stands before its predecessor now goes to the end, as a new one does. */
    if (before && before->place > *last) {
        before->used = true;
        row.place = before->place;
        if (before->text != row.text)
            r = outbox_store_put_row(save->store, row.place, list, text, bytes);
        save->bytes += before->text != row.text ? bytes : 0;
    } else {
        row.place = ++save->rows->last_place;
        r = outbox_store_put_row(save->store, row.place, list, text, bytes);
        save->bytes += bytes;
    }
    *last = row.place;
    index_add(&save->rows->next, &row);
    return r;
}

static int save_list(struct save *save, const char *list, const cJSON *json)
{
    const cJSON *each;
    int64_t last = 0;
    int r = 0;

    for (each = json->child; r == 0 && each; each = each->next)
        r = save_row(save, list, each, &last);
    return r;
}

static int save_lists(struct save *save, const char *prefix, const cJSON *object)
{
    char list[LIST_BYTES];
    const cJSON *each;
    int r = 0;

    for (each = object->child; r == 0 && each; each = each->next) {
        snprintf(list, sizeof(list), "%s%s", prefix, each->string);
        if (cJSON_IsArray(each))
            r = save_list(save, list, each);
        else if (cJSON_IsObject(each) && !*prefix) {
            snprintf(list, sizeof(list), "%s.", each->string);
            r = save_lists(save, list, each);
        }
    }
    return r;
}

/* What stands in no list: the members of the document, and of the objects in it, without their
 * lists. */
static cJSON *rest_of(const cJSON *object, bool deeper)
{
    cJSON *rest = cJSON_CreateObject(), *copy;

    for (const cJSON *each = object->child; rest && each; each = each->next) {
        if (cJSON_IsArray(each))
            continue;
        copy = deeper && cJSON_IsObject(each) ? rest_of(each, false) : cJSON_Duplicate(each, true);
        if (!copy || !cJSON_AddItemToObject(rest, each->string, copy)) {
            cJSON_Delete(copy);
            cJSON_Delete(rest);
            return NULL;
        }
    }
    return rest;
}

static size_t count_rows(const cJSON *object)
{
    size_t count = 1;

    for (const cJSON *each = object->child; each; each = each->next)
        if (cJSON_IsArray(each))
            count += (size_t)cJSON_GetArraySize(each);
        else if (cJSON_IsObject(each))
            count += count_rows(each);
    return count;
}

static int remove_unused(struct save *save)
{
    const struct document_index *now = &save->rows->now;
    int r = 0;

    for (size_t i = 0; r == 0 && i < now->capacity; i++)
        if (now->rows[i].id && !now->rows[i].used)
            r = outbox_store_remove_row(save->store, now->rows[i].place);
    return r;
}

/* The rest last: its place changes with each save, since it does. */
static int save_all(struct save *save, const cJSON *json)
{
    cJSON *rest = rest_of(json, true);
    int64_t last = 0;
    int r = rest ? 0 : -ENOMEM;

    if (r == 0)
        r = save_lists(save, "", json);
    if (r == 0)
        r = save_row(save, "", rest, &last);
    cJSON_Delete(rest);
    if (r == 0)
        r = remove_unused(save);
    return r;
}

int document_rows_save(struct document_rows *rows, struct outbox_store *store, const cJSON *json,
                       bool keep_old, uint64_t *ret_bytes)
{
    struct save save = {.rows = rows, .store = store};
    int r;

    index_free(&rows->next);
    rows->saving = true;
    r = index_reserve(&rows->next, count_rows(json));
    if (r == 0 && keep_old) {
        r = outbox_store_set_rows_aside(store);
        index_free(&rows->now);
    }
    for (size_t i = 0; i < rows->now.capacity; i++)
        rows->now.rows[i].used = false;
    if (r == 0)
        r = save_all(&save, json);
    *ret_bytes = save.bytes;
    return r;
}

/* Loading. */
struct load {
    cJSON *json;
    struct document_rows *rows;
    struct document_row *found; /* in the order of their places */
    size_t count, capacity;
    bool damaged;
};

/* Where a row belongs; made when it is the first. */
static cJSON *place_of(cJSON *json, const char *list)
{
    const char *dot = strchr(list, '.');
    char name[LIST_BYTES];
    cJSON *place;

    if (dot) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - list), list);
        place = cJSON_GetObjectItemCaseSensitive(json, name);
        return place_of(place ? place : cJSON_AddObjectToObject(json, name), dot + 1);
    }
    place = cJSON_GetObjectItemCaseSensitive(json, list);
    return place ? place : cJSON_AddArrayToObject(json, list);
}

static void merge(cJSON *to, cJSON *rest)
{
    cJSON *each, *there;

    while ((each = rest->child)) {
        cJSON_DetachItemViaPointer(rest, each);
        there = cJSON_GetObjectItemCaseSensitive(to, each->string);
        if (!there) {
            cJSON_AddItemToObject(to, each->string, each);
            continue;
        }
        if (cJSON_IsObject(there) && cJSON_IsObject(each))
            merge(there, each);
        cJSON_Delete(each);
    }
}

static int remember(struct load *load, const struct document_row *row)
{
    if (!ARRAY_GROW(load->found, load->capacity, load->count + 1))
        return -ENOMEM;
    load->found[load->count++] = *row;
    return 0;
}

static int load_row(void *ctx, int64_t place, const char *list, const char *text, size_t bytes)
{
    struct load *load = ctx;
    cJSON *json = cJSON_ParseWithLengthOpts(text, bytes, NULL, 0);
    struct document_row row = {.place = place, .text = fnv_bytes(FNV_START, text, bytes)};

    if (place > load->rows->last_place)
        load->rows->last_place = place;
    row.id = id_of(list, json, row.text);
    load->damaged = load->damaged || !json;
    if (!json || (!*list && !cJSON_IsObject(json)))
        cJSON_Delete(json);
    else if (*list)
        cJSON_AddItemToArray(place_of(load->json, list), json);
    else {
        merge(load->json, json);
        cJSON_Delete(json);
    }
    return remember(load, &row);
}

static int make_index(struct document_index *index, const struct document_row *rows, size_t count)
{
    int r = index_reserve(index, count);

    for (size_t i = 0; r == 0 && i < count; i++) {
        struct document_row row = rows[i];

        row.id = id_among(index, row.id);
        index_add(index, &row);
    }
    return r;
}

int document_rows_load(struct document_rows *rows, struct outbox_store *store, cJSON **ret)
{
    struct load load = {.json = cJSON_CreateObject(), .rows = rows};
    int r = load.json ? 0 : -ENOMEM;

    forget(rows);
    if (r == 0)
        r = outbox_store_each_row(store, load_row, &load);
    if (r == 0)
        r = make_index(&rows->now, load.found, load.count);
    if (r == 0 && load.count == 0)
        r = -ENOENT;
    else if (r == 0 && load.damaged)
        r = -EBADMSG;
    free(load.found);
    if (r < 0)
        cJSON_Delete(load.json);
    else
        *ret = load.json;
    return r;
}
