#!/usr/bin/env bats
# Judges what the whole node brought out of its boots: LAB_VARIANT and LAB_OUT, METIS is the program under test. Run by `run`.

# The variables come from variants/, the $ of jq are jq's.
# shellcheck disable=SC2154,SC2016

load ../helpers
load helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	# shellcheck source=../lib/lab.sh
	. "$BATS_TEST_DIRNAME/../lib/lab.sh"
	load_variant "$LAB_VARIANT"
	EDU=${wanted[EDU]}
	NVME=${wanted[NVME]}
	NVME_TWIN=${wanted[NVME_TWIN]}
}

@test "$LAB_VARIANT: the node boots, runs every command, and nothing fails in it" {
	local boot name rc
	while read -r boot name; do
		assert [ -s "$LAB_OUT/$boot/$name.rc" ]
	done < <(sed -n 's/^\([1-9] *[a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/commands")
	for boot in $(boots); do
		# 124 is the time limit, 126 and above no program, a signal, a sanitizer. One was killed on purpose.
		for rc in "$LAB_OUT/$boot"/*.rc; do
			[ "${rc##*/}" != killed.rc ] || continue
			run cat "$rc"
			assert_output --regexp '^[0-5]$'
		done
		# Units, the program's own among them.
		assert_equal "$boot: $(fact "$boot/running")" "$boot: running"
		assert_equal "$boot: $(cat "$LAB_OUT/$boot/failed.out")" "$boot: "
		assert_equal "$boot: $(fact "$boot/iommu")" "$boot: dmar0"
	done
}

@test "$LAB_VARIANT: before the set-up every card is the host's" {
	has_drivers 1
	# The log shows whom the host's driver takes; the tests below rely on it.
	nvme_took 1 "$NVME"
	nvme_took 1 "$NVME_TWIN"
}

@test "$LAB_VARIANT: plan binds by address, says that the twins stay, and asks for a reboot" {
	exited 1/plan-json 0
	fits plan "$LAB_OUT/1/plan-json.out"
	json "$LAB_OUT/1/plan-json.out" '.binding == "address" and .reboot and .obstacles == [] and .outcome == "possible"'
	json "$LAB_OUT/1/plan-json.out" '[.taken[] | select(.then == "vfio-pci") | .address] | sort == ($wanted | split(" ") | sort)' \
		--arg wanted "$EDU $NVME"
	# For people: what will be in the files.
	exited 1/plan 0
	run grep -c "^ *+$NVME " "$LAB_OUT/1/plan.out"
	assert_output 1
}

@test "$LAB_VARIANT: a setup that is killed leaves nothing that the next one does not mend" {
	assert_equal "$(cat "$LAB_OUT/1/killed.rc")" 137
	# What it had started goes on, and nobody may change anything beside it.
	exited 1/busy 3
	assert [ -s "$LAB_OUT/1/busy.err" ]
	exited 1/setup 0
	# The half-done change and the whole one, each with a name.
	json "$LAB_OUT/3/history-json.out" '.transactions | length == 2'
}

@test "$LAB_VARIANT: setup changes what it has to, and nothing else" {
	exited 1/setup 0
	run diff <(changed 1/before 1/after) "$BATS_TEST_DIRNAME/changed"
	assert_success
}

@test "$LAB_VARIANT: the image binds the wanted cards, and no other" {
	local table
	table=$(image_file 1/image-after etc/metis-passthrough/early-bind.conf)
	assert_equal "$(grep -v '^#' <<<"$table" | cut -d' ' -f1,2 | sort)" "$EDU 1234:11e8"$'\n'"$NVME 1b36:0010"
	# The image before had none, so that what is seen above was made by setup.
	run image_file 1/image etc/metis-passthrough/early-bind.conf
	assert_output ''
}

