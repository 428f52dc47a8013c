#include "http/error.h"

struct error_view {
    const char *code, *message;
};

static const struct field detail_fields[] = {
    {.key = "code",
     .kind = FIELD_STRING,
     .offset = offsetof(struct error_view, code),
     .identity = true,
     .about = "for programs"},
    {.key = "message",
     .kind = FIELD_STRING,
     .offset = offsetof(struct error_view, message),
     .identity = true,
     .about = "for people"},
};

static const struct field_table detail_table = FIELD_TABLE("ErrorDetail", detail_fields, NULL);

static const struct field error_fields[] = {
    {.key = "error", .kind = FIELD_OBJECT, .table = &detail_table},
};

const struct field_table error_table = FIELD_TABLE("Error", error_fields, "What went wrong.");

int error_body(struct body *ret, unsigned status, const char *code, const char *message)
{
    struct error_view view = {code, message};

    return body_render(ret, status, &error_table, &view, NULL);
}
