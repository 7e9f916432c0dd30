// The frame of the assembly tests: gp holds the number of the test that runs, `pass` and `fail` report through tohost.
//
//   CHECK n, register, value   as test n, the register must hold the value
//   expect_trap: a test that wants a trap puts its cause in s0 and the address to go on at in s1; the handler checks the
//   cause, keeps mepc in s2 and mtval in s3, and goes on there. A trap that nobody wants fails the running test.
#define CHECK(n, register, value) \
  li gp, n; \
  li t6, value; \
  bne register, t6, fail
#define EXPECT_TRAP(n, cause, label) \
  li gp, n; \
  li s0, cause; \
  la s1, label
.macro TEST_BEGIN
  .section .text.init
  .globl _start
_start:
  la t0, handler
  csrw mtvec, t0
  li s0, -1
.endm
.macro TEST_END
  j pass
  .align 2
handler:
  csrr t0, mcause
  bne t0, s0, fail
  li s0, -1
  csrr s2, mepc
  csrr s3, mtval
  csrr s4, mstatus
  csrw mepc, s1
  bgez t0, 2f              # an interrupt's line is still up: come back with interrupts off
  li t0, 0x80
  csrc mstatus, t0
2:
  mret
fail:
  slli gp, gp, 1
  ori gp, gp, 1
  j report
pass:
  li gp, 1
report:
  la t0, tohost
  sd gp, 0(t0)
1:
  j 1b
  .section .tohost, "aw", @progbits
  .align 6
  .globl tohost
tohost:
  .dword 0
.endm
