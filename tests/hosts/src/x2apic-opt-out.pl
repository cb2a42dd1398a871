sub {
	my ($n) = @_;
	$n->note('The forum node with the opt-out bit in the DMAR flags: firmware asks the kernel not to use',
		'x2APIC; interrupt remapping runs in xAPIC mode. Invented.');
	$n->forum_node(flags => 3);
	@{ $n->{log} } = grep { !/DMAR-IR|x2apic/ } @{ $n->{log} };
	$n->log('DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.',
		'DMAR-IR: Use \'intremap=no_x2apic_optout\' to override the BIOS setting.',
		'DMAR-IR: Enabled IRQ remapping in xapic mode');
}
