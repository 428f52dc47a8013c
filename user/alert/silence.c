/* Silences: what an operator does not want to hear about, until when and why. */
#include "alert/engine.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void silence_release(struct silence *silence)
{
    matchers_destroy(silence->matchers);
    free(silence->text);
    free(silence->creator);
    free(silence->comment);
}

void silences_expire(struct alert_manager *m)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->silence_count; i++) {
        if (m->silences[i].end_ns <= m->realtime_ns)
            silence_release(&m->silences[i]);
        else
            m->silences[kept++] = m->silences[i];
    }
    m->revision += kept < m->silence_count;
    m->silence_count = kept;
}

static int fill(struct silence *silence, const char *text, const char *creator, const char *comment,
                char error[MATCHER_ERROR_BYTES])
{
    struct text canonical;
    int r = matchers_parse(&silence->matchers, text, error);

    if (r < 0)
        return r;
    if (matchers_match_nothing(silence->matchers)) {
        snprintf(error, MATCHER_ERROR_BYTES,
                 "it matches alerts without any label, which is nearly everything (allowed: at "
                 "least one matcher that wants a value)");
        return -EINVAL;
    }
    text_init(&canonical, 64 * 1024);
    matchers_format(silence->matchers, &canonical);
    silence->text = text_steal(&canonical);
    text_free(&canonical);
    silence->creator = strndup(creator ? creator : "", SILENCE_TEXT_BYTES);
    silence->comment = strndup(comment ? comment : "", SILENCE_TEXT_BYTES);
    return silence->text && silence->creator && silence->comment ? 0 : -ENOMEM;
}

int alert_manager_silence(struct alert_manager *m, const char *text, uint64_t start_realtime_ns,
                          uint64_t end_realtime_ns, const char *creator, const char *comment,
                          char ret_id[24], char error[160])
{
    struct silence silence = {.start_ns = start_realtime_ns, .end_ns = end_realtime_ns};
    int r;

    silences_expire(m);
    if (end_realtime_ns <= start_realtime_ns || end_realtime_ns <= m->realtime_ns) {
        snprintf(error, MATCHER_ERROR_BYTES, "it ends before it begins or in the past");
        return -EINVAL;
    }
    if (m->silence_count == SILENCES_MAX) {
        snprintf(error, MATCHER_ERROR_BYTES, "there are %d silences already", SILENCES_MAX);
        return -ENOSPC;
    }
    r = fill(&silence, text, creator, comment, error);
    if (r < 0) {
        silence_release(&silence);
        return r;
    }
    silence.number = ++m->silences_made;
    snprintf(ret_id, 24, "s%llu", (unsigned long long)silence.number);
    m->silences[m->silence_count++] = silence;
    m->revision++;
    return 0;
}

int alert_manager_unsilence(struct alert_manager *m, const char *id)
{
    char name[24];

    for (size_t i = 0; i < m->silence_count; i++) {
        snprintf(name, sizeof(name), "s%llu", (unsigned long long)m->silences[i].number);
        if (strcmp(name, id) != 0)
            continue;
        silence_release(&m->silences[i]);
        memmove(m->silences + i, m->silences + i + 1,
                (--m->silence_count - i) * sizeof(m->silences[0]));
        m->revision++;
        return 0;
    }
    return -ENOENT;
}

size_t alert_manager_silence_count(const struct alert_manager *m)
{
    return m->silence_count;
}

void alert_manager_silence_at(const struct alert_manager *m, size_t index, struct silence_view *ret)
{
    const struct silence *silence = &m->silences[index];

    *ret = (struct silence_view){
        .matchers = silence->text,
        .creator = silence->creator,
        .comment = silence->comment,
        .start_realtime_ns = silence->start_ns,
        .end_realtime_ns = silence->end_ns,
        .active = m->realtime_ns >= silence->start_ns && m->realtime_ns < silence->end_ns,
    };
    snprintf(ret->id, sizeof(ret->id), "s%llu", (unsigned long long)silence->number);
}
