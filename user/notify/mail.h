/* A mail with its headers: RFC 5322, MIME (RFC 2045, 2047). Inside this layer only. */
#ifndef MOONWATCH_NOTIFY_MAIL_H
#define MOONWATCH_NOTIFY_MAIL_H

#include "base/text.h"
#include "config/values.h"

struct mail {
    const char *from;
    const struct config_strings *to;
    const char *subject;      /* any text */
    const char *id;           /* of letters, digits and -; so is the next */
    const char *thread;       /* what mails about the same have in common; NULL: nothing */
    const char *host;         /* any text */
    const char *plain, *html; /* UTF-8, or what becomes it */
    uint64_t realtime_ns;
    bool urgent;
};

/* With CRLF at the end of every line, of at most 998 bytes. */
void mail_write(const struct mail *mail, struct text *out);

#endif
