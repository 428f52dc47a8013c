/* What each type of channel says, read back by somebody else's parser. */
#include "notify/channel_driver.h"
#include "notify_fixture.h"
#include <cjson/cJSON.h>

static struct config *config;

static const char channels[] =
    "{\"name\":\"hook\",\"type\":\"webhook\",\"url\":\"http://h/\"},"
    "{\"name\":\"chat\",\"type\":\"slack\",\"url_file\":\"/u\"},"
    "{\"name\":\"disc\",\"type\":\"discord\",\"url_file\":\"/u\"},"
    "{\"name\":\"mail\",\"type\":\"email\",\"smtp\":\"h:25\",\"from\":\"a@b.c\",\"to\":"
    "[\"x@y.z\",\"second@y.z\"]},"
    "{\"name\":\"am\",\"type\":\"alertmanager\",\"urls\":\"http://h:9093\"},"
    "{\"name\":\"short\",\"type\":\"slack\",\"url_file\":\"/u\",\"template\":"
    "\"{{ $labels.comm }} ({{ $labels.severity }}): {{ $summary }}, {{ $value }}\"}";

enum { HOOK, CHAT, DISC, MAIL, AM, SHORT };

static int load(void **state)
{
    config = office_config(channels);
    return 0;
}

static int unload(void **state)
{
    config_destroy(config);
    return 0;
}

static const struct config_channel *channel(size_t index)
{
    return &config->alert_manager.channels.items[index];
}

static void render(const struct notification *n, struct text *out)
{
    text_init(out, PAYLOAD_BYTES_MAX);
    channel_drivers[n->channel->type]->render(n, "web1", out);
    assert_false(out->failed);
}

static cJSON *render_json(const struct notification *n)
{
    struct text out;
    cJSON *json;

    render(n, &out);
    json = cJSON_Parse(out.data);
    if (!json)
        fail_msg("no JSON: %s", out.data);
    text_free(&out);
    return json;
}

/* A string at a path of names and indexes: "alerts/0/labels/comm". */
static const char *at(const cJSON *json, const char *path)
{
    char copy[128], *rest = copy;
    const char *step;

    snprintf(copy, sizeof(copy), "%s", path);
    while (json && (step = strsep(&rest, "/")))
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(step))
                                   : cJSON_GetObjectItemCaseSensitive(json, step);
    return json && cJSON_IsString(json) ? json->valuestring : "(none)";
}

static void resolve(struct note *note)
{
    note->n.kind = NOTICE_RESOLVED;
    note->alerts[0].state = ALERT_RESOLVED;
    note->alerts[0].ends_realtime_ns = STARTS_NS + 60 * NS_PER_SECOND;
}

static void a_webhook_has_the_body_of_alertmanagers(void **state)
{
    struct note note;
    cJSON *json;

    make_note(&note, channel(HOOK), "mw-1", "nginx \"quoted\" \xff");
    json = render_json(&note.n);
    assert_string_equal(at(json, "version"), "4");
    assert_string_equal(at(json, "status"), "firing");
    assert_string_equal(at(json, "receiver"), "hook");
    assert_string_equal(at(json, "key"), "mw-1");
    assert_string_equal(at(json, "groupLabels/alertname"), "OomKill");
    assert_string_equal(at(json, "commonLabels/severity"), "critical");
    assert_string_equal(at(json, "alerts/0/status"), "firing");
    assert_string_equal(at(json, "alerts/0/labels/comm"), "nginx \"quoted\" \xef\xbf\xbd"
                                                          "ff");
    assert_string_equal(at(json, "alerts/0/labels/instance"), "web1");
    assert_string_equal(at(json, "alerts/0/annotations/summary"), "was killed");
    assert_string_equal(at(json, "alerts/0/annotations/reason"), "pid 42: out of memory");
    assert_string_equal(at(json, "alerts/0/annotations/value"), "2.5");
    assert_string_equal(at(json, "alerts/0/annotations/changed"), "(none)");
    assert_string_equal(at(json, "alerts/0/startsAt"), "2026-01-01T00:00:00.000000+00:00");
    assert_string_equal(at(json, "alerts/0/endsAt"), "0001-01-01T00:00:00Z");
    cJSON_Delete(json);
    resolve(&note);
    json = render_json(&note.n);
    assert_string_equal(at(json, "status"), "resolved");
    assert_string_equal(at(json, "alerts/0/endsAt"), "2026-01-01T00:01:00.000000+00:00");
    cJSON_Delete(json);
    free_note(&note);
}

