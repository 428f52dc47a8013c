/* A request while it is being read. */
#ifndef MOONWATCH_HTTP_UPLOAD_H
#define MOONWATCH_HTTP_UPLOAD_H

#include "http/request_head.h"
#include "http/site.h"

struct upload;

/* From the target that MHD_OPTION_URI_LOG_CALLBACK lends. NULL without memory. */
struct upload *upload_create(const char *target);
void upload_destroy(struct upload *upload); /* NULL is fine */

bool upload_has_begun(const struct upload *upload);
/* Once the head has come: 0, or a negative errno. `*refusal` is what is wrong with it, else NULL.
 */
int upload_begin(struct upload *upload, struct MHD_Connection *mhd, const char *version,
                 const struct head_refusal **refusal);
/* With each part of the body. */
void upload_add(struct upload *upload, const char *data, size_t size);
/* Once all has come. What is returned is borrowed from `upload` and the strings given. */
struct request upload_request(const struct upload *upload, const char *method, const char *url);

#endif
