#!/usr/bin/env bats
# The judge judged, as ../judge.bats does.

load ../helpers
load ../spoil
bats_require_minimum_version 1.8.0

setup() {
	spoil_setup
}

@test "judge: a node that did not finish fails, with its console" {
	write broken 'panic, last words'
	judged 'every command'
	assert_failure
	assert_output --partial 'last words'
}

@test "judge: a node without KVM is seen" {
	caught 'every command' write kvm.rc 1
	caught 'every command' rm "$SPOILT/linux.rc"
}

@test "judge: a guest that does not see the card, or always sees one, is seen" {
	caught 'as a guest' sed -i '/0x1f9d/d' "$SPOILT/linux.out"
	caught 'as a guest' cp "$SPOILT/linux.out" "$SPOILT/linux-alone.out"
	caught 'as a guest' sed -i '/^guest: Linux/d' "$SPOILT/linux.out"
	caught 'as a guest' write linux.rc 1
}

@test "judge: a fault is seen" {
	fault() {
		printf '[   30.1] DMAR: DRHD: handling fault status reg 2\n' >>"$SPOILT/dmesg"
	}
	caught 'without faults' fault
}
