#!/usr/bin/env bats
# Judges what the tour brought out: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by ../run. The tour ends itself at
# the first exit code that is not as it has to be (play); here the rest is looked at, without the program's word where that can be.

# The variables come from variants/, the $ of jq are jq's.
# shellcheck disable=SC2154,SC2016

load ../helpers
load ../setup/helpers
load helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	# shellcheck source=../lib/lab.sh
	. "$BATS_TEST_DIRNAME/../lib/lab.sh"
	load_variant "$LAB_VARIANT"
	CARD=${wanted[CARD]} EDU=${wanted[EDU]}
}

@test "$LAB_VARIANT: all chapters are played to their end, on a node in which nothing fails" {
	local boot
	run awk '/^@/ && $1 != "@end" { print $1, ($1 == "@chapter" ? $2 : "") }' "$LAB_OUT/terminal"
	assert_output "$(printf '@chapter %s\n' 1 2 && printf '@finished \n' && printf '@chapter %s\n' 3 4 5 6 7 8 && printf '@finished ')"
	for boot in 1 2 3; do
		assert_equal "$boot: $(fact "$boot/running")" "$boot: running"
		assert_equal "$boot: $(cat "$LAB_OUT/$boot/failed.out")" "$boot: "
		assert_equal "$boot: $(fact "$boot/iommu")" "$boot: dmar0"
	done
	run grep -hE 'BUG: |Oops|Call Trace|general protection' "$LAB_OUT"/[123]/journal
	assert_output ''
}

@test "$LAB_VARIANT: chapter 1: the cards have no driver, and preflight says what the VM lacks" {
	has_drivers 1
	exited 1/list 0
	run grep -c "^ *[0-9]* $CARD 1f9d:1100 .* -\$" "$LAB_OUT/1/list.out"
	assert_output 1
	run grep -c "^ *[0-9]* $EDU 1234:11e8 .* -\$" "$LAB_OUT/1/list.out"
	assert_output 1
	exited 1/preflight 1
	assert_equal "$(fact 1/preflight | cut -d: -f1)" 'NOT READY'
	run grep -c '^✗ vm-hostpci VM 101$' "$LAB_OUT/1/preflight.out"
	assert_output 1
	# Each with a line of its own, and each judged by its own profile.
	run grep -cE "(does not get $CARD:|does not get\$)" "$LAB_OUT/1/preflight.out"
	assert_output --regexp '^[1-9]'
	run grep -oE -- '--hostpci[0-9]' "$LAB_OUT/1/preflight.out"
	assert_output "$(printf -- '--hostpci%s\n' 1 0)"
	run grep -c '^Profile  *metis, edu$' "$LAB_OUT/1/preflight.out"
	assert_output 1
	run grep -c 'than a metis is expected' "$LAB_OUT/1/preflight.out"
	assert_output 0
}

@test "$LAB_VARIANT: chapter 2: setup shows each difference, and changes what it has to" {
	exited 1/setup 0
	run grep -c "^ *+ *- address: \"$CARD\"\$" "$LAB_OUT/1/setup.out"
	assert_output 1
	run grep -c "^ *+ *- address: \"$EDU\"\$" "$LAB_OUT/1/setup.out"
	assert_output 1
	run diff <(changed 1/before 1/after) "$BATS_TEST_DIRNAME/changed"
	assert_success
	exited 1/pending 1
	assert_equal "$(fact 1/pending | cut -d: -f1)" 'not yet'
}

@test "$LAB_VARIANT: chapter 3: after the reboot vfio-pci has the cards, and status is clean" {
	has_drivers 2 "$CARD" "$EDU"
	exited 2/status 0
	run cat "$LAB_OUT/2/status.out"
	assert_line --index 0 --regexp '^status: all [0-9]+ promises kept$'
	exited 2/preflight 0
	run grep -c '^[✗?] ' "$LAB_OUT/2/preflight.out"
	assert_output 0
}

@test "$LAB_VARIANT: chapter 4: the self-test on the host passes, with what has to be refused" {
	exited 2/selftest 0
	fits selftest "$LAB_OUT/2/selftest.json"
	json "$LAB_OUT/2/selftest.json" '.verdict == "passed" and .summary.fail == 0'
	json "$LAB_OUT/2/selftest.json" '[.results[] | select(.case == "dma-iova-forum" or .case == "isolation-write-unmapped" or
		.case == "irq-message") | .verdict] == ["pass", "pass", "pass"]'
	fits selftest "$LAB_OUT/2/selftest-edu.json"
	json "$LAB_OUT/2/selftest-edu.json" '.verdict == "passed" and .device.address == $edu' --arg edu "$EDU"
	json "$LAB_OUT/2/selftest-edu.json" '[.results[] | select(.case == "dma-write" or .case == "irq-msi" or
		.case == "isolation-write-unmapped") | .verdict] == ["pass", "pass", "pass"]'
	run grep -c '^selftest: all ' "$LAB_OUT/2/selftest.out"
	assert_output 2
}

