/* The first few of many, in an order of their own, without sorting all. */
#ifndef MOONWATCH_BASE_TOP_H
#define MOONWATCH_BASE_TOP_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `a` stands before `b`; equal ones stay as they were offered. */
typedef bool top_before_fn(const void *a, const void *b);

/* Copies an item of `size` bytes to its place among the `*count` of `list`, which has room for
 * `max`; the last one goes when there is no more room. */
void top_offer(void *list, size_t *count, size_t max, size_t size, const void *item,
               top_before_fn *before);

#endif
