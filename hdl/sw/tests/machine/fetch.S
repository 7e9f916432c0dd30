# A jump to an address that is not a multiple of 4 traps: mepc names the jump, rd is not written. jalr drops bit 0 first. A
# branch that is not taken does not trap. Compressed instructions cannot be switched on.
#include "environment.h"
  BEGIN
  csrsi misa, 4
  csrr t2, misa
  andi t2, t2, 4
  CHECK(2, t2, 0)
.macro TRAPS number, insn:vararg
  li gp, \number
  li t1, 0
  la t0, 1f
  \insn
1:
  j fail                     # the handler goes on two words behind this
  nop
  addi s11, s11, 0
.endm
  TRAPS 3, jalr t1, 2(t0)
  TRAPS 4, jalr t1, 3(t0)
  TRAPS 5, .word 0x0060036f  # jal t1, . + 6
  TRAPS 6, .word 0x00000363  # beq x0, x0, . + 6
  CHECK(7, s11, 4)
  li gp, 8
  la t0, 1f
  jalr t1, 1(t0)
  j fail
1:
  li gp, 9
  .word 0x00001363           # bne x0, x0, . + 6
  CHECK(10, s11, 4)
  END
  .align 2
  .globl handler
handler:
  csrr a0, mcause
  bnez a0, fail
  bnez t1, fail
  csrr a1, mepc
  addi t0, t0, -4
  bne a1, t0, fail
  csrr a0, mtval
  beqz a0, 1f
  addi a0, a0, -6
  bne a0, t0, fail
1:
  addi s11, s11, 1
  addi a1, a1, 12
  csrw mepc, a1
  mret
