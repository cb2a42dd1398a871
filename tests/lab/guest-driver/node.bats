#!/usr/bin/env bats
# Judges the guest's kernel module by what the node brought out: LAB_VARIANT and LAB_OUT. Run by `run`.

load ../helpers
bats_require_minimum_version 1.8.0

setup() {
	node_ran
	CARD=$(address card)
}

# cases NAME [ROUND]: "CASE=VERDICT" of each line of results in a command's output, in order.
cases() {
	awk -v round="${2:-1}" '$1 == round && ($3 == "pass" || $3 == "fail" || $3 == "skip") && / -- / { printf "%s=%s ", $2, $3 }' \
		"$LAB_OUT/$1.out" | sed 's/ $//'
}

# said NAME CASE: the sentence of a case, in the first round.
said() {
	sed -n "s/^1 $2 [a-z]* .*-- //p" "$LAB_OUT/$1.out" | head -n 1
}

# value NAME CASE KEY
value() {
	sed -n "s/^1 $2 .* $3=\([0-9]*\) .*/\1/p" "$LAB_OUT/$1.out" | head -n 1
}

# fails NAME CASE...: these fail and no others, and the run itself was no failure.
fails() {
	local name=$1
	shift
	run cat "$LAB_OUT/$name.out"
	assert_line 'exit 0'
	assert_line 'state done'
	run awk '$1 == "1" && $3 == "fail" { print $2 }' "$LAB_OUT/$name.out"
	assert_output "$(printf '%s\n' "$@")"
}

# quiet NAME: what a run left behind: no bus master, and vectors only while it is bound.
quiet() {
	run cat "$LAB_OUT/$1.out"
	assert_line 'master 0'
}

pages=(dma-read dma-write dma-coherent dma-patterns dma-scattered dma-below-4g dma-above-4g)
all_pass=$(printf '%s=pass ' "${pages[@]}" irq-vectors irq-polling quiet | sed 's/ $//')