static void alertmanager_resolves_what_is_not_reminded_of(void **state)
{
    struct note note;
    cJSON *json;

    make_note(&note, channel(AM), "mw-1", "nginx");
    json = render_json(&note.n);
    assert_int_equal(cJSON_GetArraySize(json), 1);
    assert_string_equal(at(json, "0/labels/alertname"), "OomKill");
    assert_string_equal(at(json, "0/labels/severity"), "critical");
    assert_string_equal(at(json, "0/annotations/summary"), "was killed");
    assert_string_equal(at(json, "0/endsAt"), "(none)");
    cJSON_Delete(json);
    resolve(&note);
    /* The clock was set back meanwhile. */
    note.alerts[0].ends_realtime_ns = STARTS_NS - 1;
    json = render_json(&note.n);
    assert_string_equal(at(json, "0/endsAt"), at(json, "0/startsAt"));
    cJSON_Delete(json);
    free_note(&note);
}

static void a_digest_counts_what_was_held_back(void **state)
{
    static const size_t all[] = {HOOK, CHAT, DISC, MAIL, AM};
    struct note note;
    struct text out;
    cJSON *json;

    make_note(&note, channel(HOOK), "mw-9", "x");
    note.rows[0] = (struct digest_row){"CpuHigh", SEVERITY_WARNING, 7};
    note.rows[1] = (struct digest_row){"DiskFull", SEVERITY_ERROR, 2};
    free_note(&note);
    note.n.kind = NOTICE_DIGEST;
    note.n.group = NULL;
    note.n.count = 0;
    note.n.severity = SEVERITY_ERROR;
    note.n.rows = note.rows;
    note.n.row_count = 2;
    note.n.held_back = 12;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        note.n.channel = channel(all[i]);
        render(&note.n, &out);
        if (all[i] != MAIL) {
            assert_non_null(strstr(out.data, "CpuHigh"));
            json = cJSON_Parse(out.data);
            assert_non_null(json);
            cJSON_Delete(json);
        }
        text_free(&out);
    }
    note.n.channel = channel(CHAT);
    json = render_json(&note.n);
    assert_string_equal(at(json, "text"),
                        "[DIGEST] web1: 12 alerts were held back\n"
                        "Held back by max_alerts_per_hour:\n7 x CpuHigh (warning)\n"
                        "2 x DiskFull (error)\n3 others");
    cJSON_Delete(json);
}

static void slack_text_calls_nobody(void **state)
{
    struct note note;
    cJSON *json;

    make_note(&note, channel(CHAT), "mw-1", "nginx");
    note.alerts[0].summary = "<!channel> a & b";
    note.n.limit_reached = true;
    json = render_json(&note.n);
    assert_non_null(
        strstr(at(json, "text"), "[CRITICAL] web1: OomKill: &lt;!channel&gt; a &amp; b"));
    assert_non_null(strstr(at(json, "text"), "max_alerts_per_hour"));
    assert_non_null(strstr(at(json, "attachments/0/text"), "&lt;!channel&gt;"));
    assert_non_null(strstr(at(json, "attachments/0/text"), "Reason: pid 42: out of memory"));
    assert_non_null(strstr(at(json, "attachments/0/text"), "Top: postgres 91 %"));
    assert_string_equal(at(json, "attachments/0/color"), "#d00000");
    cJSON_Delete(json);
    free_note(&note);
}

static void a_template_decides_what_is_said(void **state)
{
    struct note note;
    cJSON *json;

    make_note(&note, channel(SHORT), "mw-1", "nginx");
    json = render_json(&note.n);
    assert_string_equal(at(json, "attachments/0/text"),
                        "FIRING: OomKill (critical)\nnginx (critical): was killed, 2.5");
    cJSON_Delete(json);
    free_note(&note);
}

