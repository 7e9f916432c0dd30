# An illegal word traps with mtval 0 or the word; there is no supervisor to return to, and mtvec has no vectored mode.
#include "environment.h"
  BEGIN
  li gp, 2
bad:
  .word 0
  j fail
  # MPP cannot name the supervisor or the user
  li t0, 0x1800
  csrc mstatus, t0
  csrr t1, mstatus
  and t1, t1, t0
  CHECK(3, t1, 0x1800)
  csrc mstatus, t0
  li t2, 0x800
  csrs mstatus, t2
  csrr t1, mstatus
  and t1, t1, t0
  CHECK(4, t1, 0x1800)
  la t0, handler + 1
  csrrw s0, mtvec, t0
  csrr t0, mtvec
  csrw mtvec, s0
  andi t0, t0, 1
  CHECK(5, t0, 0)
  CHECK(6, s11, 1)           # one trap, and no other
  END
  .align 8
  .globl handler
handler:
  li t1, 2
  csrr t0, mcause
  bne t0, t1, fail
  csrr t0, mepc
  la t1, bad
  bne t0, t1, fail
  csrr t2, mtval
  beqz t2, 1f
  lw t1, 0(t0)
  bne t2, t1, fail
1:
  addi s11, s11, 1
  addi t0, t0, 8
  csrw mepc, t0
  mret
