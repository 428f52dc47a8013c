/* What the strings of the configuration may be. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/rooted_path.h"
#include "config/address.h"
#include "config/alerting.h"
#include "config/key.h"
#include "config/services.h"
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 63
#define HOST_BYTES_MAX 253

static bool of_characters(const char *value, const char *others, size_t max)
{
    size_t n = 0;

    for (; *value; value++, n++)
        if (!isalnum((unsigned char)*value) && !strchr(others, *value))
            return false;
    return n > 0 && n <= max;
}

static bool is_name(const char *value)
{
    return isalnum((unsigned char)value[0]) && of_characters(value, "._-", NAME_BYTES_MAX);
}

static bool is_host(const char *value)
{
    return isalnum((unsigned char)value[0]) && of_characters(value, "._-", HOST_BYTES_MAX);
}

static bool is_metric(const char *value)
{
    return !isdigit((unsigned char)value[0]) && of_characters(value, "_:", 2 * NAME_BYTES_MAX);
}

static bool is_label(const char *value)
{
    return !isdigit((unsigned char)value[0]) && of_characters(value, "_", NAME_BYTES_MAX);
}

static bool is_listen(const char *value)
{
    struct address address;

    return address_parse(&address, value) == 0 &&
           (address.kind == ADDRESS_NAME || address.prefix_bits >= 32) && !strchr(value, '/');
}

static bool is_endpoint(const char *value)
{
    struct address address;

    return is_listen(value) && address_parse(&address, value) == 0 && address.port > 0;
}

static bool is_address(const char *value)
{
    struct address address;

    return address_parse(&address, value) == 0 && address.port > 0;
}

static bool is_port(const char *text, size_t n)
{
    unsigned long port = 0;

    if (n == 0 || n > 5)
        return n == 0; /* RFC 3986: the one of the scheme */
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    return port > 0 && port <= 65535;
}

/* [USER@]HOST[:PORT]. A list of hosts, which PostgreSQL knows, is its own business, and so is what
 * is no network's. */
static bool is_authority(const char *value, const char *text, size_t n)
{
    bool web = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    const char *at = memchr(text, '@', n), *colon, *end;

    if (memchr(text, ',', n))
        return true;
    if (at) {
        n -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    end = *text == '[' ? memchr(text, ']', n) : NULL;
    if (*text == '[' && !end)
        return false;
    end = end ? end + 1 : text;
    colon = memchr(end, ':', n - (size_t)(end - text));
    if (colon && !is_port(colon + 1, n - (size_t)(colon + 1 - text)))
        return false;
    return !web || (n > 0 && colon != text);
}

/* SCHEME://REST without blanks; what a scheme needs is for the check type to say. */
static bool is_url(const char *value)
{
    const char *rest = strstr(value, "://");
    const char *at, *slash, *colon;
    size_t i;

    if (!rest || rest == value || !rest[3])
        return false;
    for (i = 0; value + i < rest; i++)
        if (!isalnum((unsigned char)value[i]) && !strchr("+-.", value[i]))
            return false;
    for (i = 0; value[i]; i++)
        if ((unsigned char)value[i] <= ' ' || value[i] == 0x7f)
            return false;
    rest += 3;
    at = strchr(rest, '@');
    slash = strchr(rest, '/');
    colon = strchr(rest, ':');
    /* A password is a secret, and secrets are never in the configuration. */
    return is_authority(value, rest, strcspn(rest, "/?#")) &&
           !(at && colon && colon < at && (!slash || at < slash));
}

static bool is_url_path(const char *value)
{
    if (value[0] != '/')
        return false;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == 0x7f || *value == '#')
            return false;
    return true;
}

/* RFC 6901: "" is the whole document. */
static bool is_pointer(const char *value)
{
    if (*value && *value != '/')
        return false;
    for (; *value; value++)
        if (*value == '~' && value[1] != '0' && value[1] != '1')
            return false;
    return true;
}

static bool is_path(const char *value)
{
    return value[0] == '/';
}

static bool is_netns(const char *value)
{
    return is_path(value) || strcmp(value, NETNS_OWN) == 0 || strcmp(value, NETNS_ANY) == 0;
}

