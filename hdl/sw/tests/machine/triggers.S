# There are no triggers, and a debugger can find that out: tcontrol traps or not, tselect may hold 0 only, tdata1 takes no
# type, and nothing breaks at an address that was set all the same.
#include "environment.h"
  BEGIN
  li gp, 2
  la a0, 1f
  csrrw a0, mtvec, a0
  li a1, 8
  csrs 0x7a5, a1
  .align 2
1:
  csrw mtvec, a0
  csrw tselect, x0
  CHECK(3, a1, 0, csrr a1, tselect)
  li a0, 1
  csrw tselect, a0
  CHECK(4, a1, 0, csrr a1, tselect)
  la a2, 1f
  csrw tdata2, a2
  li a0, (2 << 60) | (1 << 6) | (1 << 2)  # address match, machine mode, execute
  csrw tdata1, a0
  csrr a1, tdata1
  li gp, 5
  beq a0, a1, fail
1:
  li a0, (2 << 60) | (1 << 6) | (1 << 1)  # store
  csrw tdata1, a0
  la a2, data
  csrw tdata2, a2
  sw a2, 0(a2)
  lw a2, 0(a2)
  CHECK(6, s11, 0)
  END
  SKIP_TRAPS 3
  .data
data:
  .word 0