/* Characters, of which no character is more than one of ours. */
static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void a_hundred_long_alerts_fit(void **state)
{
    char long_text[6000], name[32];
    struct note note;
    struct text out;
    cJSON *json;

    /* Three bytes each, so that a cut may fall within. */
    for (size_t i = 0; i + 3 < sizeof(long_text); i += 3)
        memcpy(long_text + i, "\xe2\x82\xac", 4);
    make_note(&note, channel(DISC), "mw-1", "x");
    labels_unref((struct labels *)note.alerts[0].labels);
    for (size_t i = 0; i < NOTICE_ALERTS_MAX; i++) {
        snprintf(name, sizeof(name), "N%zu", i);
        note.alerts[i] = note.alerts[0];
        note.alerts[i].labels = make_labels(name, long_text);
        note.alerts[i].summary = note.alerts[i].reason = long_text;
    }
    note.n.count = NOTICE_ALERTS_MAX;
    note.n.omitted = 5;
    json = render_json(&note.n);
    assert_in_range(characters(at(json, "embeds/0/title")), 1, 256);
    assert_in_range(characters(at(json, "embeds/0/description")), 1000, 4096);
    for (size_t i = 0; i < NOTICE_ALERTS_MAX; i++) {
        snprintf(name, sizeof(name), "FIRING: N%zu ", i);
        assert_non_null(strstr(at(json, "embeds/0/description"), name));
    }
    assert_non_null(strstr(at(json, "embeds/0/description"), "5 more"));
    cJSON_Delete(json);
    note.n.channel = channel(CHAT);
    json = render_json(&note.n);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "attachments")), 100);
    cJSON_Delete(json);
    note.n.channel = channel(HOOK);
    render(&note.n, &out);
    json = cJSON_Parse(out.data);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "alerts")), 100);
    cJSON_Delete(json);
    text_free(&out);
    free_note(&note);
}

/* Python's parser reads the mail as a mail client would. */
static void a_mail_is_what_a_mail_client_reads(void **state)
{
    static const char program[] =
        "import email, email.policy, sys\n"
        "raw = open(sys.argv[1], 'rb').read()\n"
        "m = email.message_from_bytes(raw, policy=email.policy.default)\n"
        "assert not m.defects, m.defects\n"
        "assert m['Subject'] == '[CRITICAL] web1: OomKill: ' + 'Ka\\u0308se \\u20ac ' * 20 + 'Bcc: "
        "evil@x', m['Subject']\n"
        "assert m['Bcc'] is None\n"
        "assert m['From'] == 'a@b.c', m['From']\n"
        "assert m['To'] == 'x@y.z, second@y.z', m['To']\n"
        "assert m['Message-ID'] == '<mw-77@web1>', m['Message-ID']\n"
        "assert m['Date'].datetime.isoformat() == '2026-01-01T00:00:05+00:00', m['Date']\n"
        "assert m['Importance'] == 'high'\n"
        "assert m.get_content_type() == 'multipart/alternative'\n"
        "plain, html = m.iter_parts()\n"
        "text = plain.get_content()\n"
        "assert 'FIRING: OomKill (critical)' in text and '  Reason: a <b> & c\\n' in text, text\n"
        "assert 'Labels: comm=nginx' in text and 'Value: 2.5' in text, text\n"
        "assert html.get_content_type() == 'text/html'\n"
        "assert 'a &lt;b&gt; &amp; c' in html.get_content()\n"
        "assert all(len(l) <= 998 for l in raw.split(b'\\r\\n'))\n"
        "assert b'\\n' not in raw.replace(b'\\r\\n', b'')\n";
    char directory[64], path[96], summary[600] = "";
    struct note note;
    struct text out;
    FILE *file;

    make_directory(directory, NULL);
    snprintf(path, sizeof(path), "%s/mail", directory);
    for (int i = 0; i < 20; i++)
        strcat(summary, "Ka\xcc\x88se \xe2\x82\xac ");
    /* A process may be called so. */
    strcpy(summary + strlen(summary) - 1, "\nBcc: evil@x");
    make_note(&note, channel(MAIL), "mw-77", "nginx");
    note.alerts[0].summary = summary;
    note.alerts[0].reason = "a <b> & c";
    render(&note.n, &out);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(out.data, 1, out.len, file), out.len);
    fclose(file);
    program_run((char *[]){"/usr/bin/python3", "-c", (char *)program, path, NULL}, NULL);
    text_free(&out);
    free_note(&note);
    remove_directory(directory);
}

