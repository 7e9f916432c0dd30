# A misaligned load gives the right value or traps and writes nothing; a misaligned store writes its bytes and no others or
# traps and writes nothing. Once done in hardware, once with CSR 0x7c0 set to trap; s11 counts the traps of each.
#include "environment.h"
// t1 holds the address, so a trapped load leaves it there; t2 is where the handler goes on
#define LOAD(n, insn, offset, value) \
  li gp, n; \
  la t2, 1f; \
  addi t1, s0, offset; \
  insn t1, offset(s0); \
  li t2, value; \
  bne t1, t2, fail; \
1:
#define STORE(n, insn, offset, size) \
  li gp, n; \
  la t2, 1f; \
  addi t1, s0, offset; \
  insn x0, offset(s0); \
  lb t1, (offset - 1)(s0); \
  beqz t1, fail; \
  lb t1, (offset + size)(s0); \
  beqz t1, fail; \
  lb t1, offset(s0); \
  bnez t1, fail; \
  lb t1, (offset + size - 1)(s0); \
  bnez t1, fail; \
1:
.macro LOADS
  li s1, 4
  LOAD(2, lh, 1, 0x3322)
  LOAD(3, lh, 7, 0xffffffffffff9988)
  LOAD(4, lhu, 7, 0x9988)
  LOAD(5, lw, 1, 0x55443322)
  LOAD(6, lw, 2, 0x66554433)
  LOAD(7, lw, 7, 0xffffffffbbaa9988)
  LOAD(8, lwu, 7, 0xbbaa9988)
  LOAD(9, ld, 1, 0x9988776655443322)
  LOAD(10, ld, 4, 0xccbbaa9988776655)
  LOAD(11, ld, 7, 0xffeeddccbbaa9988)
  li s1, 6
  STORE(22, sh, 33, 2)
  STORE(23, sh, 39, 2)
  STORE(24, sw, 43, 4)
  STORE(25, sw, 54, 4)
  STORE(26, sd, 60, 8)
  STORE(27, sd, 71, 8)
.endm
  BEGIN
  la s0, bytes
  LOADS
  CHECK(30, s11, 0)
  la a0, bytes + 32
  li a1, -1
  .rept 7
  sd a1, 0(a0)
  addi a0, a0, 8
  .endr
  csrwi 0x7c0, 1
  LOADS
  csrwi 0x7c0, 0
  CHECK(31, s11, 16)
  la a0, bytes + 32
  li a2, -1
  ld a1, 8(a0)               # the last round wrote nothing
  CHECK(32, a1, -1)
  END
  .align 2
  .globl handler
handler:
  csrr t0, mcause
  bne t0, s1, fail
  csrr t0, mtval
  bne t0, t1, fail
  addi s11, s11, 1
  csrw mepc, t2
  mret
  .data
  .align 3
bytes:
  .dword 0x8877665544332211, 0x00ffeeddccbbaa99, -1, -1
  .fill 64, 1, 0xff
