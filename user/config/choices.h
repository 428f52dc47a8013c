/* What the values of the configuration's enums are called, in the file and everywhere else. NULL
 * ends each table. */
#ifndef MOONWATCH_CONFIG_CHOICES_H
#define MOONWATCH_CONFIG_CHOICES_H

extern const char *const severity_names[];          /* enum severity */
extern const char *const rule_kind_names[];         /* enum rule_kind */
extern const char *const rule_event_names[];        /* enum rule_event */
extern const char *const channel_type_names[];      /* enum channel_type */
extern const char *const smtp_tls_names[];          /* enum smtp_tls */
extern const char *const service_kind_names[];      /* enum service_kind */
extern const char *const service_priority_names[];  /* enum service_priority */
extern const char *const check_type_names[];        /* enum check_type */
extern const char *const healing_mode_names[];      /* enum healing_mode */
extern const char *const healing_action_names[];    /* enum healing_action, a bit each */
extern const char *const upstream_kind_names[];     /* enum upstream_kind */
extern const char *const breaker_mode_names[];      /* enum breaker_mode */
extern const char *const breaker_window_names[];    /* enum breaker_window */
extern const char *const breaker_on_open_names[];   /* enum breaker_on_open */
extern const char *const fallback_strategy_names[]; /* enum fallback_strategy */
extern const char *const retry_jitter_names[];      /* enum retry_jitter */

#endif