/* A process name that was cut inside a character, and what a terminal would obey. */
static void any_name_is_clean_in_every_channel(void **state)
{
    static const char program[] = "import email, email.policy, sys\n"
                                  "raw = open(sys.argv[1], 'rb').read()\n"
                                  "m = email.message_from_bytes(raw, policy=email.policy.default)\n"
                                  "for part in m.iter_parts():\n"
                                  "    text = part.get_payload(decode=True).decode('utf-8')\n"
                                  "    assert 'bug\\u4f60\\u597d\\ufffd' in text, text\n"
                                  "    assert 'x\\ufffd31m\\ufffdy' in text, text\n"
                                  "    assert not set(text) & set('\\x9b\\u202e\\x1b'), text\n";
    static const size_t all[] = {HOOK, CHAT, DISC, MAIL, AM, SHORT};
    char directory[64], path[96];
    struct note note;
    struct text out;
    cJSON *json;

    make_directory(directory, NULL);
    snprintf(path, sizeof(path), "%s/mail", directory);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        make_note(&note, channel(all[i]), "mw-1", "bug\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd");
        note.alerts[0].summary = "bug\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd died";
        note.alerts[0].reason = "x\xc2\x9b"
                                "31m\xe2\x80\xaey\xff";
        note.alerts[0].acked_by = "\xff";
        render(&note.n, &out);
        if (all[i] == MAIL) {
            write_file(path, out.data);
            program_run((char *[]){"/usr/bin/python3", "-c", (char *)program, path, NULL}, NULL);
        } else {
            json = cJSON_Parse(out.data);
            assert_non_null(json);
            cJSON_Delete(json);
            assert_int_equal(text_clean_prefix(out.data, out.len), out.len);
            assert_non_null(strstr(out.data, "\xe5\xa5\xbd\xef\xbf\xbd"));
        }
        text_free(&out);
        free_note(&note);
    }
    remove_directory(directory);
}

static const char *header(const struct attempt *attempt, const char *name)
{
    for (size_t i = 0; i < attempt->request.header_count; i++)
        if (strncmp(attempt->headers[i], name, strlen(name)) == 0)
            return attempt->headers[i] + strlen(name);
    return NULL;
}

/* The example of the specification of Standard Webhooks. */
static void the_signature_is_that_of_standard_webhooks(void **state)
{
    static const char payload[] = "{\"test\": 2432232314}";
    const struct message message = {
        .key = "msg_p5jXN8AQM9LWM0D4loKWxJek",
        .payload = payload,
        .payload_bytes = sizeof(payload) - 1,
        .now_realtime_ns = 1614265330 * NS_PER_SECOND,
    };
    struct attempt attempt = {0};
    struct config_channel hook = *channel(HOOK);
    const struct receiver receiver = {&hook, ""};
    char directory[64], path[96], reason[SECRET_REASON_BYTES] = "";

    make_directory(directory, NULL);
    snprintf(path, sizeof(path), "%s/key", directory);
    write_file(path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    hook.secret_file = path;
    assert_int_equal(channel_webhook.prepare(&attempt, &receiver, &message, reason), 0);
    assert_string_equal(header(&attempt, "webhook-id: "), message.key);
    assert_string_equal(header(&attempt, "Idempotency-Key: "), message.key);
    assert_string_equal(header(&attempt, "webhook-timestamp: "), "1614265330");
    assert_string_equal(header(&attempt, "webhook-signature: "),
                        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    attempt_end(&attempt);
    write_file(path, "whsec_not*base64\n");
    attempt = (struct attempt){0};
    assert_true(channel_webhook.prepare(&attempt, &receiver, &message, reason) < 0);
    assert_non_null(strstr(reason, "base64"));
    attempt_end(&attempt);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_has_the_body_of_alertmanagers),
        cmocka_unit_test(alertmanager_resolves_what_is_not_reminded_of),
        cmocka_unit_test(a_digest_counts_what_was_held_back),
        cmocka_unit_test(slack_text_calls_nobody),
        cmocka_unit_test(a_template_decides_what_is_said),
        cmocka_unit_test(a_hundred_long_alerts_fit),
        cmocka_unit_test(a_mail_is_what_a_mail_client_reads),
        cmocka_unit_test(any_name_is_clean_in_every_channel),
        cmocka_unit_test(the_signature_is_that_of_standard_webhooks),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
