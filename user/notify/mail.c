#include "notify/mail.h"
#include "base/clock.h"
#include <ctype.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <time.h>

/* RFC 2045, 6.8: 57 bytes are a line of 76 characters. */
#define LINE_BYTES 57
/* RFC 2047, 2: an encoded word has 75 characters at most, 12 of which are =?UTF-8?B??=. */
#define WORD_BYTES 45
#define SUBJECT_BYTES_MAX 400

static void add_base64(struct text *out, const char *s, size_t n)
{
    const gnutls_datum_t in = {(unsigned char *)s, (unsigned)n};
    gnutls_datum_t encoded;

    if (n == 0)
        return;
    if (gnutls_base64_encode2(&in, &encoded) < 0) {
        out->failed = true;
        return;
    }
    text_add_n(out, (const char *)encoded.data, encoded.size);
    gnutls_free(encoded.data);
}

/* From `s` at most `max_bytes`, but whole characters. */
static size_t step(const char *s, size_t left, size_t max_bytes)
{
    size_t n = left < max_bytes ? left : max_bytes;

    if (n == left)
        return n;
    while (n > 1 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* A process may have any name; a line break in it must not become a header. */
static void add_subject(struct text *out, const char *subject)
{
    struct text clean;
    size_t n, word;
    bool ascii = true;

    text_init(&clean, SUBJECT_BYTES_MAX);
    text_add_clean(&clean, subject);
    n = clean.data ? utf8_valid_prefix(clean.data, clean.len) : 0;
    for (size_t i = 0; i < n; i++)
        ascii &= (unsigned char)clean.data[i] < 0x80;
    text_add(out, "Subject: ");
    if (ascii && (n == 0 || !strstr(clean.data, "=?"))) {
        text_add_n(out, clean.data ? clean.data : "", n);
    } else {
        for (size_t i = 0; i < n; i += word) {
            word = step(clean.data + i, n - i, WORD_BYTES);
            text_add(out, i ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
            add_base64(out, clean.data + i, word);
            text_add(out, "?=");
        }
    }
    text_add(out, "\r\n");
    text_free(&clean);
}

static void add_date(struct text *out, uint64_t realtime_ns)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(realtime_ns / NS_PER_SECOND);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    text_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* <ID@HOST>, of what may stand there. */
static void add_id(struct text *out, const char *header, const char *id, const char *host)
{
    text_printf(out, "%s: <%s@", header, id);
    for (const char *c = host; *c; c++)
        text_add_char(out, (char)(isalnum((unsigned char)*c) || *c == '-' || *c == '.' ? *c : '-'));
    text_add(out, *host ? ">\r\n" : "localhost>\r\n");
}

/* Base64: its lines have no ends that matter and no line begins with a dot. */
static void add_part(struct text *out, const char *boundary, const char *type, const char *content)
{
    struct text clean;
    const char *body;
    size_t left, n;

    text_init(&clean, out->limit);
    text_add_clean_lines(&clean, content);
    body = clean.data ? clean.data : "";
    left = clean.len;
    out->failed |= clean.failed;
    text_printf(out,
                "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n",
                boundary, type);
    for (; left > 0; body += n, left -= n) {
        n = left < LINE_BYTES ? left : LINE_BYTES;
        add_base64(out, body, n);
        text_add(out, "\r\n");
    }
    text_free(&clean);
}

void mail_write(const struct mail *mail, struct text *out)
{
    char boundary[80] = "=_";

    strncat(boundary, mail->id, sizeof(boundary) - 3);
    add_date(out, mail->realtime_ns);
    text_printf(out, "From: <%s>\r\nTo: ", mail->from);
    for (size_t i = 0; i < mail->to->count; i++)
        text_printf(out, "%s<%s>", i ? ",\r\n " : "", mail->to->items[i]);
    text_add(out, "\r\n");
    add_subject(out, mail->subject);
    add_id(out, "Message-ID", mail->id, mail->host);
    if (mail->thread)
        add_id(out, "References", mail->thread, mail->host);
    /* RFC 3834: nobody's holiday notice shall answer. */
    text_add(out, "Auto-Submitted: auto-generated\r\n");
    if (mail->urgent)
        text_add(out, "Importance: high\r\n");
    text_printf(out,
                "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n"
                " boundary=\"%s\"\r\n\r\n",
                boundary);
    add_part(out, boundary, "text/plain", mail->plain);
    add_part(out, boundary, "text/html", mail->html);
    text_printf(out, "--%s--\r\n", boundary);
}