@test "$LAB_VARIANT: before the reboot, status waits for it and setup has nothing to do" {
	exited 1/pending 1
	fits status "$LAB_OUT/1/pending.out"
	json "$LAB_OUT/1/pending.out" '.verdict == "reboot-pending" and .reboot_pending and .summary.fail == 0'
	exited 1/again 0
	run grep -i 'nothing to do' "$LAB_OUT/1/again.out"
	assert_success
}

@test "$LAB_VARIANT: after the reboot the wanted cards are on vfio-pci, their twins with the host" {
	has_drivers 2 "$EDU" "$NVME"
	# The parameter came by GRUB.
	refute_word intel_iommu=on 1/cmdline
	assert_word intel_iommu=on 2/cmdline
}

@test "$LAB_VARIANT: since boot: the host's driver never had the wanted card" {
	run ! nvme_took 2 "$NVME"
	nvme_took 2 "$NVME_TWIN"
}

@test "$LAB_VARIANT: after the reboot status is clean, in the unit too" {
	exited 2/status-json 0
	fits status "$LAB_OUT/2/status-json.out"
	json "$LAB_OUT/2/status-json.out" '.verdict == "kept" and (.reboot_pending | not) and .summary.fail == 0 and .summary.unknown == 0'
	# It says so of the cards, not of nothing.
	json "$LAB_OUT/2/status-json.out" '[.findings[] | select(.id == "status-binding" and .severity == "pass") | .subject] | sort
		== ($wanted | split(" ") | sort)' --arg wanted "$EDU $NVME"
	exited 2/status 0
	run cat "$LAB_OUT/2/unit.out"
	assert_line Result=success
	assert_line ExecMainStatus=0
	assert_line UnitFileState=enabled
	exited 2/verify 0
	assert_equal "$(cat "$LAB_OUT/2/verify.err")" ''
}

# says_of NAME ID EDU NVME: what a report says of the two cards, as severities.
says_of() {
	json "$LAB_OUT/2/$1" '[.findings[] | select(.id == $id) | "\(.subject) \(.severity)"] | sort == ([$edu, $nvme] | sort)' \
		--arg id "$2" --arg edu "$EDU $3" --arg nvme "$NVME $4"
}

@test "$LAB_VARIANT: the self-test after the boot passes, and is over before VMs start" {
	# The reports were there when it was the turn of VMs: there were none before this boot.
	run cat "$LAB_OUT/2/guests.out"
	assert_output "$EDU.json"$'\n'"$NVME.json"$'\ninactive'
	run cat "$LAB_OUT/2/selftest-unit.out"
	assert_line Result=success
	assert_line ExecMainStatus=0
	assert_line UnitFileState=enabled
	# edu emits 28 address bits here: it writes no messages. The NVMe never was the host's in this boot.
	fits selftest "$LAB_OUT/2/selftest-edu.out"
	json "$LAB_OUT/2/selftest-edu.out" '.verdict == "passed" and .summary.pass > 10'
	fits selftest "$LAB_OUT/2/selftest-nvme.out"
	json "$LAB_OUT/2/selftest-nvme.out" '.verdict == "passed" and .summary.pass > 10 and
		([.results[] | select(.case == "irq-msix") | .verdict] == ["pass"])'
	run cat "$LAB_OUT/2/selftest-journal.out"
	assert_line --regexp "^selftest: all [0-9]+ cases passed on $EDU "
	assert_line --regexp "^selftest: all [0-9]+ cases passed on $NVME "
	says_of selftest-preflight.out selftest-last pass pass
	says_of status-json.out status-selftest pass pass
}

