sub {
	my ($n) = @_;
	$n->note('The forum node with Intel VT-x switched off in firmware, VT-d on: the CPU has no flag vmx, KVM could not load.',
		'Invented.');
	$n->forum_node;
	$n->edit('proc/cpuinfo', sub { s/ vmx / /g });
	delete $n->{modules}{kvm_intel};
	$n->drop('sys/module/kvm_intel');
	$n->log('kvm_intel: VMX not supported by CPU 0', 'kvm: support for \'kvm_intel\' disabled by bios');
}
