# Every trap the core can take: cause, mepc, mtval, mstatus, and that nothing of the trapped instruction happened.
#include "check.h"
  TEST_BEGIN

  # ecall, ebreak
  EXPECT_TRAP(2, 11, 1f)
a_call:
  ecall
  j fail
1:
  la t1, a_call
  bne s2, t1, fail
  CHECK(3, s3, 0)
  EXPECT_TRAP(4, 3, 1f)
a_break:
  ebreak
  j fail
1:
  la t1, a_break
  bne s2, t1, fail
  bne s3, t1, fail

  # illegal words: mtval is the word
.macro ILLEGAL number, word
  EXPECT_TRAP(\number, 2, 1f)
9:
  .word \word
  j fail
1:
  la t1, 9b
  bne s2, t1, fail
  li t1, \word
  bne s3, t1, fail
.endm
  ILLEGAL 10, 0x00000000
  ILLEGAL 11, 0xffffffff
  ILLEGAL 12, 0x00007003   # load, funct3 7
  ILLEGAL 13, 0x00004023   # store, funct3 4
  ILLEGAL 14, 0x00002063   # branch, funct3 2
  ILLEGAL 15, 0x00003063   # branch, funct3 3
  ILLEGAL 16, 0x00001067   # jalr, funct3 1
  ILLEGAL 17, 0x0000200f   # fence, funct3 2
  ILLEGAL 18, 0x04001013   # slli, bit 26
  ILLEGAL 19, 0x04005013   # srli, bit 26
  ILLEGAL 20, 0x40001013   # slli, bit 30
  ILLEGAL 21, 0x0200101b   # slliw, shamt bit 5
  ILLEGAL 22, 0x0200501b   # srliw, shamt bit 5
  ILLEGAL 23, 0x4200501b   # sraiw, shamt bit 5
  ILLEGAL 24, 0x0000201b   # op-imm-32, funct3 2
  ILLEGAL 25, 0x02000033   # mul: not RV64I
  ILLEGAL 26, 0x40001033   # sll with bit 30
  ILLEGAL 27, 0x40006033   # or with bit 30
  ILLEGAL 28, 0x0000203b   # op-32, funct3 2
  ILLEGAL 29, 0x4000103b   # sllw with bit 30
  ILLEGAL 30, 0x0200003b   # mulw
  ILLEGAL 31, 0x0000400b   # custom-0, funct3 4
  ILLEGAL 32, 0x0200000b   # custom-0 LOAD with funct7 1
  ILLEGAL 33, 0x0400300b   # custom-0 SWAP with funct7 2
  ILLEGAL 34, 0x0000402b   # custom-1
  ILLEGAL 35, 0x00004073   # system, funct3 4
  ILLEGAL 36, 0x10200073   # sret: no supervisor
  ILLEGAL 37, 0x30200173   # mret with rd
  ILLEGAL 38, 0x00200073   # uret
  ILLEGAL 39, 0x12000073   # sfence.vma
  ILLEGAL 40, 0x00000001   # a compressed word
  ILLEGAL 41, 0x18002073   # csrr x0, satp
  ILLEGAL 42, 0x30202073   # csrr x0, medeleg
  ILLEGAL 43, 0x30302073   # csrr x0, mideleg
  ILLEGAL 44, 0x10002073   # csrr x0, sstatus
  ILLEGAL 45, 0x00302073   # csrr x0, fcsr
  ILLEGAL 46, 0x3b102073   # csrr x0, pmpaddr1
  ILLEGAL 47, 0x32102073   # csrr x0, 0x321
  ILLEGAL 48, 0xb0102073   # csrr x0, 0xb01
  ILLEGAL 49, 0xc0001073   # csrw cycle, x0: read-only
  ILLEGAL 50, 0xc020e073   # csrsi instret, 1
  ILLEGAL 51, 0xf1401073   # csrw mhartid, x0
  ILLEGAL 52, 0xc0302073   # csrr x0, hpmcounter3
  ILLEGAL 53, 0x0000002f   # amo
  ILLEGAL 54, 0x00000053   # float

  # an illegal custom-0 word changes no context
  li t1, 7
  li t2, 0x1234
  .insn r 0x0b, 0, 0, x0, t1, t2
  EXPECT_TRAP(60, 2, 1f)
  .insn r 0x0b, 1, 2, t3, t1, t2
  j fail
1:
  .insn r 0x0b, 2, 0, t3, t1, x0
  CHECK(61, t3, 0x1234)
  # nor does one behind a jump or a trap
  j 1f
  .insn r 0x0b, 1, 0, t3, t1, t2
1:
  EXPECT_TRAP(62, 11, 1f)
  ecall
  .insn r 0x0b, 1, 0, t3, t1, t2
1:
  .insn r 0x0b, 2, 0, t3, t1, x0
  CHECK(63, t3, 0x1234)

  # misaligned fetch: jal, jalr, taken branch; an untaken one does not trap; rd is not written
  li a1, 77
  EXPECT_TRAP(70, 0, 1f)
