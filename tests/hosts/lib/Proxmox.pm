# SPDX-License-Identifier: GPL-2.0-or-later
# What a Proxmox VE node has in common with the next: kernel, packages, boot, disks,
# bridge, memory, VMs. Everything here can be changed by a host's definition.
package Node;
use strict;
use warnings;

my $KERNEL = '7.0.0-3-pve';
my $OLDER = '6.17.13-2-pve';
my @LOADABLE = qw(
	kernel/arch/x86/kvm/kvm.ko kernel/arch/x86/kvm/kvm-intel.ko kernel/arch/x86/kvm/kvm-amd.ko
	kernel/drivers/ata/ahci.ko kernel/drivers/ata/libahci.ko
	kernel/drivers/gpu/drm/ast/ast.ko kernel/drivers/iommu/iommufd/iommufd.ko
	kernel/drivers/net/ethernet/intel/i40e/i40e.ko kernel/drivers/net/ethernet/intel/igb/igb.ko
	kernel/drivers/net/ethernet/intel/igc/igc.ko kernel/drivers/net/ethernet/realtek/r8169.ko
	kernel/drivers/nvme/host/nvme.ko kernel/drivers/nvme/host/nvme-core.ko
	kernel/drivers/usb/host/xhci-pci.ko kernel/drivers/vfio/pci/vfio-pci.ko
	kernel/drivers/vfio/pci/vfio-pci-core.ko kernel/drivers/vfio/vfio.ko
	kernel/drivers/vfio/vfio_iommu_type1.ko kernel/drivers/pci/pci-stub.ko
	kernel/virt/lib/irqbypass.ko kernel/sound/pci/hda/snd-hda-intel.ko
	kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko kernel/net/bridge/bridge.ko);
# modules.alias: what would take the devices of these hosts.
my %WANTS = ('8086:1572' => 'i40e', '8086:1521' => 'igb', '10EC:8125' => 'r8169', '10EC:8168' => 'r8169', '1A03:2000' => 'ast',
	'8086:1912' => 'i915', '1002:164E' => 'amdgpu', '8086:201D' => 'vmd', '1102:0007' => 'snd_ca0106');
my @BUILTIN = qw(
	kernel/drivers/iommu/iova.ko kernel/drivers/pci/pcie/pcieport.ko kernel/drivers/md/dm-mod.ko
	kernel/fs/ext4/ext4.ko kernel/drivers/firmware/efi/efi-pstore.ko);

