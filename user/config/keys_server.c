/* server, auth. */
#include "base/log.h"
#include "base/names.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <string.h>

#define IN_CONFIG(member) .offset = offsetof(struct config, member)

static const char *const log_levels[] = {"debug", "info", "warning", "error", "critical", NULL};
NAMES_OF(log_levels, LOG_LEVEL_COUNT);

static const struct key server_keys[] = {
    {.name = "listen",
     .type = KEY_STRING,
     IN_CONFIG(server.listen),
     .at_start = true,
     .format = &format_listen,
     .initial = "\"127.0.0.1:8000\"",
     .doc = "Where HTTP is served; without tokens only a loopback address; port 0: any free one"},
    {.name = "max_connections",
     .type = KEY_WHOLE,
     IN_CONFIG(server.max_connections),
     .at_start = true,
     .minimum = 4,
     .maximum = 65536,
     .initial = "256",
     .doc = "Connections at once; beyond, the longest idle one makes room"},
    {.name = "idle_timeout",
     .type = KEY_NUMBER,
     IN_CONFIG(server.idle_timeout_seconds),
     .at_start = true,
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "30",
     .doc = "A connection that says nothing for so long is closed"},
    {.name = "metrics_series_max",
     .type = KEY_WHOLE,
     IN_CONFIG(server.metrics_series_max),
     .at_start = true,
     .minimum = 1000,
     .maximum = 100000,
     .initial = "3000",
     .doc = "Series of /metrics, beyond which lists are cut, the least first, and counted; what is "
            "configured here is always written"},
    {.name = "bpffs_directory",
     .type = KEY_STRING,
     IN_CONFIG(server.bpffs_directory),
     .at_start = true,
     .format = &format_path,
     .initial = "\"/sys/fs/bpf/moonwatch\"",
     .doc = "Where maps are pinned; one agent per directory"},
    {.name = "host_root",
     .type = KEY_STRING,
     IN_CONFIG(server.host_root),
     .at_start = true,
     .format = &format_directory,
     .initial = "\"/\"",
     .doc = "Where the host's tree is: in a container what it is bound to, e.g. /host; figures are "
            "read below it, paths are shown without it"},
    {.name = "log_level",
     .type = KEY_CHOICE,
     IN_CONFIG(server.log_level),
     .choices = log_levels,
     .initial = "\"info\"",
     .doc = "Lines below this level are not written"},
    {.name = "tls_certificate_file",
     .type = KEY_STRING,
     IN_CONFIG(server.tls_certificate_file),
     .at_start = true,
     .format = &format_path,
     .doc = "PEM certificate chain; turns HTTPS on"},
    {.name = "tls_key_file",
     .type = KEY_STRING,
     IN_CONFIG(server.tls_key_file),
     .at_start = true,
     .format = &format_path,
     .doc = "PEM private key of the certificate"},
    {.name = "allowed_hosts",
     .type = KEY_STRINGS,
     IN_CONFIG(server.allowed_hosts),
     .format = &format_host,
     .doc = "Names that a proxy or a browser calls this agent by, beside IP addresses, localhost "
            "and the machine's name"},
};

static void check_server(struct reader *reader, void *base)
{
    struct config *config = base;

    if (config->server.bpffs_directory &&
        strspn(config->server.bpffs_directory, "/.") == strlen(config->server.bpffs_directory))
        reader_error(reader, "bpffs_directory",
                     "%s is the root (allowed: a directory that is the agent's own)",
                     config->server.bpffs_directory);
    if (config->server.tls_certificate_file && !config->server.tls_key_file)
        reader_error(reader, "tls_key_file",
                     "is missing beside tls_certificate_file (allowed: both "
                     "or none)");
    if (!config->server.tls_certificate_file && config->server.tls_key_file)
        reader_error(reader, "tls_certificate_file",
                     "is missing beside tls_key_file (allowed: both or none)");
}

const struct key_table server_table = {KEY_TABLE(server_keys), .check = check_server};

static const struct key auth_keys[] = {
    {.name = "tokens_file",
     .type = KEY_STRING,
     IN_CONFIG(auth.tokens_file),
     .format = &format_path,
     .doc = "Roles and hashes of bearer tokens; without it only loopback is served"},
};

const struct key_table auth_table = {KEY_TABLE(auth_keys)};