@test "$LAB_VARIANT: the node runs every command and powers off" {
	local name
	while read -r name; do
		assert [ -s "$LAB_OUT/$name.rc" ]
		run cat "$LAB_OUT/$name.rc"
		assert_output --regexp '^[01]$'
	done < <(sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' "$BATS_TEST_DIRNAME/commands")
}

# built NAME KERNEL: without a warning.
built() {
	assert_equal "$(cat "$LAB_OUT/build-$1/rc")" 0
	run cat "$LAB_OUT/build-$1/release"
	assert_output --regexp "$2"
	# Of what the headers lack, not of the source.
	run grep -vE 'pahole version differs|The kernel was built with|You are using' "$LAB_OUT/build-$1/log"
	refute_output
}

@test "$LAB_VARIANT: the module builds without a warning for the node's kernel" {
	built node '^6\.'
}

@test "$LAB_VARIANT: ... and for Debian's 6.12" {
	built other '^6\.12\.'
}

@test "$LAB_VARIANT: ... and for the newest one, with Debian 13's compiler" {
	built newest '^[7-9]\.'
}

@test "$LAB_VARIANT: the kernel's checkpatch finds nothing" {
	[ -s "$LAB_OUT/checkpatch.version" ]
	run cat "$LAB_OUT/checkpatch.log"
	refute_output
}

@test "$LAB_VARIANT: loading the module takes no device" {
	assert_equal "$(one_line load)" '0 vfio-pci vfio-pci vfio-pci'
	assert_equal "$(sed -n 1p "$LAB_OUT/new-id.out")" metis_dmatest
	run cat "$LAB_OUT/no-engine.out"
	refute_output
}

@test "$LAB_VARIANT: what is bound shows its limits, and is no bus master" {
	assert_equal "$(one_line bind-card)" 'metis_dmatest 1 dw-edma transfer_max 4096 address_bits 64 interrupt msi vectors_wanted 32 vectors_granted 32'
	assert_equal "$(one_line bind-edu)" 'metis_dmatest 1 edu transfer_max 4092 address_bits 28 interrupt msi vectors_wanted 1 vectors_granted 1'
	assert_equal "$(one_line found)" 'driver metis_dmatest master 0 handlers 33 users 0'
}

@test "$LAB_VARIANT: the card passes every case, below and above 4 GiB, with all its vectors" {
	fails card
	assert_equal "$(cases card)" "$all_pass"
	assert_equal "$(value card irq-vectors arrived)" 32
	assert_equal "$(value card irq-vectors latency_count)" 32
	run said card irq-polling
	assert_output --regexp '^4096 bytes each way, the same by interrupt as by polling \(message 0xfee[0-9a-f]{5}, 0x000b, written by its DMA block\)$'
	run said card dma-above-4g
	assert_output --regexp 'read at 0x[0-9a-f]{9,}, written at 0x[0-9a-f]{9,}$'
	run said card dma-below-4g
	assert_output --regexp 'read at 0x[0-9a-f]{1,8}, written at 0x[0-9a-f]{1,8}$'
}

@test "$LAB_VARIANT: edu passes every case that it can be asked for" {
	fails edu
	assert_equal "$(cases edu)" "${all_pass/dma-above-4g=pass/dma-above-4g=skip}"
	assert_equal "$(value edu irq-polling arrived)" 2
}

@test "$LAB_VARIANT: values out of range are refused, and change nothing" {
	run cat "$LAB_OUT/settings.out"
	local setting
	for setting in bytes=3 bytes=4194305 bytes=x rounds=0 rounds=1001 timeout_ms=0 timeout_ms=60001 'cases=a b' 'cases=' run=0 run=2; do
		assert_line "$setting 1"
	done
	assert_equal "$(tail -n 4 "$LAB_OUT/settings.out" | paste -s -d,)" '4096,1,5000,*'
}

@test "$LAB_VARIANT: only the cases that are asked for run, with the bytes that are" {
	assert_equal "$(cases glob)" 'dma-read=pass dma-write=pass'
	assert_equal "$(value glob dma-read bytes)" 64
}

@test "$LAB_VARIANT: of many rounds what failed is kept, and of what passed the newest" {
	assert_equal "$(cases rounds 30)" "$all_pass"
	assert_equal "$(tail -n 1 "$LAB_OUT/rounds.out")" truncated
	assert_equal "$(cases rounds 1)" ''
	assert_equal "$(cases rounds-failed 1)" 'irq-vectors=fail irq-polling=fail'
	assert_equal "$(tail -n 1 "$LAB_OUT/rounds-failed.out")" truncated
}

# What this module is for.
@test "$LAB_VARIANT: a lost interrupt is told from lost data" {
	fails drop-irq irq-vectors irq-polling
	run said drop-irq irq-polling
	assert_output --regexp "^lost interrupt: the device's read ended and its data is right, as by polling, but vector 7 did not arrive within 1000 ms"
	assert_equal "$(value drop-irq irq-polling arrived)" 0
	fails wrong-irq irq-vectors irq-polling
	run said wrong-irq irq-vectors
	assert_output --regexp '^vector [0-9]+ was signalled \(message .*\), and vector [0-9]+ arrived$'
	fails lying "${pages[@]}" irq-polling quiet
	run said lying irq-polling
	assert_output --partial 'lost data, by polling already: what the device read'
}

@test "$LAB_VARIANT: a card that spoils data fails where it does" {
	fails wrong-data "${pages[@]}" irq-polling quiet
	fails truncated "${pages[@]}" irq-polling quiet
	run said truncated dma-read
	assert_output --partial 'byte 4092 in the device is another'
	# What it reads too much stays in the card.
	fails overrun "${pages[@]:1}" irq-polling quiet
	run said overrun dma-scattered
	assert_output --partial 'changed what is beside it too'
}

@test "$LAB_VARIANT: a card that says the wrong of a transfer, or nothing, fails in all of them" {
	fails wrong-status "${pages[@]}" irq-vectors irq-polling quiet
	run said wrong-status dma-read
	assert_output --partial 'failed: it does not say why'
	fails stuck "${pages[@]}" irq-vectors irq-polling quiet
	run said stuck dma-read
	assert_output --partial 'did not end within 1000 ms'
}

@test "$LAB_VARIANT: what may be unlike the model is no defect; afterwards all passes again" {
	local name
	for name in deaf unknowns after; do
		fails "$name"
		assert_equal "$(cases "$name")" "$all_pass"
	done
	quiet after
}

@test "$LAB_VARIANT: without MSI edu has its pin, and the card no interrupt; DMA works" {
	run cat "$LAB_OUT/no-msi.out"
	assert_line 'interrupt none'
	assert_line 'interrupt intx'
	assert_line --partial 'irq-polling skip'
	assert_line --regexp '^1 irq-vectors pass .* intx: all vectors granted'
	assert_line --regexp '^1 irq-polling pass .* the same by interrupt as by polling \(intx of the function\)'
	assert_equal "$(grep -c 'dma-write pass' "$LAB_OUT/no-msi.out")" 2
	refute_line --regexp '^1 [a-z0-9-]+ fail'
}

@test "$LAB_VARIANT: address bits that the device has not are seen as lost data; those that it has work" {
	fails bits-wrong dma-read dma-write
	run cat "$LAB_OUT/bits-20.out"
	assert_line 'address_bits 20'
	assert_equal "$(cases bits-20)" "$(printf '%s=pass ' "${pages[@]:0:6}")dma-above-4g=skip"
	assert_equal "$(cases bits-40)" 'dma-below-4g=pass dma-above-4g=pass'
}

@test "$LAB_VARIANT: one run at a time; a killed writer leaves the card quiet, and the next run works" {
	run cat "$LAB_OUT/twice.out"
	assert_line --index 0 'running dma'
	assert_line --index 1 refused
	run cat "$LAB_OUT/twice.err" "$LAB_OUT/twice.out"
	assert_line --partial 'Device or resource busy'
	assert_line 'busy bytes'
	assert_line 'busy cases'
	assert_line 'busy rounds'
	assert_line 'busy timeout_ms'
	assert_line 'killed 137'
	assert_line 'state interrupted'
	assert_line 'state done'
	assert_line 'master 0'
	assert_equal "$(cases twice)" "$all_pass"
}

# during NAME WORD DRIVER HANDLERS: it came through, the writer was told, and nothing is left.
during() {
	run cat "$LAB_OUT/$1.out"
	assert_line --index 0 'running dma'
	assert_line "$1 0"
	assert_line 'writer 1'
	assert_line 'No such device'
	assert_line "handlers $2"
}

@test "$LAB_VARIANT: unbind and rmmod in the middle of a run end it" {
	during unbind 0
	quiet unbind
	assert_equal "$(tail -n 2 "$LAB_OUT/unbind.out" | paste -s -d,)" 'exit 0,state done'
	assert_equal "$(sort "$LAB_OUT/unbinds.out" | uniq -c | xargs)" '12 1'
	during rmmod 0
	quiet rmmod
	assert_equal "$(tail -n 2 "$LAB_OUT/rmmod.out" | paste -s -d,)" 'exit 0,state done'
}

@test "$LAB_VARIANT: a card that dies, or is taken away, in the middle of a run ends it" {
	during dead 32
	assert_equal "$(tail -n 2 "$LAB_OUT/dead.out" | paste -s -d,)" 'exit 0,state done'
	during link-down 32
	assert_equal "$(tail -n 1 "$LAB_OUT/link-down.out")" 'bound 0'
	during remove 0
	assert_equal "$(tail -n 1 "$LAB_OUT/remove.out")" "/sys/bus/pci/devices/$CARD"
}

# A page lost in each would be 600 KiB.
@test "$LAB_VARIANT: runs and binds lose no memory" {
	local lost what
	for what in runs binds; do
		lost=$(sed -n "s/^lost by $what //p" "$LAB_OUT/count.out")
		printf '# lost by 150 %s: %s KiB\n' "$what" "$lost" >&3
		assert [ "$lost" -lt 300 ]
	done
	run cat "$LAB_OUT/count.out"
	assert_line 'exit 0'
	assert_line 'handlers 32'
	assert_line 'users 0'
}

@test "$LAB_VARIANT: each allocation that fails is survived" {
	run cat "$LAB_OUT/starve.out"
	# Those of the bind, of the run, and of mappings, which are findings.
	assert_line --regexp '^1 refused$'
	assert_line --regexp '^[0-9]+ run 1 interrupted 0$'
	assert_line --regexp '^[0-9]+ run 0 done [1-9]'
	# The last one had nothing left to fail.
	run grep -c ' run 0 done 0$' "$LAB_OUT/starve.out"
	assert_output 1
	assert [ "$(sed -n 's/^lost //p' "$LAB_OUT/starve.out")" -lt 400 ]
	assert_equal "$(cases starve)" "$all_pass"
	quiet starve
}

@test "$LAB_VARIANT: the module goes, and leaves nothing but its taint" {
	assert_equal "$(one_line unload)" '0 /proc/interrupts:0 /proc/modules:0 taint 12288'
}

@test "$LAB_VARIANT: guest apply gives a module its option when it is loaded, and takes it back" {
	run sed 's/: \([0-9]\), .*\(nothing to do\|plan: 1 file\|reboot pending\|all 2 promises kept\).*/: \1 \2/; s/: \([0-9]\), .*/: \1/' \
		"$LAB_OUT/apply.out"
	assert_output - <<-END
		bits 0 address_bits 64
		guest check: 0
		has not the option 'metis_dmatest dma_bits=40'
		guest apply: 0 plan: 1 file
		guest apply: 0 nothing to do
		status: 1 reboot pending
		guest check: 0
		pending: /etc/modprobe.d/metis-passthrough-guest.conf
		bits 40 address_bits 40
		status: 0 all 2 promises kept
		guest apply: 0 nothing to do
		rollback --yes: 0
		bits 0 address_bits 64
	END
}

# The edu that cuts addresses is the only one that may be refused.
@test "$LAB_VARIANT: the kernel has nothing to complain of" {
	run grep -nE 'BUG:|WARNING:|Oops|Call Trace|leaked|irq [0-9]+: nobody cared|trying to free|overflow' "$LAB_OUT/dmesg"
	refute_output
	run grep -E 'DMAR: \[DMA' "$LAB_OUT/dmesg"
	assert_output
	run grep -vF '[00:0a.0]' <<<"$output"
	refute_output
}
