# The CSR instructions in their six forms, the registers' writable bits, and the counters.
#include "check.h"
  TEST_BEGIN
  csrwi mscratch, 3
  csrr a0, mscratch
  CHECK(2, a0, 3)
  csrrci a1, mscratch, 1
  CHECK(3, a1, 3)
  csrrsi a2, mscratch, 4
  CHECK(4, a2, 2)
  csrrwi a3, mscratch, 2
  CHECK(5, a3, 6)
  li a0, 0x123456789abcdef0
  csrrw a1, mscratch, a0
  CHECK(6, a1, 2)
  li a0, 0xff
  csrrc a1, mscratch, a0
  CHECK(7, a1, 0x123456789abcdef0)
  li a0, 0xf000000000000001
  csrrs a1, mscratch, a0
  CHECK(8, a1, 0x123456789abcde00)
  csrr a1, mscratch
  CHECK(9, a1, 0xf23456789abcde01)
  # rd = rs1
  csrrw a1, mscratch, a1
  csrrw a1, mscratch, a1
  CHECK(10, a1, 0xf23456789abcde01)
  # csrrs and csrrc of x0 do not write: allowed on read-only registers
  csrrs a0, mhartid, x0
  CHECK(11, a0, 0)
  csrrc a0, mvendorid, x0
  csrrsi a0, marchid, 0
  csrrci a0, mimpid, 0
  CHECK(12, a0, 0)
  csrr a0, 0xf15
  CHECK(13, a0, 0)
  csrr a0, misa
  CHECK(14, a0, 0x8000000000800100)
  csrw misa, x0
  csrr a0, misa
  CHECK(15, a0, 0x8000000000800100)
  # WARL fields
.macro WARL number, csr, written, kept
  li t1, \written
  csrw \csr, t1
  csrr t1, \csr
  CHECK(\number, t1, \kept)
.endm
  la s5, handler
  WARL 20, mtvec, -1, 0x80000001fffffffc   # a pc lies below 8 GiB; any other stays invalid
  csrw mtvec, s5
  WARL 21, mepc, -1, 0x80000001fffffffc
  WARL 60, mepc, 0x200000000, 0x8000000000000000
  WARL 61, mepc, 0x1fffffffe, 0x1fffffffc
  WARL 22, mstatus, 0, 0x1800
  WARL 23, mstatus, 0x80, 0x1880
  li t1, 0
  csrw mstatus, t1
  WARL 24, mie, -1, 0x888
  WARL 25, mie, 0, 0
  WARL 26, mtval, 0x8123456789abcdef, 0x8123456789abcdef
  WARL 27, mcause, -1, 0x800000000000000f
  WARL 28, mip, -1, 0
  WARL 29, pmpcfg0, -1, 0
  WARL 30, pmpaddr0, 0, 0x003fffffffffffff
  WARL 31, tselect, -1, 0
  WARL 32, tdata1, -1, 0
  WARL 33, tdata2, -1, 0
  WARL 34, 0x7a3, -1, 0
  WARL 35, mcountinhibit, -1, 0
  WARL 36, mhpmcounter3, -1, 0
  WARL 37, mhpmcounter31, -1, 0
  WARL 38, mhpmevent3, -1, 0
  WARL 39, mhpmevent31, -1, 0
  WARL 40, 0x7c0, -1, 1
  WARL 41, 0x7c0, 0, 0
  # a written counter is what the next instruction reads; it counts retired instructions
  csrwi minstret, 0
  csrr a0, minstret
  CHECK(50, a0, 0)
  csrwi minstret, 10
  nop
  nop
  csrr a0, instret
  CHECK(51, a0, 12)
  li a1, -1
  csrw minstret, a1
  csrr a0, minstret
  csrr a1, minstret
  CHECK(52, a0, -1)
  CHECK(53, a1, 0)
  # a trapped instruction is not retired
  EXPECT_TRAP(54, 11, 1f)
  csrwi minstret, 0
  ecall
1:
  csrr a0, minstret        # the handler retires 9
  CHECK(54, a0, 9)
  # clocks only go up
  csrr a0, mcycle
  csrr a1, cycle
  csrr a2, time
  li gp, 55
  bgeu a0, a1, fail
  bgeu a1, a2, fail
  li a0, 1000000
  csrw mcycle, a0
  csrr a1, mcycle
  bltu a1, a0, fail
  li a0, 1000100
  bgeu a1, a0, fail
  fence
  fence.i
  wfi                      # nothing to wait for: a nop
  TEST_END
