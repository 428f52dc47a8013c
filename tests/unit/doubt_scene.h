/* Configurations, and the one doubt that each is to raise, or none. */
#ifndef MOONWATCH_TEST_DOUBT_SCENE_H
#define MOONWATCH_TEST_DOUBT_SCENE_H

#include "config_text.h"
#include "facts/alert_check.h"

static inline void find_doubts(const char *text, struct config_errors *errors)
{
    struct config *config = NULL;

    if (load_bytes(&config, text, strlen(text), NULL, errors) < 0 ||
        facts_alert_check(config, errors) < 0)
        fail_msg("%s: %s: %s", text, errors->list[0].pointer, errors->list[0].message);
    config_destroy(config);
}

static inline void expect_doubt(const char *text, const char *pointer, const char *message)
{
    struct config_errors errors = {0};

    find_doubts(text, &errors);
    if (errors.warning_count != 1 || strcmp(errors.warnings[0].pointer, pointer) != 0 ||
        !strstr(errors.warnings[0].message, message))
        fail_msg("%s: %zu, %s: %s", text, errors.warning_count, errors.warnings[0].pointer,
                 errors.warnings[0].message);
}

static inline void expect_no_doubts(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config_errors errors = {0};

        find_doubts(texts[i], &errors);
        if (errors.warning_count != 0)
            fail_msg("%s: %s: %s", texts[i], errors.warnings[0].pointer,
                     errors.warnings[0].message);
    }
}

#endif