8:
  .word 0x006005ef         # jal a1, . + 6
  j fail
1:
  la t1, 8b
  bne s2, t1, fail
  addi t1, t1, 6
  bne s3, t1, fail
  CHECK(71, a1, 77)
  EXPECT_TRAP(72, 0, 1f)
  la t1, 1f
8:
  jalr a1, 2(t1)
  j fail
1:
  addi t1, t1, 2
  bne s3, t1, fail
  CHECK(73, a1, 77)
  EXPECT_TRAP(74, 0, 1f)
8:
  .word 0x00000363         # beq x0, x0, . + 6
  j fail
1:
  li gp, 75
  .word 0x00001363         # bne x0, x0, . + 6: not taken
  la t1, 1f
  jalr a1, 1(t1)           # bit 0 of the target is dropped
  j fail
1:
  # mstatus in a handler: MPIE holds what MIE was, MIE is 0, MPP 3
  csrsi mstatus, 8
  EXPECT_TRAP(76, 11, 1f)
  ecall
1:
  CHECK(77, s4, 0x1880)
  csrr t1, mstatus
  CHECK(78, t1, 0x1888)
  csrci mstatus, 8
  EXPECT_TRAP(79, 11, 1f)
  ecall
1:
  CHECK(80, s4, 0x1800)

  # access faults: fetch, load, store; the top bit of an address counts
  li t1, 0x4000
  EXPECT_TRAP(90, 1, 1f)
  jalr a1, 0(t1)
  j fail
1:
  bne s2, t1, fail
  bne s3, t1, fail
  la t1, pass
  li t2, 1
  slli t2, t2, 63
  xor t1, t1, t2
  EXPECT_TRAP(91, 1, 1f)
  jalr a1, 0(t1)
1:
  bne s3, t1, fail
  li a1, 55
  EXPECT_TRAP(92, 5, 1f)
  lb a1, 0(t1)
  j fail
1:
  bne s3, t1, fail
  CHECK(93, a1, 55)
  EXPECT_TRAP(94, 7, 1f)
  sw a1, 8(t1)
  j fail
1:
  addi t1, t1, 8
  bne s3, t1, fail
  # an access that runs over the end of the RAM: the second half faults
  li t1, 0x80fffffc
  EXPECT_TRAP(95, 5, 1f)
  ld a1, 0(t1)
  j fail
1:
  CHECK(96, a1, 55)

  # misaligned data, when it is set to trap
  csrwi 0x7c0, 1
  csrr t1, 0x7c0
  CHECK(100, t1, 1)
  la t1, data
.macro MISALIGNED number, cause, insn, offset
  EXPECT_TRAP(\number, \cause, 1f)
  \insn a1, \offset(t1)
  j fail
1:
  addi t2, t1, \offset
  bne s3, t2, fail
  CHECK(\number, a1, 55)
.endm
  MISALIGNED 101, 4, lh, 1
  MISALIGNED 102, 4, lhu, 7
  MISALIGNED 103, 4, lw, 1
  MISALIGNED 104, 4, lw, 2
  MISALIGNED 105, 4, lwu, 3
  MISALIGNED 106, 4, ld, 1
  MISALIGNED 107, 4, ld, 2
  MISALIGNED 108, 4, ld, 4
  MISALIGNED 109, 4, ld, 7
  MISALIGNED 110, 6, sh, 1
  MISALIGNED 111, 6, sw, 2
  MISALIGNED 112, 6, sw, 3
  MISALIGNED 113, 6, sd, 4
  MISALIGNED 114, 6, sd, 1
  ld a1, 0(t1)             # aligned ones do not trap, and nothing was stored
  CHECK(115, a1, 0x0706050403020100)
  csrwi 0x7c0, 0
  # and when it is not
  ld a1, 3(t1)
  CHECK(116, a1, 0x0a09080706050403)

  # interrupts: software and timer, and mie and mstatus decide
  li t1, 0x02000000
  li t2, 1
  sw t2, 0(t1)
  csrr t3, mip
  CHECK(120, t3, 8)
  csrsi mstatus, 8         # not enabled in mie: no trap
  nop
  csrci mstatus, 8
  csrwi mie, 8             # not enabled in mstatus: no trap
  nop
  li gp, 121
  li s0, (1 << 63) | 3
  la s1, 1f
  csrsi mstatus, 8
  nop
  j fail
1:
  csrci mstatus, 8
  sw x0, 0(t1)
  csrw mie, x0
  li t1, 0x02004000
  sd x0, 0(t1)
  li t2, 128
  csrw mie, t2
  li gp, 122
  li s0, (1 << 63) | 7
  la s1, 1f
  csrsi mstatus, 8
  wfi
  j fail
1:
  csrci mstatus, 8
  li t2, -1
  sd t2, 0(t1)
  csrw mie, x0
  TEST_END
  .data
  .align 3
data:
  .dword 0x0706050403020100, 0x0f0e0d0c0b0a0908
