#include "mail_metrics.h"

METRICS_DEFINE(mail_metrics, MAIL_METRICS);
