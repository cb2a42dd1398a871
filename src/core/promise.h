/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * promise.h - what a setup promised, compared with the host as it is now: drift.
 *
 * The promises of a transaction are a JSON array of objects with "kind":
 *   file       {path, sha256, mode} or {path, absent: true}
 *   link       {path, target}
 *   parameter  {parameter: "intel_iommu=on"}      in /proc/cmdline
 *   binding    {address, id}                      on vfio-pci, and by nobody else since boot
 *   image      {address, id}                      every image of every kernel binds it
 *   group      {address, members [address]}
 *   pin        {address, id, subsystem, serial, slot}   null: had none
 *   mapping    {name, node, map}
 *   vm         {vmid, key, value}                 null: the key is not set
 *   guest-file     as file                       inside of a VM
 *   guest-options  {path, options ["metis dma_poll=1"]}
 * Of several transactions in force the latest counts, but for mapping, vm and those of a guest:
 * there the later promise about the same thing.
 */
#ifndef MP_PROMISE_H
#define MP_PROMISE_H

#include <json-c/json.h>

#include "core/finding.h"
#include "core/host.h"
#include "core/journal.h"

/*
 * Judges the promises of ALL (from mp_journal_load()) against HOST; ROOT for digests of
 * files. Findings with the ids status-file, status-parameter, ... PASS: kept; FAIL: drift;
 * UNSURE: could not be seen; INFO: counts from a later start on. Each interrupted transaction
 * is a FAIL of its own (status-transaction). *pending: something counts from the next boot
 * on, which has not been yet. The caller owns the array (free func set).
 */
GPtrArray *mp_promises_judge(
	const struct mp_host *host, struct mp_root *root, GPtrArray *all, bool *pending);

#endif
