# A program that asks for the granularity of memory protection finds 4 bytes, and the entry stays off.
#include "environment.h"
  BEGIN
  csrw pmpcfg0, zero
  li t0, -1
  csrw pmpaddr0, t0
  csrr t0, pmpaddr0
  neg t1, t0
  and a7, t0, t1
  CHECK(2, a7, 1)
  CHECK(3, a0, 0, csrr a0, pmpcfg0)
  END