static bool is_directory(const char *value)
{
    struct stat st;

    return is_path(value) && stat(value, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_cgroup(const char *value)
{
    const char *part = value;
    size_t length;

    if (!*value)
        return false;
    while (*part) {
        length = strcspn(part, "/");
        if ((length == 2 && part[0] == '.' && part[1] == '.') || (length == 1 && part[0] == '.'))
            return false;
        part += length + (part[length] == '/');
    }
    return true;
}

static bool is_time_of_day(const char *value)
{
    int hour, minute;

    if (strlen(value) != 5 || value[2] != ':' || !isdigit((unsigned char)value[0]) ||
        !isdigit((unsigned char)value[1]) || !isdigit((unsigned char)value[3]) ||
        !isdigit((unsigned char)value[4]))
        return false;
    hour = (value[0] - '0') * 10 + value[1] - '0';
    minute = (value[3] - '0') * 10 + value[4] - '0';
    return hour < 24 && minute < 60;
}

/* As Alertmanager writes the end of the day. */
static bool is_end_time(const char *value)
{
    return strcmp(value, "24:00") == 0 || is_time_of_day(value);
}

/* IANA names are files below the zone directory; anything else there is not a zone. */
static bool is_time_zone(const char *value)
{
    char path[sizeof(TIME_ZONE_DIRECTORY) + NAME_BYTES_MAX + 1], magic[4] = "";
    CLEANUP_CLOSE int fd = -1;

    if (!isalpha((unsigned char)value[0]) || strstr(value, "..") ||
        !of_characters(value, "/_+-", NAME_BYTES_MAX))
        return false;
    snprintf(path, sizeof(path), "%s/%s", TIME_ZONE_DIRECTORY, value);
    fd = file_open(path, SIZE_MAX);
    return fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
           memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* What an SMTP command and a header can hold; whether it exists is for the server to say. */
static bool is_mail_address(const char *value)
{
    const char *at = strrchr(value, '@');

    if (!at || at == value || !at[1])
        return false;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == 0x7f || strchr("<>,;\"", *value))
            return false;
    return true;
}

static bool is_not_empty(const char *value)
{
    return *value != '\0';
}

const struct key_format format_name = {
    "a name of letters, digits and . _ -, which begins with a letter or digit, up to 63", is_name};
const struct key_format format_host = {"a host name without a port", is_host};
const struct key_format format_metric = {"a metric name of letters, digits and _ :", is_metric};
const struct key_format format_label = {"a label name of letters, digits and _", is_label};
const struct key_format format_listen = {"HOST:PORT, IPv6 as [::1]:PORT", is_listen};
const struct key_format format_endpoint = {"HOST:PORT with a port from 1 to 65535", is_endpoint};
const struct key_format format_address = {
    "HOST:PORT or NETWORK/BITS:PORT, IPv6 in brackets, port 1 to 65535", is_address};
const struct key_format format_url = {
    "SCHEME://HOST[:PORT]..., a port from 1 to 65535, without blanks and without a password",
    is_url};
const struct key_format format_url_path = {"a path of the URL, /..., without blanks and fragment",
                                           is_url_path};
const struct key_format format_pointer = {"a JSON pointer, e.g. /status", is_pointer};
const struct key_format format_path = {"an absolute path", is_path};
const struct key_format format_netns = {
    NETNS_OWN ", " NETNS_ANY ", or an absolute path, e.g. /run/netns/shop", is_netns};
const struct key_format format_cgroup = {
    "a path of cgroup v2 without . and .., e.g. /system.slice/shop.service", is_cgroup,
    rooted_path};
const struct key_format format_time_of_day = {"HH:MM from 00:00 to 23:59", is_time_of_day};
const struct key_format format_end_time = {"HH:MM from 00:00 to 24:00", is_end_time};
const struct key_format format_time_zone = {
    "a time zone in " TIME_ZONE_DIRECTORY ", e.g. \"Europe/Berlin\"", is_time_zone};
const struct key_format format_mail_address = {"USER@DOMAIN without a name", is_mail_address};
const struct key_format format_text = {"a text that is not empty", is_not_empty};
const struct key_format format_directory = {"an absolute path of a directory that is there",
                                            is_directory};