@test "$LAB_VARIANT: a self-test after the boot that fails is seen, and nothing waits for it" {
	exited 2/spoilt 1
	json "$LAB_OUT/2/spoilt-edu.out" '.verdict == "failed" and ([.results[] | select(.case == "dma-write") | .verdict] == ["fail"])'
	# In systemd, in the journal, in preflight and in status; and not of the other card.
	run cat "$LAB_OUT/2/spoilt-unit.out"
	assert_line Result=exit-code
	assert_line ExecMainStatus=1
	assert_line ActiveState=failed
	assert_equal "$(fact 2/spoilt-running)" degraded
	assert_equal "$(cut -d' ' -f1 "$LAB_OUT/2/spoilt-failed.out")" metis-passthrough-selftest.service
	run cat "$LAB_OUT/2/spoilt-journal.out"
	assert_line --regexp "^FAILED: .* on $EDU "
	assert_line --partial "Failed with result 'exit-code'"
	says_of spoilt-preflight.out selftest-last fail pass
	says_of spoilt-status.out status-selftest warn pass
	# What starts VMs had its turn when the unit had failed, and was not kept from it.
	run cat "$LAB_OUT/2/spoilt-guests.out"
	assert_output "$EDU.json"$'\n'"$NVME.json"$'\nfailed'
	# No bus mastering, and nobody has a file of VFIO's open.
	run xargs <"$LAB_OUT/2/left.out"
	assert_output --regexp '^[0-3] [0-3] 0$'
}

@test "$LAB_VARIANT: a failed self-test keeps a VM from its start only where one that passed is required" {
	run cat "$LAB_OUT/2/hook.out"
	assert_output 'warn 101 0
warn 102 0
require 101 1
require 102 0
status 1'
	run grep -c "^metis-passthrough: .*$EDU.*self-test" "$LAB_OUT/2/hook.err"
	assert_output 2
	run cat "$LAB_OUT/2/hook.err"
	assert_line --regexp "^metis-passthrough: VM 101 .*selftest_last is 'require'.*run 'metis-passthrough selftest --device $EDU'"
	says_of required.json status-selftest fail pass
	json "$LAB_OUT/2/required.json" '.verdict == "drift"'
}

@test "$LAB_VARIANT: after the reboot preflight finds nothing wrong with the binding" {
	local id
	for id in binding-config binding-effective binding-early initramfs-binding setup-status; do
		json "$LAB_OUT/2/preflight.out" '[.findings[] | select(.id == $id)] | length > 0 and all(.severity == "pass")' --arg id "$id"
	done
}

@test "$LAB_VARIANT: after the reboot setup and plan have nothing to do" {
	exited 2/again 0
	run grep -i 'nothing to do' "$LAB_OUT/2/again.out"
	assert_success
	exited 2/plan-json 0
	json "$LAB_OUT/2/plan-json.out" '.outcome == "nothing" and .steps == [] and ([.files[] | select(.changed)] == [])'
}

@test "$LAB_VARIANT: after the rollback all of /etc and /boot is as it was" {
	exited 2/rollback 0
	assert [ "$(wc -l <"$LAB_OUT/1/before.out")" -gt 500 ]
	run diff "$LAB_OUT/1/before.out" "$LAB_OUT/2/after.out"
	assert_success
	# And after a boot with it.
	run diff "$LAB_OUT/1/before.out" "$LAB_OUT/3/after.out"
	assert_success
	run cmp "$LAB_OUT/1/image.out" "$LAB_OUT/3/image.out"
	assert_success
}

@test "$LAB_VARIANT: after the second reboot every card is the host's again" {
	has_drivers 3
	nvme_took 3 "$NVME"
	nvme_took 3 "$NVME_TWIN"
	assert_equal "$(fact 3/cmdline)" "$(fact 1/cmdline)"
	run cat "$LAB_OUT/3/unit.out"
	assert_output LoadState=not-found
}

@test "$LAB_VARIANT: after the second reboot nothing is in force" {
	exited 3/status-json 0
	fits status "$LAB_OUT/3/status-json.out"
	json "$LAB_OUT/3/status-json.out" '.verdict == "nothing" and .transactions == []'
	exited 3/history-json 0
	fits history "$LAB_OUT/3/history-json.out"
	json "$LAB_OUT/3/history-json.out" '.transactions | length > 0 and all(.state == "undone")'
}
