#include "http/upload.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A longer body than a route may take is read and dropped up to here, so that the client gets its
 * answer. */
#define UPLOAD_BYTES_MAX (64 << 10)

struct upload {
    struct head_target target;
    bool begun, too_long;
    size_t len;
    char *data;
};

static const struct head_refusal body_too_large = {
    MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large",
    "no route takes a body of that size or of unknown length"};

struct upload *upload_create(const char *target)
{
    struct upload *upload = calloc(1, sizeof(*upload));

    if (upload && target)
        head_read_target(target, &upload->target);
    return upload;
}

void upload_destroy(struct upload *upload)
{
    if (upload)
        free(upload->data);
    free(upload);
}

bool upload_has_begun(const struct upload *upload)
{
    return upload->begun;
}

/* How long the body is; UINT64_MAX when the head does not say (chunked). */
static uint64_t body_length(struct MHD_Connection *mhd)
{
    const char *length =
        MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    if (MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        return UINT64_MAX;
    return length ? strtoull(length, NULL, 10) : 0;
}

int upload_begin(struct upload *upload, struct MHD_Connection *mhd, const char *version,
                 const struct head_refusal **refusal)
{
    uint64_t length = body_length(mhd);

    upload->begun = true;
    *refusal = head_check(mhd, &upload->target, version);
    if (!*refusal && length > UPLOAD_BYTES_MAX)
        *refusal = &body_too_large;
    upload->too_long = length > REQUEST_BODY_BYTES;
    if (*refusal || length == 0 || upload->too_long)
        return 0;
    upload->data = malloc(length);
    return upload->data ? 0 : -ENOMEM;
}

/* libmicrohttpd hands out no more than the Content-Length that the memory was taken for. */
void upload_add(struct upload *upload, const char *data, size_t size)
{
    if (!upload->data)
        return;
    memcpy(upload->data + upload->len, data, size);
    upload->len += size;
}

struct request upload_request(const struct upload *upload, const char *method, const char *url)
{
    const char *path = url + upload->target.path_offset;

    return (struct request){
        .url = *path ? path : "/",
        .authority = *upload->target.authority ? upload->target.authority : NULL,
        .method = method,
        .body = upload->len ? upload->data : NULL,
        .body_len = upload->len,
        .body_too_long = upload->too_long,
    };
}
