#!/bin/sh
# Starts QEMU with these cards of the host passed through:
#@CARDS@
#
# Disks, networks and displays are yours: give them as arguments of this script, for
# example -drive file=disk.qcow2,if=virtio -nic user.
#@NOTES@
set -eu

# The machine, then each card.@ARGUMENTS@

exec "${QEMU:-qemu-system-x86_64}" "$@"
