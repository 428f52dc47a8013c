/* Label sets: immutable, sorted by name, one allocation, shared by reference.
 *
 * As in Prometheus, a label with an empty value is the same as no label. Not for several threads.
 */
#ifndef MOONWATCH_ALERT_LABELS_H
#define MOONWATCH_ALERT_LABELS_H

#include "base/hash.h"
#include "model/sample.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABELS_MAX 64
#define LABELS_BYTES_MAX 16384 /* names and values with their NULs */

struct labels;

/* Copies; values become what text_add_name() makes of them; of equal names the last counts. The
 * caller owns one reference. -E2BIG beyond the two bounds. */
int labels_create(struct labels **ret, const struct label *pairs, size_t count);
/* The same of values that another set had, kept meanwhile or not: those are taken as they are. */
int labels_create_again(struct labels **ret, const struct label *pairs, size_t count);
struct labels *labels_ref(struct labels *labels);
void labels_unref(struct labels *labels); /* NULL is fine */

size_t labels_count(const struct labels *labels);
/* `index` below the count; the strings live as long as the set. */
struct label labels_at(const struct labels *labels, size_t index);
/* The value, "" when there is no such label. */
const char *labels_get(const struct labels *labels, const char *name);
bool labels_equal(const struct labels *a, const struct labels *b);
/* 64 bits that stay the same across hosts, restarts and versions. */
uint64_t labels_fingerprint(const struct labels *labels);

#endif
