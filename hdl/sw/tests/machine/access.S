# Turning the top bit of an address makes it one that nothing answers. The jump there is done (its link is written) and the
# fetch traps; a load there is not done.
#include "environment.h"
  BEGIN
  la t2, fail
  li t0, 1 << 63
  xor t0, t0, t2
  li gp, 2
  li t1, 1
  la s1, 1f
  li t2, 0
  jalr t2, 0(t0)
1:
  li gp, 3
  li t1, 5
  la s1, 1f
  mv t2, s1
  lb t2, 0(t0)
  j fail
1:
  CHECK(4, s11, 2)
  END
  .align 2
  .globl handler
handler:
  bne t2, s1, fail
  csrr t2, mcause
  bne t2, t1, fail
  addi s11, s11, 1
  csrw mepc, s1
  mret
