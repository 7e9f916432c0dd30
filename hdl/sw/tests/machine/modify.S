# Code that is stored over and fetched after fence.i: right behind the fence, and a page that has run before.
#include "environment.h"
  BEGIN
  la a0, changed
  lw a0, 0(a0)
  la a1, 1f
  li a3, 111
  .align 6
  sw a0, 0(a1)
  .align 2
  fence.i
1:
  addi a3, a3, 222
  CHECK(2, a3, 444)
  la a2, counts
  li a3, 0
  li a4, 3
  jalr ra, 0(a2)
  CHECK(3, a3, 3)
  sw a0, 0(a2)
  fence.i
  li a3, 0
  li a4, 3
  jalr ra, 0(a2)
  CHECK(4, a3, 999)
  END
counts:
  addi a3, a3, 1
  addi a4, a4, -1
  bnez a4, counts
  ret
changed:
  addi a3, a3, 333
