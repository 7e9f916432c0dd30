# cycle, time and instret can be read in every form that does not write, and trap in every form that does; a written
# minstret is what the next instruction reads, also where it wraps.
#include "environment.h"
  BEGIN
  .irp n, 0xc00, 0xc01, 0xc02
  csrrc x0, \n, x0
  csrrs x0, \n, x0
  csrrci x0, \n, 0
  csrrsi x0, \n, 0
  .endr
  CHECK(2, s11, 0)
  li gp, 3
  .irp n, 0xc00, 0xc01, 0xc02
  csrrw x0, \n, x0
  csrrwi x0, \n, 0
  csrrs x0, \n, gp
  csrrci x0, \n, 1
  .endr
  CHECK(4, s11, 12)
  li gp, 5
  rdcycle a0
  rdcycle a1
  bleu a1, a0, fail
  rdinstret a0
  nop
  rdinstret a1
  sub a1, a1, a0
  CHECK(6, a1, 2)
  CHECK(7, a0, 0, csrwi minstret, 0; csrr a0, minstret)
  li t0, -1
  csrw minstret, t0
  csrr a0, minstret
  csrr a1, minstret
  CHECK(8, a0, -1)
  CHECK(9, a1, 0)
  csrwi mcountinhibit, 0
  CHECK(10, s11, 12)
  END
  SKIP_TRAPS 2
