/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook-services.h - the services of the host that use its cards, while a VM has them. */
#ifndef MP_HOOK_SERVICES_H
#define MP_HOOK_SERVICES_H

#include "core/error.h"
#include "core/host.h"
#include "core/settings.h"
#include "core/target.h"
#include "core/vm.h"

/* Whether VM gets a card that CONFIG's services use. */
bool mp_hook_wants_services(const struct mp_config *config, const struct mp_vm *vm);
/* Who else runs with such a card; NULL: nobody. */
const struct mp_vm *mp_hook_services_user(const struct mp_host *host,
	const struct mp_config *config, const struct mp_vm *vm);
/* Stops those that are active, and adds their names to STOPPED, also where it fails. */
bool mp_hook_stop_services(struct mp_target *target, const struct mp_config *config,
	GPtrArray *stopped, GError **error);
/* SERVICES: char *; may be empty. */
bool mp_hook_start_services(
	struct mp_target *target, const GPtrArray *services, GError **error);

#endif
