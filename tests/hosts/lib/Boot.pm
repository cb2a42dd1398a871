# SPDX-License-Identifier: GPL-2.0-or-later
# Boot by proxmox-boot-tool, ZFS, initramfs images, firmware variables.
package Node;
use strict;
use warnings;

# efivarfs: four bytes of attributes, then UTF-16LE.
sub efi_text {
	my ($n, $name, $text) = @_;
	$n->bin("sys/firmware/efi/efivars/$name", pack('V', 6) . join('', map { pack 'v', ord } split //, "$text\0"));
	return;
}

sub loader_info {
	my ($n, $text) = @_;
	$n->efi_text('LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f', $text);
	return;
}

my $UUIDS = "0000-0001\n0000-0002\n";

# ESPs that proxmox-boot-tool keeps, started by systemd-boot.
sub pbt_systemd_boot {
	my ($n, $options, %with) = @_;
	my $root = 'root=ZFS=rpool/ROOT/pve-1 boot=zfs';
	my $args = join ' ', grep { length } $root, $options;
	$n->efi(0);
	$n->loader_info('systemd-boot 257.7-1');
	$n->file('etc/kernel/proxmox-boot-uuids', $UUIDS);
	$n->file('etc/kernel/cmdline', ($with{staged} // $args) . "\n");
	$n->file('etc/default/grub', "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n");
	$n->file('proc/cmdline', "initrd=\\EFI\\proxmox\\$n->{kernel}\\initrd.img-$n->{kernel} $args\n");
	return;
}

# ESPs that proxmox-boot-tool keeps, started by GRUB under Secure Boot.
sub pbt_grub {
	my ($n, $options) = @_;
	my $root = 'root=ZFS=rpool/ROOT/pve-1 boot=zfs';
	my $args = join ' ', grep { length } $root, 'ro quiet', $options;
	$n->grub($options, root => $root, image => "/vmlinuz-$n->{kernel}", running => $args);
	$n->efi(1);
	$n->file('etc/kernel/proxmox-boot-uuids', $UUIDS);
	$n->file('etc/kernel/cmdline', "$root\n"); # written by the installer, not used here
	return;
}

# rpool on the third partition of two disks, their second an ESP.
sub disk_zfs {
	my ($n, @disks) = @_;
	$n->file('proc/self/mountinfo', join '', map { "$_\n" }
			'22 29 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw',
		'23 29 0:22 / /proc rw,relatime shared:14 - proc proc rw',
		'29 1 0:28 / / rw,relatime shared:1 - zfs rpool/ROOT/pve-1 rw,xattr,posixacl,casesensitive',
		'40 22 0:20 / /sys/kernel/debug rw,nosuid,nodev,noexec,relatime shared:20 - debugfs debugfs rw',
		'41 22 0:30 / /sys/firmware/efi/efivars rw,nosuid,nodev,noexec,relatime shared:9 - efivarfs efivarfs rw',
		'60 29 0:50 / /rpool rw,relatime shared:33 - zfs rpool rw,xattr,noacl,casesensitive',
		'61 29 0:41 / /etc/pve rw,nosuid,nodev,relatime shared:40 - fuse /dev/fuse rw,user_id=0,group_id=0,default_permissions,allow_other');
	$n->file('proc/swaps', "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	$n->file('proc/mdstat', "Personalities : \nunused devices: <none>\n");
	$n->file('proc/spl/kstat/zfs/rpool/state', "ONLINE\n");
	$n->file('proc/spl/kstat/zfs/arcstats', "5 1 0x01 147 39984 4161236126 1143294914\n");
	$n->file('etc/fstab', "# <file system> <mount point> <type> <options> <dump> <pass>\nproc /proc proc defaults 0 0\n");
	$n->module(qw(zfs spl));
	my $i = 0;
	for my $disk (@disks) {
		my ($bdf, $name) = @$disk;
		my $minor = 4 * $i++;
		my $esp = "0000-000$i";
		$n->after(sub {
			$n->nvme_paths($bdf, $name, "259:$minor", 3);
			$n->udev('259:' . ($minor + 2), ID_FS_TYPE => 'vfat', ID_FS_UUID => $esp, ID_PART_ENTRY_NUMBER => 2);
			$n->udev('259:' . ($minor + 3), ID_FS_TYPE => 'zfs_member', ID_FS_LABEL => 'rpool',
				ID_FS_UUID => '12345678901234567890', ID_PART_ENTRY_NUMBER => 3);
		});
	}
	return;
}

sub udev {
	my ($n, $number, %value) = @_;
	$n->file("run/udev/data/b$number", "I:1000000\n" . join('', map { "E:$_=$value{$_}\n" } sort keys %value) . "G:systemd\n");
	return;
}

# The image of each kernel; FILES as they lie below /etc on the host.
sub initramfs {
	my ($n, %with) = @_;
	my @modules = @{ $with{modules} // [ qw(nvme nvme_core ahci libahci xhci_pci i40e ast dm_mod) ] };
	push @modules, qw(vfio vfio_iommu_type1 vfio_pci vfio_pci_core irqbypass) if $with{vfio};
	for my $release (@{ $with{kernels} // $n->{kernels} }) {
		my $text = "archive zstd\nmodules " . join(' ', sort @modules) . "\n";
		for my $path (sort keys %{ $with{files} // {} }) {
			$text .= "file $path\n" . join '', map { "\t$_\n" } split /\n/, $with{files}{$path};
		}
		$text .= join '', map { "script $_\n" } @{ $with{scripts} // [] };
		$n->file("metis-passthrough/initramfs/$release", $text);
	}
	return;
}

1;