sub kernel {
	my ($n, %with) = @_;
	my $running = $with{running} // $KERNEL;
	my @all = @{ $with{installed} // [ $running, $OLDER ] };
	$n->{kernel} = $running;
	$n->{kernels} = \@all;
	$n->file('proc/sys/kernel/osrelease', "$running\n");
	$n->file('proc/sys/kernel/version', "#1 SMP PREEMPT_DYNAMIC PMX $running (2026-04-28T09:11Z)\n");
	$n->file('proc/sys/kernel/arch', "x86_64\n");
	$n->file('proc/version', "Linux version $running (build\@proxmox) (gcc (Debian 14.2.0-19) 14.2.0)"
			. " #1 SMP PREEMPT_DYNAMIC PMX $running (2026-04-28T09:11Z)\n");
	$n->file('proc/sys/kernel/tainted', ($with{tainted} // 4097) . "\n");
	for my $release (@all) {
		my $at = "usr/lib/modules/$release";
		$n->file("$at/modules.dep", join '', map { "$_:\n" } sort @LOADABLE, @{ $with{extra} // [] });
		$n->file("$at/modules.builtin", join '', map { "$_\n" } sort @BUILTIN);
		$n->file("$at/modules.alias", "# Aliases extracted from modules themselves.\n" . join('', map {
			my ($vendor, $device) = split /:/;
			"alias pci:v0000${vendor}d0000${device}sv*sd*bc*sc*i* $WANTS{$_}\n"
		} sort keys %WANTS) . "alias pci:v*d*sv*sd*bc01sc08i02* nvme\nalias pci:v*d*sv*sd*bc01sc06i01* ahci\n"
			. "alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci\n");
		$n->file("boot/config-$release", "CONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\n"
				. "CONFIG_VFIO_IOMMU_TYPE1=m\nCONFIG_IRQ_REMAP=y\nCONFIG_INTEL_IOMMU=y\n"
				. "CONFIG_INTEL_IOMMU_DEFAULT_ON=y\nCONFIG_AMD_IOMMU=y\nCONFIG_IO_STRICT_DEVMEM=y\n");
		$n->stat("boot/vmlinuz-$release", 'file', 0644, 15433216, 1777370000);
		$n->stat("boot/initrd.img-$release", 'file', 0644, 71303168, 1777990000);
	}
	$n->symlink('lib', 'usr/lib');
	$n->module(qw(kvm irqbypass bridge));
	return;
}

sub proxmox {
	my ($n, %with) = @_;
	my $host = $n->{hostname} = $with{hostname} // 'node1';
	my %version = ('pve-manager' => '9.1.9', 'qemu-server' => '9.1.10', 'pve-qemu-kvm' => '10.1.2-7',
		'proxmox-ve' => '9.1.0', %{ $with{packages} // {} });
	$n->file('etc/hostname', "$host\n");
	$n->file('proc/sys/kernel/hostname', "$host\n");
	$n->file('etc/os-release', "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\n"
			. "VERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\nVERSION_CODENAME=trixie\nID=debian\n");
	$n->file('var/lib/dpkg/status', join "\n", map {
		"Package: $_\nStatus: install ok installed\nPriority: optional\nSection: admin\n"
			. "Maintainer: Proxmox Support Team <support\@proxmox.com>\n"
			. "Architecture: amd64\nVersion: $version{$_}\n"
	} sort keys %version);
	$n->file('etc/pve/.version', "{\n\"starttime\": 1779000000,\n\"clinfo\": 2\n}\n");
	$n->symlink('etc/pve/local', "nodes/$host");
	$n->symlink('etc/pve/qemu-server', "nodes/$host/qemu-server");
	$n->dir("etc/pve/nodes/$host/qemu-server");
	$n->file('etc/pve/storage.cfg', "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl,backup\n\n"
			. "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\tcontent rootdir,images\n");
	$n->dir('run/qemu-server');
	$n->dir('var/lib/vz/snippets');
	$n->file('etc/modprobe.d/pve-blacklist.conf', "# This file contains a list of modules which are not supported"
			. " by Proxmox VE\n\n# nvidiafb see bugreport https://bugzilla.proxmox.com/show_bug.cgi?id=701\n"
			. "blacklist nvidiafb\n");
	$n->file('etc/modules', "# /etc/modules: kernel modules to load at boot time.\n");
	$n->dir('etc/modules-load.d');
	$n->file('etc/network/interfaces', "auto lo\niface lo inet loopback\n\niface nic0 inet manual\n\n"
			. "auto vmbr0\niface vmbr0 inet static\n\taddress 192.0.2.10/24\n\tgateway 192.0.2.1\n"
			. "\tbridge-ports nic0\n\tbridge-stp off\n\tbridge-fd 0\n");
	return;
}

# Vendor Intel or AMD; CPUs are all the same.
sub cpu {
	my ($n, %c) = @_;
	my $text = '';
	for my $i (0 .. $n->{cpus} - 1) {
		$text .= join "\n", "processor\t: $i", "vendor_id\t: $c{vendor}", "cpu family\t: $c{family}",
			"model\t\t: $c{model}", "model name\t: $c{name}", "stepping\t: 4",
			"physical id\t: " . int($i * 2 / $n->{cpus}), "flags\t\t: $c{flags}",
			"address sizes\t: $c{bits} bits physical, 48 bits virtual", "power management:", '', '';
	}
	$n->file('proc/cpuinfo', $text);
	$n->{cpu_text} = $text;
	return;
}

sub xeon {
	my ($n) = @_;
	$n->cpu(vendor => 'GenuineIntel', family => 6, model => 85, bits => 46,
		name => 'Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz',
		flags => 'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2'
			. ' ht syscall nx pdpe1gb rdtscp lm constant_tsc pni pclmulqdq vmx ssse3 fma cx16 pcid sse4_1'
			. ' sse4_2 x2apic movbe popcnt aes xsave avx f16c rdrand lahf_lm tpr_shadow flexpriority ept vpid');
	$n->module('kvm_intel');
	$n->file('sys/module/kvm_intel/parameters/enable_apicv', "Y\n");
	$n->file('sys/module/kvm_intel/parameters/nested', "Y\n");
	return;
}

sub amd_cpu {
	my ($n, $name) = @_;
	$n->{amd} = 1;
	$n->cpu(vendor => 'AuthenticAMD', family => 25, model => 97, bits => 48, name => $name,
		flags => 'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2'
			. ' ht syscall nx mmxext pdpe1gb rdtscp lm constant_tsc pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2'
			. ' x2apic movbe popcnt aes xsave avx f16c rdrand lahf_lm svm extapic npt avic');
	$n->module('kvm_amd');
	$n->file('sys/module/kvm_amd/parameters/avic', "Y\n");
	return;
}

sub dmi {
	my ($n, %with) = @_;
	my %dmi = (bios_vendor => 'American Megatrends Inc.', bios_version => '3.8a', bios_date => '10/18/2022',
		board_name => 'X11DPi-N', product_name => 'Super Server', %with);
	$n->file("sys/class/dmi/id/$_", "$dmi{$_}\n") for keys %dmi;
	return;
}

sub memory {
	my ($n, $gib, $free_gib) = @_;
	my ($total, $free) = map { $_ * 1024 * 1024 } $gib, $free_gib // $gib - 12;
	$n->file('proc/meminfo', sprintf "MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\n"
			. "Buffers:          204800 kB\nCached:          2097152 kB\nSwapTotal:       8388604 kB\n"
			. "SwapFree:        8388604 kB\nHugePages_Total:       0\nHugePages_Free:        0\n"
			. "HugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n"
			. "Hugetlb:               0 kB\n", $total - 1310720, $free, $free);
	my $nodes = $n->{nodes} // 2;
	$n->file('sys/devices/system/node/online', ($nodes > 1 ? '0-' . ($nodes - 1) : '0') . "\n");
	for my $node (0 .. $nodes - 1) {
		my $at = "sys/devices/system/node/node$node";
		$n->file("$at/cpulist", ($n->{node_cpus}[$node] // '') . "\n");
		$n->file("$at/meminfo", sprintf "Node %d MemTotal:       %d kB\nNode %d MemFree:        %d kB\n",
			$node, $total / $nodes, $node, $free / $nodes);
	}
	$n->hugepages(2048, 0, 0);
	$n->hugepages(1048576, 0, 0);
	return;
}

# Pages of KIB, split evenly over the NUMA nodes.
sub hugepages {
	my ($n, $kib, $total, $free) = @_;
	my $nodes = $n->{nodes} // 2;
	my %value = (nr_hugepages => $total, free_hugepages => $free, resv_hugepages => 0, surplus_hugepages => 0);
	$n->file("sys/kernel/mm/hugepages/hugepages-${kib}kB/$_", "$value{$_}\n") for keys %value;
	for my $node (0 .. $nodes - 1) {
		my $at = "sys/devices/system/node/node$node/hugepages/hugepages-${kib}kB";
		$n->file("$at/$_", $value{$_} / $nodes . "\n") for qw(nr_hugepages free_hugepages surplus_hugepages);
	}
	return;
}

sub cmdline {
	my ($n, $running, $staged) = @_;
	$n->file('proc/cmdline', "$running\n");
	return;
}

sub efi {
	my ($n, $secure) = @_;
	$n->dir('sys/firmware/efi');
	$n->file('sys/firmware/efi/fw_platform_size', "64\n");
	$n->bin('sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
		pack 'V C', 6, $secure ? 1 : 0);
	$n->file('sys/kernel/security/lockdown', $secure ? "none [integrity] confidentiality\n" :
			"[none] integrity confidentiality\n");
	return;
}

# OPTIONS: what the admin added to GRUB_CMDLINE_LINUX_DEFAULT.
sub grub {
	my ($n, $options, %with) = @_;
	my $root = $with{root} // 'root=/dev/mapper/pve-root';
	my $args = join ' ', grep { length } $root, 'ro quiet', $options;
	$n->efi(0) unless $with{bios};
	$n->file('sys/kernel/security/lockdown', "[none] integrity confidentiality\n");
	$n->file('etc/default/grub', "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n"
			. "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
			. 'GRUB_CMDLINE_LINUX_DEFAULT="' . join(' ', grep { length } 'quiet', $options) . "\"\n"
			. "GRUB_CMDLINE_LINUX=\"\"\n");
	$n->file('etc/default/grub.d/proxmox-ve.cfg', "GRUB_DISTRIBUTOR=\"Proxmox VE\"\n");
	$n->grub_cfg($with{cfg} // $args);
	$n->file('proc/cmdline', 'BOOT_IMAGE=' . ($with{image} // "/boot/vmlinuz-$n->{kernel}")
			. ' ' . ($with{running} // $args) . "\n");
	return;
}

sub grub_cfg {
	my ($n, $args) = @_;
	my $text = "#\n# DO NOT EDIT THIS FILE\n#\n### BEGIN /etc/grub.d/10_linux ###\n";
	for my $release (@{ $n->{kernels} }) {
		$text .= "menuentry 'Proxmox VE GNU/Linux, with Linux $release' --class proxmox {\n"
			. "\tload_video\n\tinsmod ext2\n\techo\t'Loading Linux $release ...'\n"
			. "\tlinux\t/boot/vmlinuz-$release $args\n"
			. "\techo\t'Loading initial ramdisk ...'\n\tinitrd\t/boot/initrd.img-$release\n}\n";
	}
	$n->file('boot/grub/grub.cfg', $text . "### END /etc/grub.d/10_linux ###\n");
	return;
}

# LVM on NVME's third partition, as the installer makes it.
sub disk_lvm {
	my ($n, $bdf, $disk) = @_;
	$n->{root_at} = $bdf;
	$n->after(sub { $n->disk_lvm_paths($n->{root_at}, $disk) });
	$n->file('proc/self/mountinfo', join '', map { "$_\n" }
			'22 29 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw',
		'23 29 0:22 / /proc rw,relatime shared:14 - proc proc rw',
		'24 29 0:5 / /dev rw,nosuid,relatime shared:2 - devtmpfs udev rw,size=65843152k',
		'29 1 252:1 / / rw,relatime shared:1 - ext4 /dev/mapper/pve-root rw,errors=remount-ro',
		'40 22 0:20 / /sys/kernel/debug rw,nosuid,nodev,noexec,relatime shared:20 - debugfs debugfs rw',
		'41 22 0:30 / /sys/firmware/efi/efivars rw,nosuid,nodev,noexec,relatime shared:9 - efivarfs efivarfs rw',
		'52 29 259:2 / /boot/efi rw,relatime shared:31 - vfat /dev/nvme0n1p2 rw,fmask=0022',
		'61 29 0:41 / /etc/pve rw,nosuid,nodev,relatime shared:40 - fuse /dev/fuse rw,user_id=0,group_id=0,default_permissions,allow_other');
	$n->file('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
			. "/dev/dm-0                               partition\t8388604\t\t0\t\t-2\n");
	$n->file('proc/mdstat', "Personalities : \nunused devices: <none>\n");
	return;
}

# A partition or disk in sysfs: the directory, its class links and its number.
sub block {
	my ($n, $at, $number, %files) = @_;
	my ($name) = $at =~ m{([^/]+)$};
	$n->rlink("sys/class/block/$name", $at);
	$n->rlink("sys/dev/block/$number", $at);
	$n->rlink("$at/subsystem", 'sys/class/block');
	$n->file("$at/dev", "$number\n");
	$n->file("$at/$_", $files{$_}) for keys %files;
	return;
}

sub nvme_paths {
	my ($n, $bdf, $disk, $major_minor, $parts) = @_;
	my $device = Devices::physical($n, $n->device($bdf));
	(my $controller = $disk) =~ s/n1$//;
	my $at = "$device/nvme/$controller/$disk";
	my ($major, $minor) = split /:/, $major_minor;
	$n->rlink("sys/class/nvme/$controller", "$device/nvme/$controller");
	$n->rlink("$device/nvme/$controller/device", $device);
	$n->rlink("$at/device", "$device/nvme/$controller");
	$n->rlink("sys/block/$disk", $at);
	$n->block($at, $major_minor, size => "1875385008\n");
	$n->block("$at/$disk" . "p$_", "$major:" . ($minor + $_), partition => "$_\n") for 1 .. $parts;
	return $at;
}

sub disk_lvm_paths {
	my ($n, $bdf, $disk) = @_;
	my $at = $n->nvme_paths($bdf, $disk, '259:0', 3);
	$n->file('etc/fstab', "# <file system> <mount point> <type> <options> <dump> <pass>\n/dev/pve/root / ext4 errors=remount-ro 0 1\n"
			. "UUID=0000-0001 /boot/efi vfat defaults 0 1\n/dev/pve/swap none swap sw 0 0\nproc /proc proc defaults 0 0\n");
	$n->udev('259:2', ID_FS_TYPE => 'vfat', ID_FS_UUID => '0000-0001', ID_PART_ENTRY_NUMBER => 2);
	$n->udev('259:3', ID_FS_TYPE => 'LVM2_member', ID_FS_UUID => 'iNvEnT-eDiN-vEnT-eDiN-vEnT-eDiN-vEnTeD', ID_PART_ENTRY_NUMBER => 3);
	my $i = 0;
	for my $volume (qw(swap root data_tmeta data_tdata)) {
		my $dm = "sys/devices/virtual/block/dm-$i";
		$n->block($dm, "252:$i", 'dm/name' => "pve-$volume\n",
			'dm/uuid' => "LVM-iNvEnTeDiNvEnTeDiNvEnTeDiNvEnTeD0000000000000000000000000000000$i\n");
		$n->rlink("sys/block/dm-$i", $dm);
		$n->rlink("$dm/slaves/${disk}p3", "$at/${disk}p3");
		$n->rlink("$at/${disk}p3/holders/dm-$i", $dm);
		$i++;
	}
	return;
}

sub net {
	my ($n, $bdf, $name, $index, %with) = @_;
	$n->after(sub {
		my $device = Devices::physical($n, $n->device($bdf));
		my $at = "$device/net/$name";
		$n->rlink("sys/class/net/$name", $at);
		$n->rlink("$at/device", $device);
		$n->net_files($at, $index, $with{up});
		return unless $with{bridge};
		$n->rlink("$at/master", "sys/devices/virtual/net/$with{bridge}");
		$n->rlink("sys/devices/virtual/net/$with{bridge}/brif/$name", "$at/brport");
		$n->file("$at/brport/port_no", "0x1\n");
	});
	return;
}

sub net_files {
	my ($n, $at, $index, $up) = @_;
	$n->file("$at/ifindex", "$index\n");
	$n->file("$at/operstate", ($up ? 'up' : 'down') . "\n");
	$n->file("$at/flags", ($up ? '0x1003' : '0x1002') . "\n");
	$n->file("$at/carrier", "1\n") if $up;
	$n->file("$at/address", sprintf "02:00:00:00:00:%02x\n", $index);
	$n->file("$at/type", "1\n");
	return;
}

# vmbr0 with the default route; ports come by net(bridge => 'vmbr0').
sub bridge {
	my ($n) = @_;
	my $at = 'sys/devices/virtual/net/vmbr0';
	$n->rlink('sys/class/net/vmbr0', $at);
	$n->net_files($at, 10, 1);
	$n->file("$at/bridge/bridge_id", "8000.02000000000a\n");
	$n->rlink('sys/class/net/lo', 'sys/devices/virtual/net/lo');
	$n->file('sys/devices/virtual/net/lo/operstate', "unknown\n");
	$n->file('sys/devices/virtual/net/lo/flags', "0x9\n");
	$n->file('proc/net/route', "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
			. "vmbr0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
			. "vmbr0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	$n->file('proc/net/ipv6_route', '00000000000000000000000000000001 80 00000000000000000000000000000000 00'
			. " 00000000000000000000000000000000 00000100 00000001 00000000 00200200       lo\n");
	return;
}

sub display {
	my ($n, $bdf) = @_;
	$n->after(sub {
		my $device = Devices::physical($n, $n->device($bdf));
		$n->rlink('sys/class/drm/card0', "$device/drm/card0");
		$n->rlink("$device/drm/card0/device", $device);
		$n->file("$device/drm/card0/dev", "226:0\n");
		$n->rlink('sys/class/graphics/fb0', "$device/graphics/fb0");
		$n->rlink("$device/graphics/fb0/device", $device);
		$n->file("$device/graphics/fb0/name", "astdrmfb\n");
	});
	return;
}

# The card is taken at boot by vfio-pci, as Proxmox' documentation has it.
sub bind_ids {
	my ($n, $ids) = @_;
	$n->file('etc/modprobe.d/vfio.conf', "options vfio-pci ids=$ids\nsoftdep metis pre: vfio-pci\n");
	$n->file('etc/modules', "# /etc/modules: kernel modules to load at boot time.\nvfio\nvfio_iommu_type1\nvfio_pci\n");
	$n->module(qw(vfio vfio_iommu_type1 vfio_pci vfio_pci_core iommufd));
	$n->file('sys/module/vfio_pci/parameters/ids', "$ids\n");
	$n->file('sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts', "N\n");
	$n->initramfs(vfio => 1, files => { 'etc/modprobe.d/pve-blacklist.conf' => "blacklist nvidiafb\n",
		'etc/modprobe.d/vfio.conf' => "options vfio-pci ids=$ids\nsoftdep metis pre: vfio-pci\n",
		'conf/modules' => "vfio\nvfio_iommu_type1\nvfio_pci\n" });
	return;
}

# The card without any set-up of vfio-pci.
sub unset_binding {
	my ($n) = @_;
	$n->drop('etc/modprobe.d/vfio.conf');
	$n->drop('sys/module/vfio_pci/parameters/ids');
	$n->drop('sys/module/vfio_iommu_type1/parameters');
	delete @{ $n->{modules} }{qw(vfio vfio_iommu_type1 vfio_pci vfio_pci_core iommufd)};
	$n->file('etc/modules', "# /etc/modules: kernel modules to load at boot time.\n");
	@{ $n->{log} } = grep { !/VFIO|vfio/ } @{ $n->{log} };
	return;
}

sub mapping {
	my ($n, $name, @maps) = @_;
	my $file = 'etc/pve/mapping/pci.cfg';
	$n->file($file, ($n->{at}{$file}{file} // '') . "$name\n" . join('', map { "\tmap $_\n" } @maps) . "\n");
	return;
}

sub vm {
	my ($n, $id, $text) = @_;
	$n->file("etc/pve/nodes/$n->{hostname}/qemu-server/$id.conf", $text);
	return;
}

1;