@test "$LAB_VARIANT: chapter 5: the VM starts through the hook, and its Linux has the cards" {
	exited 2/start 0
	run cat "$LAB_OUT/2/start.out"
	assert_line --partial "$CARD: reset "
	run cat "$LAB_OUT/2/guest.out"
	assert_line --index 0 --regexp '^Linux guest '
	assert_line --regexp ' 1f9d:1100 '
	assert_line --regexp ' 1234:11e8 '
	# By the guest's own word when it booted.
	run grep -c '^guest: Linux ' "$LAB_OUT/2/guest.console"
	assert_output --regexp '^[1-9]'
}

# What it says is compared with what the VM's own sysfs, configuration space and /proc/interrupts have (look).
@test "$LAB_VARIANT: chapter 6: guest check tells of both cards what the VM really has" {
	local card edu when found=$BATS_TEST_TMPDIR/found driven=$BATS_TEST_TMPDIR/driven n
	card=$(guest_address 1f9d:1100)
	edu=$(guest_address 1234:11e8)
	exited 2/check 0
	run grep -c '^Guest .*Linux 6' "$LAB_OUT/2/check.out"
	assert_output 1
	for when in found driven; do
		looked "check-$when" >"$BATS_TEST_TMPDIR/$when"
		fits preflight "$BATS_TEST_TMPDIR/$when"
		assert_equal "$when $(looked "check-$when-exit") $(jq .exit_code "$BATS_TEST_TMPDIR/$when")" "$when 0 0"
	done
	# The Metis behind a root port, the edu no PCI Express device.
	assert_equal "$(truth found "$card" port-type) $(truth found "$card" express)" "4 yes"
	assert_equal "$(verdict "$found" guest-parent-port "$card")" "pass: $card sits behind the root port $(truth found "$card" port)"
	assert_equal "$(truth found "$edu" express)" no
	assert_equal "$(verdict "$found" guest-parent-port "$edu")" "skip: $edu is no PCI Express device here"
	# No IOMMU of the VM's.
	assert_equal "$(looked iommus)" ''
	run verdict "$found" guest-viommu host
	assert_output --regexp '^info: This guest has no IOMMU'
	assert_equal "$(severity "$found" guest-memory-map "$card") $(severity "$found" guest-memory-map "$edu")" "pass pass"
	json "$found" '[.findings[] | select(.id == "guest-memory-map") | .evidence[].value | select(test("RAM"))] ==
		[$ram, $ram]' --arg ram "$(ram_below_4g) MiB of RAM below 4 GiB, 0 MiB above"
	# Nobody has them at first, then the module.
	for n in "$card" "$edu"; do
		assert_equal "$(truth found "$n" driver) $(severity "$found" guest-driver "$n")" "none warn"
		assert_equal "$(severity "$found" guest-vectors "$n") $(severity "$found" guest-decoding "$n")" "skip skip"
		assert_equal "$(truth driven "$n" driver)" metis_dmatest
		# Bus master is for the time of a test only: decoding, and no DMA.
		assert_equal "$(truth driven "$n" msi-enabled) $(truth driven "$n" command)" "1 2"
		run verdict "$driven" guest-decoding "$n"
		assert_output --partial "warn: $n may not do DMA (bus master is off)"
		# Four who have to agree: configuration space, sysfs, the module, and guest check.
		assert_equal "$(truth driven "$n" msi-granted) $(truth driven "$n" msi-irqs) $(truth driven "$n" limits-granted)" "1 1 1"
		json "$driven" '[.findings[] | select(.id == "guest-vectors" and .subject == $card) | .evidence[].value] |
			index("MSI enabled, 1 of " + $offered)' --arg card "$n" --arg offered "$(truth driven "$n" msi-offered)"
	done
	assert_equal "$(truth driven "$card" msi-offered) $(truth driven "$edu" msi-offered)" "32 1"
	run verdict "$driven" guest-vectors "$card"
	assert_output --partial "info: $card wants 32 vectors and was granted 1: without an IOMMU"
	assert_equal "$(verdict "$driven" guest-vectors "$edu")" "pass: $edu was granted 1 vector of MSI"
	assert_equal "$(verdict "$driven" guest-driver "$card")" "warn: $card is with metis_dmatest, not with its own driver"
}

