#include "config/address.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES_MAX 63

/* Decimal digits only, no sign or blank, at most `maximum`. */
static int parse_number(const char *text, unsigned long maximum, unsigned long *ret)
{
    unsigned long value = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return -EINVAL;
        value = value * 10 + (unsigned long)(*text - '0');
        if (value > maximum)
            return -EINVAL;
    }
    *ret = value;
    return 0;
}

/* RFC 1123 labels, and the underscores that container networks use. */
static bool is_host_name(const char *host)
{
    size_t label = 0;
    bool letters = false;

    for (; *host; host++) {
        if (*host == '.') {
            if (!label)
                return false;
            label = 0;
            continue;
        }
        if (!isalnum((unsigned char)*host) && *host != '_' && (*host != '-' || !label))
            return false;
        if (!isdigit((unsigned char)*host))
            letters = true;
        if (++label > LABEL_BYTES_MAX)
            return false;
    }
    /* Digits and dots alone are an IPv4 address gone wrong. */
    return label && letters;
}

int address_parse(struct address *ret, const char *text)
{
    unsigned char binary[sizeof(struct in6_addr)];
    struct address address = {0};
    unsigned long port, bits = 0;
    const char *colon = strrchr(text, ':');
    const char *begin = text, *end = colon;
    bool bracketed = text[0] == '[';
    char *slash;

    if (!colon || parse_number(colon + 1, UINT16_MAX, &port) < 0)
        return -EINVAL;
    if (bracketed) {
        if (colon == text || colon[-1] != ']')
            return -EINVAL;
        begin++;
        end--;
    }
    if (end <= begin || (size_t)(end - begin) >= sizeof(address.host))
        return -EINVAL;
    memcpy(address.host, begin, (size_t)(end - begin));
    slash = strchr(address.host, '/');
    if (slash)
        *slash++ = '\0';
    if (bracketed) {
        if (inet_pton(AF_INET6, address.host, binary) != 1)
            return -EINVAL;
        address.kind = ADDRESS_IPV6;
        bits = 128;
    } else if (inet_pton(AF_INET, address.host, binary) == 1) {
        address.kind = ADDRESS_IPV4;
        bits = 32;
    } else if (slash || !is_host_name(address.host)) {
        return -EINVAL;
    }
    if (slash && parse_number(slash, bits, &bits) < 0)
        return -EINVAL;
    address.prefix_bits = (unsigned)bits;
    address.port = (uint16_t)port;
    *ret = address;
    return 0;
}

int address_parse_url(struct address *ret, const char *url, uint16_t default_port)
{
    char text[ADDRESS_HOST_BYTES + 16];
    const char *host = strstr(url, "://"), *at, *bracket;
    size_t length;
    int n;

    if (!host)
        return -EINVAL;
    host += 3;
    length = strcspn(host, "/?#");
    at = memchr(host, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    bracket = memchr(host, ']', length);
    if (!bracket)
        bracket = host;
    if (default_port && !memchr(bracket, ':', length - (size_t)(bracket - host)))
        n = snprintf(text, sizeof(text), "%.*s:%u", (int)length, host, default_port);
    else
        n = snprintf(text, sizeof(text), "%.*s", (int)length, host);
    if (n < 0 || (size_t)n >= sizeof(text) || address_parse(ret, text) < 0)
        return -EINVAL;
    return ret->port ? 0 : -EINVAL;
}
