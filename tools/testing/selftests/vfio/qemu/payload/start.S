/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reset vector of the guest: from real mode to main() in 32-bit protected mode.
 *
 * The guest replaces the firmware. The processor starts in the last 16 bytes
 * of the ROM with a code segment that covers the ROM's 64 KiB, so that until
 * the far jump the lower 16 bits of an address are what counts.
 */

#define CODE_SEGMENT		0x08
#define DATA_SEGMENT		0x10

#define CR0_PROTECTED_MODE	0x00000001
#define CR0_CACHES_OFF		0x60000000

#define APIC_END_OF_INTERRUPT	0xfee000b0

	.section .reset, "ax"
	.code16
	.globl	reset_vector
reset_vector:
	jmp	enter_protected_mode

	.section .boot, "ax"
	.code16
enter_protected_mode:
	cli
	cld
	lgdtl	%cs:segments_pointer
	movl	%cr0, %eax
	andl	$~CR0_CACHES_OFF, %eax
	orl	$CR0_PROTECTED_MODE, %eax
	movl	%eax, %cr0
	ljmpl	$CODE_SEGMENT, $protected_mode

	.code32
protected_mode:
	movw	$DATA_SEGMENT, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$stack_top, %esp
	movl	$bss_start, %edi
	movl	$bss_end, %ecx
	subl	%edi, %ecx
	xorl	%eax, %eax
	rep stosb
	call	main
0:	hlt
	jmp	0b

	.globl	timer_interrupt
timer_interrupt:
	movl	$0, APIC_END_OF_INTERRUPT
	iret

	/* flat segments over the whole address space: none, code, data */
	.balign	8
segments:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
segments_pointer:
	.word	. - segments - 1
	.long	segments

	.section .note.GNU-stack, "", @progbits
