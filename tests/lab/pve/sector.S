/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector: says on the first serial port that it was read, and stays. For a disk that is passed through: whoever says
 * this had it read by DMA. */
	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw $text, %si
	cld
	movw $0x3f8, %dx
next:
	lodsb
	testb %al, %al
	jz stay
	outb %al, %dx
	jmp next
stay:
	sti
	hlt
	jmp stay
text:
	.asciz "guest: booted from the card\n"
	.org 510
	.word 0xaa55
