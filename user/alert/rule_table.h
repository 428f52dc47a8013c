/* What is known about rules without a configuration. Inside this layer only. */
#ifndef MOONWATCH_ALERT_RULE_TABLE_H
#define MOONWATCH_ALERT_RULE_TABLE_H

#include "base/text.h"
#include "config/alerting.h"

extern const struct config_rule built_in_rules[];
extern const size_t built_in_rule_count;

/* Whether what the rule looks at has a label of this name, as below. */
bool rule_source_has_label(const struct config_rule *rule, const char *label, struct text *allowed);
/* Whether anything that a rule may look at has it. */
bool label_is_known(const char *label);
/* Whether the alerts of a rule have a label of this name; of a metric that is not known any may
 * be there. `allowed`, unless NULL, gets the names there are when not. */
bool rule_has_label(const struct config_rule *rule, const char *label, struct text *allowed);

#endif
