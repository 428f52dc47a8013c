#include "facts/field.h"

extern const struct field_rows *const __start_field_metrics[] __attribute__((weak));
extern const struct field_rows *const __stop_field_metrics[] __attribute__((weak));

void field_rows_each(void (*fn)(void *ctx, const struct field_rows *rows), void *ctx)
{
    const struct field_rows *const *rows;

    for (rows = &__start_field_metrics[0]; rows != &__stop_field_metrics[0]; rows++)
        fn(ctx, *rows);
}
