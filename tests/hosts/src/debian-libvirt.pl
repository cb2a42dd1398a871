sub {
	my ($n) = @_;
	$n->note('Debian 13 with libvirt instead of Proxmox VE, started from a unified kernel image; most of its memory is reserved as',
		'huge pages, and locked memory is limited. The desktop board with its remapping units as they should be. Invented.');
	$n->kernel(running => '6.12.48+deb13-amd64', installed => [ '6.12.48+deb13-amd64' ]);
	$n->desktop(39);
	$n->memory(64, 12);
	$n->hugepages(1048576, 48, 48);
	$n->{units}[0]{ecap} = '7e3ff0501e';
	$n->{remap} = 1;
	my $card = $n->device('0000:01:00.0');
	$card->{bars} = [ { n => 0, at => 0xde000000, size => 0x1000, wide => 1 }, { n => 2, at => 0xda000000, size => 0x2000000 } ];
	@$card{qw(driver d_state)} = (undef, 0);
	$n->device('0000:00:01.0')->{window} = [ 0xda000000, 0xde0fffff ];
	@{ $n->{log} } = grep { !/DMAR-IR|can.t assign/ } @{ $n->{log} };
	$n->log('DMAR-IR: Enabled IRQ remapping in x2apic mode', 'mem auto-init: stack:all(zero), heap alloc:on, heap free:off');
	$n->file('etc/hostname', "virt1\n");
	$n->file('proc/sys/kernel/hostname', "virt1\n");
	$n->file('etc/os-release', "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nID=debian\n");
	$n->file('var/lib/dpkg/status', "Package: libvirt-daemon\nStatus: install ok installed\nVersion: 11.3.0-3\n");
	$n->file('proc/self/limits', "Limit                     Soft Limit           Hard Limit           Units     \n"
			. "Max locked memory         8388608              8388608              bytes     \n");
	$n->efi(0);
	$n->efi_text('StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f', 'systemd-stub 257.8-1~deb13u2');
	$n->loader_info('systemd-boot 257.8-1~deb13u2');
	$n->file('proc/cmdline', "root=/dev/sda2 ro quiet intel_iommu=on hugepagesz=1G hugepages=48\n");
	$n->file('sys/devices/virtual/net/lo/operstate', "unknown\n");
	$n->file('sys/devices/virtual/net/lo/flags', "0x9\n");
	$n->rlink('sys/class/net/lo', 'sys/devices/virtual/net/lo');
	$n->net('0000:04:00.0', 'enp4s0', 2, up => 1);
	$n->file('proc/net/route', "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
			. "enp4s0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	$n->names;
}
