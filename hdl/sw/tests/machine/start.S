# What a program may rely on when the reset code is through: machine mode, 64 bits, hart 0, and nothing enabled.
#include "environment.h"
  BEGIN
  CHECK(2, a0, 0, csrr a0, mhartid)
  CHECK(3, a0, 2, csrr a0, misa; srl a0, a0, 62)
  CHECK(4, a0, 0, csrr a0, mie)
  CHECK(5, a0, 0x80, csrr a0, mstatus; andi a0, a0, 0x88)   # mret: MIE takes MPIE, which becomes 1
  # these are there, whatever they hold
  csrr a0, mimpid
  csrr a0, marchid
  csrr a0, mvendorid
  csrr a0, mconfigptr
  csrs mtvec, zero
  csrs mepc, zero
  li gp, 6
  li a0, 1
  slli a0, a0, 31
  blez a0, fail              # 32-bit registers would call this negative
  END
