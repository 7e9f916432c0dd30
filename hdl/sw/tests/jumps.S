# lui, auipc, jal, jalr, fence.i with changed code, and the forwarding of operands over every short distance.
#include "check.h"
  TEST_BEGIN
  lui a0, 0
  CHECK(2, a0, 0)
  lui a0, 0xfffff
  CHECK(3, a0, -4096)
  lui a0, 0x7ffff
  CHECK(4, a0, 0x7ffff000)
  lui a0, 0x80000
  CHECK(5, a0, -2147483648)
8:
  auipc a0, 0
  la a1, 8b
  li gp, 6
  bne a0, a1, fail
9:
  auipc a0, 0xfffff
  la a1, 9b
  li a2, 4096
  sub a1, a1, a2
  li gp, 7
  bne a0, a1, fail
  # links
  li gp, 8
  jal a0, 1f
8:
  j fail
1:
  la a1, 8b
  bne a0, a1, fail
  la a1, 1f
  jalr a1, a1, 0           # rd = rs1
8:
  j fail
1:
  la a2, 8b
  bne a1, a2, fail
  li gp, 9
  la a1, 1f + 2047
  jalr x0, -2047(a1)
  j fail
1:
  li gp, 10
  j 2f
1:
  j 3f
2:
  j 1b
3:
  # x0 stays 0, whatever is written to it and however soon it is read
  li gp, 11
  addi x0, x0, 5
  add a0, x0, x0
  CHECK(11, a0, 0)
  lui x0, 1
  mv a0, x0
  CHECK(12, a0, 0)
  la a1, words
  ld x0, 0(a1)
  mv a0, x0
  CHECK(13, a0, 0)
  csrr x0, misa
  mv a0, x0
  CHECK(14, a0, 0)
  # results used 1, 2, 3 instructions later, as either operand
.macro DISTANCE number, n
  li a0, 5
  addi a1, a0, 1
  .rept \n
  nop
  .endr
  sub a2, a1, a0
  sub a3, a0, a1
  CHECK(\number, a2, 1)
  CHECK(\number, a3, -1)
  la a1, words
  ld a2, 0(a1)
  .rept \n
  nop
  .endr
  addi a3, a2, 1
  CHECK(\number, a3, 0x1122334455667789)
  la a1, words
  ld a2, 8(a1)
  .rept \n
  nop
  .endr
  ld a3, 0(a2)             # a load's result as the next address
  CHECK(\number, a3, 0x1122334455667788)
  sd a3, 16(a1)
  .rept \n
  nop
  .endr
  ld a4, 16(a1)
  CHECK(\number, a4, 0x1122334455667788)
  li a5, 4
  .rept \n
  nop
  .endr
  .insn r 0x0b, 0, 0, x0, a5, a4   # LOAD
  .rept \n
  nop
  .endr
  .insn r 0x0b, 1, 0, a6, a5, a4   # ACCUM
  .rept \n
  nop
  .endr
  .insn r 0x0b, 2, 0, a7, a5, x0   # READ
  xor a7, a7, a6
  CHECK(\number, a7, 0x1122334455667788)
  mv a6, a5
  .insn r 0x0b, 1, 0, x0, a6, a5
  .insn r 0x0b, 3, 0, a7, a5, a6   # SWAP, its result at once
  addi a7, a7, 1
  CHECK(\number, a7, 5)
.endm
  DISTANCE 20, 0
  DISTANCE 21, 1
  DISTANCE 22, 2
  DISTANCE 23, 3
  # the newest of several writes is what is read
  li a0, 1
  addi a0, a0, 1
  addi a0, a0, 1
  addi a0, a0, 1
  CHECK(30, a0, 4)
  # changed code is fetched after fence.i
  la a0, patched
  la a1, patch
  lw a2, 0(a1)
  li a3, 0
  sw a2, 0(a0)
  fence.i
patched:
  addi a3, a3, 1
  CHECK(40, a3, 2)
  TEST_END
patch:
  addi a3, a3, 2
  .data
  .align 3
words:
  .dword 0x1122334455667788
  .dword words
  .dword 0
