/* Who may have what: the caller of a request, and the refusals. */
#ifndef MOONWATCH_HTTP_ADMISSION_H
#define MOONWATCH_HTTP_ADMISSION_H

#include "http/site.h"

/* True: the caller may have the route. False: the refusal is queued, `*ret_answer` is its result.
 */
bool admission_grant(struct site *site, struct MHD_Connection *connection,
                     const struct route *route, const struct request *request, struct caller *ret,
                     enum MHD_Result *ret_answer);

/* Tells the agent what an administrator did, or tried. */
void admission_audit(const struct site *site, struct MHD_Connection *connection,
                     const struct route *route, const struct caller *caller,
                     const struct request *request, const char *param, unsigned status);

/* Tells of wrong tokens what is due, and sets `site->guess_report_ns`. */
void admission_report(struct site *site);

#endif
