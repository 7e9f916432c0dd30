# ebreak names its own address and cause 3; ecall with MPP written to 0 is still one from machine mode: it reports.
#include "environment.h"
  BEGIN
  li gp, 2
here:
  ebreak
  CHECK(3, s11, 1)
  CHECK(4, s10, 3)
  la t0, here
  CHECK(5, s9, 0, sub s9, s9, t0)
  li t0, 0x1800
  csrc mstatus, t0
  la t0, 1f
  csrw mepc, t0
  mret
1:
  csrr t0, misa              # only machine mode may read this
  END
  .align 2
  .globl handler
handler:
  csrr s10, mcause
  csrr s9, mepc
  addi s11, s11, 1
  addi t0, s9, 4
  csrw mepc, t0
  mret