@test "$LAB_VARIANT: chapter 6: an interrupt arrives in the VM: the edu's messages are the host's" {
	local card edu
	card=$(guest_address 1f9d:1100)
	edu=$(guest_address 1234:11e8)
	fits selftest "$LAB_OUT/2/selftest-guest-edu.json"
	json "$LAB_OUT/2/selftest-guest-edu.json" '.verdict == "passed" and .exit_code == 0 and .vm == "101" and .where == "guest" and
		.way == "module" and .engine == "edu" and .device.address == $edu' --arg edu "$edu"
	json "$LAB_OUT/2/selftest-guest-edu.json" '[.results[] | select(.case == "irq-vectors" or .case == "irq-polling") |
		.verdict, (.latency_ns.count > 0)] == ["pass", true, "pass", true]'
	json "$LAB_OUT/2/selftest-guest-edu.json" '[.results[] | select(.case == "irq-vectors") | .evidence[].value] ==
		["vectors tried: 1, arrived: 1"]'
	json "$LAB_OUT/2/selftest-guest-edu.json" '[.results[] | select(.verdict == "pass") | .case] | contains(["dma-read", "dma-write",
		"dma-coherent", "dma-patterns", "dma-scattered", "dma-below-4g", "quiet"])'
	# By the count of the VM's kernel: the same on the Metis raised none.
	assert [ "$(truth driven "$edu" raised)" -ge 1 ]
	assert_equal "$(truth driven "$card" raised)" 0
	# Nothing of it was blocked.
	part 'before the guest looks' 'without the hook' >"$BATS_TEST_TMPDIR/part"
	run grep -c "Request device \[${EDU#0000:}\]" "$BATS_TEST_TMPDIR/part"
	assert_output 0
}

@test "$LAB_VARIANT: chapter 6: of two cards each has its report, and the failure of one is the end of all" {
	run grep -E '^(selftest|FAILED): ' "$LAB_OUT/2/selftest-guest.out"
	assert_line --index 0 --regexp "^selftest: all 9 cases passed on $(guest_address 1234:11e8) \\(edu\\) in VM 101"
	assert_line --index 1 --regexp "^FAILED: 2 of 9 cases failed on $(guest_address 1f9d:1100) \\(dw-edma\\) in VM 101"
	run cat "$LAB_OUT/2/guest-note.out"
	assert_line 'verdict failed'
	assert_line "device $(guest_address 1f9d:1100)"
	assert_line --regexp '^why irq-vectors: '
}

# This card writes its messages itself, and a VM without interrupt remapping has none that the host lets through: what preflight says
# of it (card-interrupt-delivery), in the guest and in the host's log.
@test "$LAB_VARIANT: chapter 6: the driver in the guest moves data, and its interrupts are blocked as preflight has said" {
	exited 2/selftest-guest 1
	json "$LAB_OUT/2/selftest-guest.json" '[.results[] | select(.verdict == "fail") | .case] == ["irq-vectors", "irq-polling"]'
	json "$LAB_OUT/2/selftest-guest.json" '[.results[] | select(.verdict == "pass") | .case] | contains(["dma-read", "dma-write",
		"dma-coherent", "dma-patterns", "dma-scattered", "dma-below-4g", "quiet"])'
	run grep -c '^! card-interrupt-delivery ' "$LAB_OUT/2/preflight.out"
	assert_output 1
	part 'in the guest' 'without the hook' >"$BATS_TEST_TMPDIR/part"
	run grep -c "INTR-REMAP\] Request device \[${CARD#0000:}\] .*\[fault reason 0x25\]" "$BATS_TEST_TMPDIR/part"
	assert_output --regexp '^[1-9]'
	exited 2/blocked 1
}

@test "$LAB_VARIANT: chapter 7: without the hook the VM has the failure of the forum, and diagnose explains it" {
	said 2/session 'host: data right' 'host: events 0x1'
	exited 2/armed 1
	# What the firmware writes does not come to the guest; what the driver itself moves does.
	said 2/job-lost 'host: events 0x0' 'host: data right'
	part 'without the hook' 'with the hook' >"$BATS_TEST_TMPDIR/part"
	run grep -c "DMAR: \[DMA Write NO_PASID\] Request device \[${CARD#0000:}\] fault addr 0x149800000 \[fault reason 0x05\]" \
		"$BATS_TEST_TMPDIR/part"
	assert_output --regexp '^[1-9]'
	exited 2/diagnose 1
	fits diagnose "$LAB_OUT/2/diagnose-json.out"
	json "$LAB_OUT/2/diagnose-json.out" '.subject == $card and .vm.id == "101" and
		(.hypotheses[0].id | IN("stale-window", "latched-window"))' --arg card "$CARD"
}

@test "$LAB_VARIANT: chapter 7: with the hook the same VM has its events, and no fault" {
	run cat "$LAB_OUT/2/hook-start.out"
	assert_line --partial "$CARD: its window into memory was open, to 0x"
	said 2/job-done 'host: events 0x1' 'host: data right'
	part 'with the hook' >"$BATS_TEST_TMPDIR/part"
	run grep -c 'DMAR: .*fault' "$BATS_TEST_TMPDIR/part"
	assert_output 0
	# The part is there at all.
	run grep -c . "$BATS_TEST_TMPDIR/part"
	assert_output --regexp '^[1-9]'
}

@test "$LAB_VARIANT: chapter 8: after rollback and reboot all of /etc and /boot is as it was, and the card has no driver" {
	exited 2/rollback 0
	assert [ "$(wc -l <"$LAB_OUT/1/before.out")" -gt 500 ]
	run diff "$LAB_OUT/1/before.out" "$LAB_OUT/3/after.out"
	assert_success
	has_drivers 3
	exited 3/status 0
	assert_equal "$(fact 3/cmdline)" "$(fact 1/cmdline)"
}
