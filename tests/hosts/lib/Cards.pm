# SPDX-License-Identifier: GPL-2.0-or-later
# More cards for the forum node: a second one for the host, four behind a switch.
package Node;
use strict;
use warnings;
no warnings 'portable'; # 64-bit Perl only, as the bytes need

# At 0000:d8:00.0, driven by the vendor's driver (module metis, driver axl).
sub second_card {
	my ($n) = @_;
	$n->add($n->root_port(bdf => '0000:d7:00.0', secondary => 0xd8, group => 29, numa => 1, unit => 'dmar3', root_bus => 0xd7,
			link => { width => 4, speed => '8.0', max_width => 16, slot => 8 }, window => [ 0xf8000000, 0xfa0fffff ]),
		$n->metis(bdf => '0000:d8:00.0', parent => '0000:d7:00.0', group => 30, unit => 'dmar3', numa => 1, slot_name => '8',
			at => 0xf8000000, driver => 'axl', module => 'metis', d_state => 0, command => 0x0406, irq_name => 'metis-msi',
			msi => { vectors => 32, mask => 1, on => 32, address => 0xfee00418 }));
	$n->card_words('0000:d8:00.0', at_work());
	$n->vendor_driver;
	$n->log('axl 0000:d8:00.0: enabling device (0000 -> 0002)', 'axl 0000:d8:00.0: MSI registered 32 (32)',
		'Axelera AIPU PCIe Driver, version 1.4.16, init OK');
	return;
}

# metis.ko as DKMS installs it.
sub vendor_driver {
	my ($n) = @_;
	for my $release (@{ $n->{kernels} }) {
		$n->edit("usr/lib/modules/$release/modules.dep", sub { $_ .= "updates/dkms/metis.ko:\n" });
		$n->edit("usr/lib/modules/$release/modules.alias", sub { $_ .= "alias pci:v00001F9Dd00001100sv*sd*bc*sc*i* metis\n" });
	}
	return;
}

# The card at 0000:86:00.0 in the hands of the vendor's driver.
sub driven_by_host {
	my ($n) = @_;
	my $card = $n->device('0000:86:00.0');
	@$card{qw(driver module d_state command irq_name)} = ('axl', 'metis', 0, 0x0406, 'metis-msi');
	$card->{msi} = { vectors => 32, mask => 1, on => 32, address => 0xfee00418 };
	$n->card_words('0000:86:00.0', at_work());
	$n->log('axl 0000:86:00.0: enabling device (0000 -> 0002)', 'axl 0000:86:00.0: MSI registered 32 (32)',
		'Axelera AIPU PCIe Driver, version 1.4.16, init OK');
	return;
}

# A carrier with four cards behind a switch whose downstream ports have ACS.
sub four_cards {
	my ($n) = @_;
	$n->remove('0000:86:00.0');
	$n->device('0000:85:00.0')->{subordinate} = 0x8b;
	@{ $n->device('0000:85:00.0')->{pcie} }{qw(width)} = (16);
	my %at = (numa => 1, unit => 'dmar2');
	my $port = sub {
		my (%p) = @_;
		return { %at, id => '10b5:8724', class => 0x060400, revision => 0xca, driver => 'pcieport', module => '', pcie_at => 0x68,
			msi => { at => 0x48, vectors => 8, mask => 1 }, aer => 1, pme => 1, %p };
	};
	$n->add($port->(bdf => '0000:86:00.0', parent => '0000:85:00.0', secondary => 0x87, subordinate => 0x8b, group => 22,
			pcie => { type => 'upstream', speed => '8.0', width => 16 }));
	my $bus = 0x88;
	for my $slot ('01', '04', '08', '09') {
		my $down = "0000:87:$slot.0";
		my $number = $bus - 0x88;
		$n->add($port->(bdf => $down, parent => '0000:86:00.0', secondary => $bus, group => 31 + $number, acs => [ 0x5f, 0x1d ],
				pcie => { type => 'downstream', speed => '8.0', width => 4, slot => 10 + $number },
				window => [ 0xe0000000 + 0x2100000 * $number, 0xe20fffff + 0x2100000 * $number ]),
			$n->metis(%at, bdf => sprintf('0000:%02x:00.0', $bus), parent => $down, group => 35 + $number,
				at => 0xe0000000 + 0x2100000 * $number, serial => 0));
		$bus++;
	}
	return;
}

# What can be read of the inside of the card at BDF: 32-bit words of BAR 0 and BAR 2, those of firmware that runs and has
# nothing armed, but for OVER ("0 0x60" => value). The window's area is at 0x4000.
sub card_words {
	my ($n, $bdf, %over) = @_;
	my %word = map { $_ => 0 } map({ sprintf '0 0x%x', $_ } 0x00c, 0x02c, 0x060, 0x064, 0x068, 0x06c, 0x070, 0x074, 0x0cc,
		0x0d0, 0x0d4, 0x0d8, 0x0dc, 0x0e0, map { (0x200 + 0x200 * $_, 0x300 + 0x200 * $_) } 0 .. 3),
		map { sprintf '2 0x%x', $_ } 0x2c4, 0x2f4, 0x4000, 0x4008, 0x400c, 0x4010;
	%word = (%word, '0 0x8' => 0x00040004, '2 0x0' => 0xfd1f, '2 0x200' => 0x0701, '2 0x218' => 0xc1a0c1a0, '2 0x2b8' => 0x0100bac1,
		'2 0x2c0' => 0x4000, '2 0x2e8' => 0x0100b5b5, '2 0x2f0' => 0x4100, %over);
	$n->file("metis-passthrough/card/$bdf", join '', map { sprintf "%s 0x%08x\n", $_, $word{$_} } sort keys %word);
	return;
}

# With the vendor's driver at work: its window is open, its messages are the function's own.
sub at_work {
	return ('2 0x4000' => 1, '2 0x4008' => 0x49800000, '2 0x400c' => 1, '2 0x4010' => 0x200000, '0 0x60' => 0xfee00418,
		'0 0x68' => 0xfee00418, '0 0x70' => 0x00090008, '0 0x74' => 0x000b000a, '0 0xcc' => 0xfee00418, '0 0xd4' => 0xfee00418,
		'0 0xdc' => 0x00050004, '0 0xe0' => 0x00070006);
}

1;
